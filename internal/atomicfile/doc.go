// Package atomicfile writes files so that a reader finds either the old or the new content,
// complete, even if the writer is interrupted at any point.
//
// Knows internal/regular. Never imports anything else but the standard library.
package atomicfile
