// Package atomicfile writes files so that a reader finds the old content or the new one,
// whole, whenever the writer is interrupted.
//
// Knows nothing of ours. Never imports anything but the standard library.
package atomicfile
