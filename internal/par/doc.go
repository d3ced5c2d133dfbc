// Package par runs loops on a pool of worker goroutines, for kernels that take a few microseconds:
// a fork and join takes well under one microsecond and does not allocate.
//
// The chunks of a loop depend only on its length and grain, never on the number of workers,
// GOMAXPROCS or timing. A body that computes each output inside one chunk, in an order fixed by
// that chunk, therefore gives the same bits for any schedule.
//
// [Free] keeps the memory of such kernels between runs.
//
// Knows internal/rescue. Never imports anything else of ours.
package par
