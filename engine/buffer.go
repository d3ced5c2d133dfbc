package engine

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/shape"
)

// Buffer is typed memory: a view of n elements in row-major order, which keeps the memory alive.
// [Slice] and Bytes access memory of the host. Memory of a device has only a [Handle] and an
// offset, with which the device's kernels find it. The zero Buffer is not Valid.
type Buffer struct {
	p      unsafe.Pointer // on the host
	device *block
	offset int // in the block, in bytes
	n      int
	dt     shape.DType
}

// BufferOf returns the Buffer that views s.
func BufferOf[T shape.Elem](s []T) Buffer {
	return Buffer{p: unsafe.Pointer(unsafe.SliceData(s)), n: len(s), dt: shape.DTypeOf[T]()}
}

// BufferAt returns the Buffer of n elements of type d at the start of mem, which must be large
// enough and aligned for d.
func BufferAt(mem []byte, d shape.DType, n int) Buffer {
	if n*d.Width() > len(mem) {
		panic(fmt.Sprintf("engine: %d bytes cannot hold %d elements of %v", len(mem), n, d))
	}
	p := unsafe.Pointer(unsafe.SliceData(mem))
	if uintptr(p)%uintptr(max(d.Width(), 1)) != 0 {
		panic(fmt.Sprintf("engine: memory is not aligned for %v", d))
	}
	return Buffer{p: p, n: n, dt: d}
}

// Slice returns b's elements. It panics if T is not the Go type of b's element type, or if b is
// memory of a device.
func Slice[T shape.Elem](b Buffer) []T {
	if b.device != nil || b.dt != shape.DTypeOf[T]() {
		panic(b.refusal(shape.DTypeOf[T]()))
	}
	return unsafe.Slice((*T)(b.p), b.n)
}

// refusal returns the reason why b cannot be read as d.
func (b Buffer) refusal(d shape.DType) string {
	if b.device != nil {
		return fmt.Sprintf("engine: a %v buffer in the memory of %s was read by the host; see engine.Device", b.dt, b.device.memory.Name())
	}
	return fmt.Sprintf("engine: a %v buffer was read as %v", b.dt, d)
}

// Bytes returns b's memory. It panics if that belongs to a device.
func (b Buffer) Bytes() []byte {
	if b.device != nil {
		panic(b.refusal(b.dt))
	}
	return unsafe.Slice((*byte)(b.p), b.n*b.dt.Width())
}

// At returns the Buffer of n elements of type d at a byte offset in b. They must be inside b and
// aligned for d.
func (b Buffer) At(offset int, d shape.DType, n int) Buffer {
	if b.device == nil {
		return BufferAt(b.Bytes()[offset:], d, n)
	}
	if offset < 0 || n < 0 || offset+n*d.Width() > b.Size() {
		panic(fmt.Sprintf("engine: a buffer of %d bytes has no %d elements of %v at byte %d", b.Size(), n, d, offset))
	}
	r := Region{device: b.device}
	return r.At(b.offset+offset, d, n)
}

// Memory returns the memory that b is in.
func (b Buffer) Memory() Memory {
	if b.device == nil {
		return Host{}
	}
	return b.device.memory
}

// Handle returns the device's handle of the region that b is in, and the offset of b in it. On the
// host both are 0.
func (b Buffer) Handle() (h Handle, offset int) {
	if b.device == nil {
		return 0, 0
	}
	return b.device.handle, b.offset
}

// Valid reports whether b is a buffer, unlike the zero Buffer.
func (b Buffer) Valid() bool { return b.dt != shape.Invalid }

// Size returns the number of bytes.
func (b Buffer) Size() int { return b.n * b.dt.Width() }

// Overlaps reports whether b shares memory with mem, which is host memory.
func (b Buffer) Overlaps(mem []byte) bool {
	from, to := uintptr(b.p), uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	return b.device == nil && from < to+uintptr(len(mem)) && to < from+uintptr(b.Size())
}

// Len returns the number of elements.
func (b Buffer) Len() int { return b.n }

// DType returns the element type.
func (b Buffer) DType() shape.DType { return b.dt }

const (
	lineBytes = 64      // a cache line
	pageBytes = 2 << 20 // a huge page

	// manyPages is the size from which address translation takes a noticeable part of the time.
	manyPages = 2 * pageBytes
)

// Aligned returns n bytes of zeroed memory aligned to 64 bytes. From 4 MiB on it is aligned to 2
// MiB, and the system is asked to use pages of that size if it has them.
func Aligned(n int) []byte {
	if n < manyPages {
		return aligned(n, lineBytes)
	}
	mem := aligned(n, pageBytes)
	adviseHuge(mem)
	return mem
}

func aligned(n, to int) []byte {
	mem := make([]byte, n+to)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(mem))) & uintptr(to-1))
	return mem[off : off+n : off+n]
}
