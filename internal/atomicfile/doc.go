// Package atomicfile writes files so that a reader finds the old content or the new one,
// whole, whenever the writer is interrupted.
//
// Knows internal/regular. Never imports anything else but the standard library.
package atomicfile
