package simd

import "unsafe"

// alignment is the slack, in elements, that aligns scratch memory to a cache line.
const alignment = 16

// aligned is s from a cache line on.
func aligned(s []float32) []float32 {
	return s[int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&63)/4:]
}

// add is p plus an offset in bytes.
func add[T Float](p *T, bytes int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// behind is what follows the first n elements, if anything.
func behind(v []float32, n int) []float32 { return v[min(n, len(v)):] }

// elem is the address of element i, or nil where there is none.
func elem(v []float32, i int) *float32 {
	if i >= len(v) {
		return nil
	}
	return &v[i]
}
