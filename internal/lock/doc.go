// Package lock gives a file to one process at a time, and says to others which has it.
//
// The operating system keeps the locks (flock, LockFileEx), so that what a killed process leaves
// behind is a file without one, which the next to come takes over.
//
// Knows nothing of ours. Never imports anything but the standard library and, for Windows, x/sys.
package lock
