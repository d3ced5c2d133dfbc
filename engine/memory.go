package engine

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/plexaura/plexaura/shape"
)

// Memory is where an engine keeps values: the host's, which Go reads and writes, or that of a
// device, which only kernels do. It is comparable and safe for use by many goroutines.
//
// A device may work behind the calls: Load, Copy and kernels may return before they have done
// anything. Work is done as if in the order in which it was begun, by whichever goroutines, and
// Store and Sync wait for what was begun before.
type Memory interface {
	// Name is what messages call it: "host", "gpu 0".
	Name() string
	// Alloc returns so many bytes, which hold anything, aligned to 64. The error says how many
	// there are.
	Alloc(bytes int) (*Region, error)
	// Load copies src, host memory, into dst, which has as many bytes. The caller may change src
	// when it returns.
	Load(dst Buffer, src []byte) error
	// Store copies src into dst, host memory of as many bytes. The bytes are there when it returns.
	Store(dst []byte, src Buffer) error
	// Copy copies src into dst, which has as many bytes. Both are of this Memory, and are the same
	// or apart.
	Copy(dst, src Buffer) error
	// Sync waits for all work that was begun before. What kernels have to say is by then told by
	// Call.Fail; its own error is that of the device.
	Sync() error
}

// A Device is an engine with a memory of its own.
//
// Its kernels that take buffers of this memory have it as their Bound.Memory. Others, such as
// those it takes from engine/ref by embedding ref.Engine, or those of a user's op, take buffers of
// the host: whoever runs them gives them copies, and copies their results back. So a device may
// begin with a few kernels.
//
// What a device has to give back, such as a goroutine, it gives back in a Close of its own, which
// is for whoever made it to call, after the last run.
type Device interface{ Memory() Memory }

// MemoryOf returns the memory of e: its own if it is a [Device], or else [Host].
func MemoryOf(e Engine) Memory {
	if d, ok := e.(Device); ok {
		if m := d.Memory(); m != nil {
			return m
		}
	}
	return Host{}
}

// Host is the memory that Go reads and writes. What is allocated is zeroed, and the garbage
// collector frees it. Its methods have done their work when they return, and panic on buffers of a
// device.
type Host struct{}

// Name implements [Memory]: "host".
func (Host) Name() string { return "host" }

// Alloc implements [Memory] by [Aligned].
func (Host) Alloc(bytes int) (*Region, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("engine: %d bytes of memory cannot be had", bytes)
	}
	return HostRegion(Aligned(bytes)), nil
}

// Load implements [Memory].
func (Host) Load(dst Buffer, src []byte) error { copy(dst.Bytes(), src); return nil }

// Store implements [Memory].
func (Host) Store(dst []byte, src Buffer) error { copy(dst, src.Bytes()); return nil }

// Copy implements [Memory].
func (Host) Copy(dst, src Buffer) error { copy(dst.Bytes(), src.Bytes()); return nil }

// Sync implements [Memory].
func (Host) Sync() error { return nil }

// Handle is what a device calls a region of its memory: any number, such as an address there.
type Handle uint64

// A Region is memory that was allocated as one. A nil Region is one of no bytes on the host.
type Region struct {
	host   []byte
	device *block // nil on the host
}

// block is a device's memory.
type block struct {
	memory  Memory
	handle  Handle
	bytes   int
	free    func()
	freed   atomic.Bool
	cleanup runtime.Cleanup
}

// HostRegion returns the Region that views mem.
func HostRegion(mem []byte) *Region { return &Region{host: mem} }

// NewRegion returns a Region of so many bytes of m, a device's memory, which calls it h. Free
// gives them back, after the work that was begun before. It is called once: by Region.Free, or
// else on a goroutine of the runtime, where it must not wait long, when neither the Region nor a
// Buffer in it can be reached.
func NewRegion(m Memory, h Handle, bytes int, free func()) *Region {
	b := &block{memory: m, handle: h, bytes: bytes, free: free}
	if free != nil {
		b.cleanup = runtime.AddCleanup(b, func(free func()) { free() }, free)
	}
	return &Region{device: b}
}

// Len is the number of bytes.
func (r *Region) Len() int {
	switch {
	case r == nil:
		return 0
	case r.device != nil:
		return r.device.bytes
	}
	return len(r.host)
}

// Bytes returns the memory, the host's. It panics where that is a device's.
func (r *Region) Bytes() []byte { return r.At(0, shape.Uint8, r.Len()).Bytes() }

// Free gives a device's memory back. No Buffer in it may be used any more. On the host it does
// nothing: the garbage collector knows when nobody views the memory.
func (r *Region) Free() {
	if r == nil || r.device == nil || r.device.free == nil || r.device.freed.Swap(true) {
		return
	}
	r.device.cleanup.Stop()
	r.device.free()
}

// At returns the Buffer of n elements of type d from a byte on, which must be in the region and
// aligned for d.
func (r *Region) At(offset int, d shape.DType, n int) Buffer {
	if r == nil || r.device == nil {
		var mem []byte
		if r != nil {
			mem = r.host
		}
		return BufferAt(mem[offset:], d, n)
	}
	if offset < 0 || n < 0 || offset+n*d.Width() > r.device.bytes || offset%max(d.Width(), 1) != 0 {
		panic(fmt.Sprintf("engine: a region of %d bytes has no %d of %v at %d", r.device.bytes, n, d, offset))
	}
	return Buffer{device: r.device, offset: offset, n: n, dt: d}
}

// Hosted returns b as a kernel that takes buffers of the host. For one that takes those of a
// device it allocates memory there, copies inputs and results, and waits: it is for what is
// computed once, and for tests.
func Hosted(b Bound) Bound {
	m := b.Memory
	if m == nil || m == Memory(Host{}) {
		return b
	}
	b.Memory, b.Kernel = nil, hosted(m, b.Kernel)
	if b.Packing.Kernel != nil {
		b.Packing.Kernel = hosted(m, b.Packing.Kernel)
	}
	return b
}

func hosted(m Memory, k Kernel) Kernel {
	return func(c *Call) error {
		var v visit
		defer v.leave()
		there := Call{Scratch: v.space(m, c.Scratch), Packed: v.load(m, c.Packed)}
		for _, b := range c.In {
			there.In = append(there.In, v.load(m, b))
		}
		for _, b := range c.Out {
			there.Out = append(there.Out, v.space(m, b))
		}
		if v.err != nil {
			return v.err
		}
		err := k(&there)
		if e := m.Sync(); err == nil {
			err = e
		}
		if late := there.Late(); err == nil {
			err = late
		}
		for i := 0; i < len(c.Out) && err == nil; i++ {
			err = m.Store(c.Out[i].Bytes(), there.Out[i])
		}
		return err
	}
}

// visit is what a call takes to a device. Buffers that are one memory on the host are one there.
type visit struct {
	from, to []Buffer
	regions  []*Region
	err      error
}

// space returns memory on the device in place of b.
func (v *visit) space(m Memory, b Buffer) Buffer {
	for i, x := range v.from {
		if x.p == b.p && x.Size() == b.Size() && b.n > 0 {
			return v.to[i].At(0, b.dt, b.n)
		}
	}
	if v.err != nil || !b.Valid() {
		return b
	}
	r, err := m.Alloc(b.Size())
	if err != nil {
		v.err = err
		return b
	}
	v.regions = append(v.regions, r)
	v.from, v.to = append(v.from, b), append(v.to, r.At(0, b.dt, b.n))
	return v.to[len(v.to)-1]
}

// load is space that holds what b does.
func (v *visit) load(m Memory, b Buffer) Buffer {
	to := v.space(m, b)
	if v.err == nil && b.n > 0 {
		v.err = m.Load(to, b.Bytes())
	}
	return to
}

func (v *visit) leave() {
	for _, r := range v.regions {
		r.Free()
	}
}
