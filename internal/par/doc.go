// Package par splits loops over a pool of worker goroutines, for kernels of a few
// microseconds: a fork and a join cost well under one, and allocate nothing.
//
// The chunks of a loop depend only on its length and grain, never on the number of
// workers, GOMAXPROCS or timing. A body that computes each output inside one chunk, in an
// order fixed by that chunk, therefore gives the same bits however it is scheduled.
//
// [Free] keeps what such a kernel works with from one run to the next.
//
// Knows internal/rescue. Never imports anything else of ours.
package par
