// Package memlimit tells how much more memory this process may have, so that one who is about to
// ask for much can refuse in words: an allocation that fails ends a Go process.
//
// Knows nothing of ours. Never imports anything but the standard library.
package memlimit
