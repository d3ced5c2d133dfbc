// Package isa is the ground that all rooms of package simd stand on: the levels of instructions and
// which of them this processor runs, the sizes of its caches, what a denormal becomes, how much
// work is worth a task or fits one call, and what is done to the sums that a kernel has made (the
// epilogue: adding the old values, a bias, a rectifier).
//
// Knows abi. Never imports anything else of ours.
package isa
