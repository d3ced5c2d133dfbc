// Package lock locks a file for one process at a time, and tells others which process holds the
// lock.
//
// The operating system holds the locks (flock, LockFileEx), so that a killed process leaves behind
// only an unlocked file, which the next process reuses.
//
// Knows nothing of ours. Never imports anything but the standard library and, for Windows, x/sys.
package lock
