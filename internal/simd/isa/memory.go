package isa

import "unsafe"

// Alignment is the slack, in elements, that aligns scratch memory to a cache line.
const Alignment = 16

// Aligned is s from a cache line on.
func Aligned(s []float32) []float32 {
	return s[int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&63)/4:]
}

// Add is p plus an offset in bytes.
func Add[T Float](p *T, bytes int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// Behind is what follows the first n elements, if anything.
func Behind(v []float32, n int) []float32 { return v[min(n, len(v)):] }

// Elem is the address of element i, or nil where there is none.
func Elem[T any](v []T, i int) *T {
	if i >= len(v) {
		return nil
	}
	return &v[i]
}
