// Package npy reads and writes arrays as NumPy does, in .npy files of the versions 1.0 to 3.0.
//
// Knows shape, internal/atomicfile and internal/regular. Never imports anything else of ours.
package npy
