// Package simd holds the arithmetic kernels of the CPU engine: on slices, in Go assembly for
// AVX2 and AVX-512, with twins in plain Go for every other processor.
//
// A [Kernels] value is the table for one [Level]; [Best] is the fastest one that this processor
// runs. [Gemm], [Conv] and [Winograd] are the heavy work; Map, Sum, SGD and the like go along vectors; [Im2Col] and
// [Transpose] move. Large products are split over a [par.Pool] by their shape alone, so results have
// the same bits for any number of workers. Nothing allocates: scratch memory is the caller's.
//
// Denormals are flushed: read as zero of their sign, and so written. NaN and infinities
// propagate as in IEEE 754; no kernel skips zeros. An argument that is too short is a broken
// invariant of the caller and panics.
//
// Knows par. Never imports anything else of ours.
package simd

//go:generate go -C gen run . -dir ..
