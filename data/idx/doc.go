// Package idx reads files of the IDX format, in which MNIST and related databases are published:
// arrays of numbers after a short big-endian header.
//
//	2 bytes     0
//	1 byte      element type
//	1 byte      number of axes
//	4 bytes     extent, for each axis
//	data        row-major, big-endian
//
// A malformed file is one error; the reader never panics on it, nor allocates more than a small
// multiple of the bytes that it can read. Data are limited to [MaxBytes], and expanded files to a
// limit that grows with their compressed size.
//
// Knows nothing of ours. Never imports graph or an engine.
package idx
