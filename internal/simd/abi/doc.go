// Package abi is what kernels in assembly and the Go code that calls them agree on: flags, the
// fields of what kernels are given a pointer to, and sizes that both compute with. The generator
// imports it, so that nothing here is written down twice. It holds no code.
//
// Knows nothing of ours. Never imports anything.
package abi
