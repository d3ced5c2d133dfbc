// Package vec computes along vectors of float32: elementwise functions, sums, the gates of recurrent
// cells, and what lies between float32 and bool.
//
// Knows abi, isa and internal/elementary. Never imports anything else of ours.
package vec
