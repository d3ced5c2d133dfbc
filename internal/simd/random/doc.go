// Package random gives many uniform numbers of a stream at a time. They are the same at every
// level, so that who needs no other kernel, as a dataset does, need not choose a level either.
//
// Knows philox and isa. Never imports anything else of ours.
package random
