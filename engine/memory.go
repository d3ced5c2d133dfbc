package engine

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/plexaura/plexaura/shape"
)

// Memory is where an engine keeps values: in the host's memory, which Go code can access, or in
// that of a device, which only kernels can. It must be comparable and safe for concurrent use.
//
// A device may work asynchronously: Load, Copy and kernels may return before they have done
// anything. The effect is as if work were done in the order in which it was started, by any
// goroutine. Store and Sync wait for earlier work.
type Memory interface {
	// Name returns the name for messages: "host", "gpu 0".
	Name() string
	// Alloc allocates memory with arbitrary content, aligned to 64 bytes. The error says how much
	// is available.
	Alloc(bytes int) (*Region, error)
	// Load copies src, host memory, into dst, which has the same number of bytes. The caller may
	// change src after Load returns.
	Load(dst Buffer, src []byte) error
	// Store copies src into dst, host memory with the same number of bytes. The copy is complete
	// when it returns.
	Store(dst []byte, src Buffer) error
	// Copy copies src into dst, which has the same number of bytes. Both are in this Memory, and
	// are either the same or do not overlap.
	Copy(dst, src Buffer) error
	// Sync waits for all work started before. Kernels have then reported their errors by Call.Fail;
	// the error of Sync is that of the device.
	Sync() error
}

// A Device is an engine with a memory of its own.
//
// Kernels with buffers in this memory have it as their Bound.Memory. Others, such as those taken
// from engine/ref by embedding ref.Engine, or those of a user's op, have buffers on the host: the
// caller runs them on copies and copies the results back. A Device can therefore start with a few
// kernels.
//
// A Device that has resources to free, such as a goroutine, should have a Close method. Whoever
// made the Device calls it after the last run.
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

// Host is the memory that Go code can access. It is allocated zeroed, and freed by the garbage
// collector. Its methods are synchronous and panic for buffers of a device.
type Host struct{}

// Name implements [Memory] and returns "host".
func (Host) Name() string { return "host" }

// Alloc implements [Memory] using [Aligned].
func (Host) Alloc(bytes int) (*Region, error) {
	if bytes < 0 {
		return nil, fmt.Errorf("engine: %d bytes of memory cannot be allocated", bytes)
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

// Handle is a device's identification of a region of its memory: any number, such as an address.
type Handle uint64

// A Region is one allocation of memory. A nil Region is one of zero bytes on the host.
type Region struct {
	host   []byte
	device *block // nil on the host
}

// block is an allocation in a device's memory.
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

// NewRegion returns a Region of the given size in m, a device's memory, with handle h. free must
// free the memory after earlier work is done. It is called once: by Region.Free or, when neither
// the Region nor a Buffer in it is reachable, on a goroutine of the runtime, where it must not
// block for long.
func NewRegion(m Memory, h Handle, bytes int, free func()) *Region {
	b := &block{memory: m, handle: h, bytes: bytes, free: free}
	if free != nil {
		b.cleanup = runtime.AddCleanup(b, func(free func()) { free() }, free)
	}
	return &Region{device: b}
}

// Len returns the number of bytes.
func (r *Region) Len() int {
	switch {
	case r == nil:
		return 0
	case r.device != nil:
		return r.device.bytes
	}
	return len(r.host)
}

// Bytes returns the memory, which must be the host's. It panics if it is a device's.
func (r *Region) Bytes() []byte { return r.At(0, shape.Uint8, r.Len()).Bytes() }

// Free frees a device's memory. Buffers in it must not be used any more. On the host it does
// nothing: the garbage collector frees memory that is not reachable.
func (r *Region) Free() {
	if r == nil || r.device == nil || r.device.free == nil || r.device.freed.Swap(true) {
		return
	}
	r.device.cleanup.Stop()
	r.device.free()
}

// At returns the Buffer of n elements of type d at a byte offset. They must be inside the region
// and aligned for d.
func (r *Region) At(offset int, d shape.DType, n int) Buffer {
	if r == nil || r.device == nil {
		var mem []byte
		if r != nil {
			mem = r.host
		}
		return BufferAt(mem[offset:], d, n)
	}
	if offset < 0 || n < 0 || offset+n*d.Width() > r.device.bytes || offset%max(d.Width(), 1) != 0 {
		panic(fmt.Sprintf("engine: a region of %d bytes has no %d elements of %v at byte %d", r.device.bytes, n, d, offset))
	}
	return Buffer{device: r.device, offset: offset, n: n, dt: d}
}

// Hosted returns b as a kernel with buffers on the host. If b is a kernel of a device, it allocates
// memory there, copies inputs and results, and waits. It is meant for values that are computed
// once, and for tests.
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

// visit holds the device memory of one call. Buffers that share memory on the host also share it
// there.
type visit struct {
	from, to []Buffer
	regions  []*Region
	err      error
}

// space returns memory on the device for b.
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

// load is like space, and copies b's content.
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
