// Package dist says what a group of cooperating processes is, and sums vectors over one so that the
// bits do not depend on the number of processes.
//
// A [Group] has ranks 0 to Size-1, each with its own value of the interface, and operations that all
// ranks take part in. dist/mpi makes a group of the processes that mpiexec or a cluster's launcher
// started, dist/local one of goroutines, and [Single] is a group of one:
//
//	mean := []float64{loss}
//	err := dist.Sum(ctx, group, mean)
//	mean[0] /= float64(group.Size())
//
// Sum leaves the order of the additions to the library, so another number of ranks gives other
// bits. A [Reducer] adds in a fixed tree over a number of shards that the caller chooses; the same
// shards give the same bits on any number of ranks that divides theirs.
//
// Knows shape, which rounds to bfloat16, and internal/simd, whose package vec adds vectors. Never imports anything else of ours: a
// group carries bytes and numbers, and knows no tensor, graph or model.
package dist
