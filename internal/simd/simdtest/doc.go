// Package simdtest is what the tests of the rooms of package simd share: numbers that kernels get
// wrong first, memory that faults beyond its end, the definitions of convolutions, and a
// benchmark's share of what the processor could do.
//
// Knows par, isa and window. Never imports anything else of ours, and nothing but tests imports it.
package simdtest
