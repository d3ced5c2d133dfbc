// Package memlimit reports how much more memory this process may use, so that a program can refuse
// a large allocation with an error: an allocation that fails ends a Go process.
//
// Knows nothing of ours. Never imports anything but the standard library.
package memlimit
