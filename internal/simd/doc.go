// Package simd is the door to the arithmetic kernels of the cpu engine: on slices, in Go assembly
// for AVX2 and AVX-512, with twins in plain Go for every other processor.
//
// The kernels stand in rooms of their own below, which import one way:
//
//	abi <- isa <- window
//	gemm, vec, totals, random, pool  on isa
//	conv, winograd, interleaved    on window, gemm and vec
//	nhwc                           on window, gemm and winograd
//	attention                      on gemm and vec
//	quant                          on window
//
// A [Kernels] value is the table for one level, with a field for each room; [Best] is the table of
// the fastest level. What a room can do is asked of the room and not of the level, since plain Go
// stands in for a room that has nothing for a level. Large work is split over a par.Pool only by
// its shape, so results have the same bits for any number of workers. Nothing allocates: scratch
// memory is the caller's.
//
// Denormals are flushed: read as zero of their sign, and so written, where a room does not say
// otherwise. NaN and infinities propagate as in IEEE 754; no kernel skips zeros. An argument that
// is too short is a broken invariant of the caller and panics.
//
// Knows its rooms. Never imports anything else of ours.
package simd

//go:generate go -C gen run . -dir ..
