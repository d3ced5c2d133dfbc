// Package disttest checks that an implementation of dist.Group does what the interface promises.
// [Check] runs on every rank, in a test's goroutines or in processes that a launcher started, and
// compares with results that each rank computes by itself.
//
// Knows dist and internal/isnil. Never imports an implementation.
package disttest
