// Package idx reads files of the IDX format, in which MNIST and its relatives are
// published: arrays of numbers behind a short big-endian header.
//
//	2 bytes     0
//	1 byte      element type
//	1 byte      number of axes
//	4 bytes     extent, for each axis
//	data        row-major, big-endian
//
// A file that is malformed in any way is one error; it never makes the reader panic or
// allocate more than a small multiple of what is there to read. There are at most [MaxBytes] of
// data, and compressed files have a bound that grows with their size.
//
// Knows nothing of ours. Never imports graph or an engine.
package idx
