// Package elementary has the exponential and the logarithm of package math, also where its assembly
// for amd64 is wrong: from 709.44 on, where its exponential is infinite although that is a number
// up to 709.78, and for denormals, all of which its logarithm takes for the largest.
//
// Knows package math. Never imports anything of ours.
package elementary
