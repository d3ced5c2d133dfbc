package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
)

// Device is an engine with a memory of its own, as a graphics card has, for tests of code that runs
// programs. It computes the same as ref, in the most inconvenient way that an [engine.Device] may.
// Its handles are not addresses, so that the host cannot access the memory. New memory contains
// garbage. Kernels and copies return immediately, and are executed later, in order, on another
// goroutine, when somebody waits for them.
type Device struct {
	ref.Engine
	own    []string
	memory *deviceMemory
}

var (
	_ engine.Device = (*Device)(nil)
	_ engine.Memory = (*deviceMemory)(nil)
)

// NewDevice returns a Device with the given number of bytes of memory. Kernels with the given
// names, such as "MatMul" for that of BindMatMul, are its own; without names, all are. Other
// kernels are those of ref, on the host. The caller must call Close.
func NewDevice(bytes int, own ...string) *Device {
	m := &deviceMemory{limit: bytes, blocks: map[engine.Handle][]byte{}, work: make(chan []func()), done: make(chan struct{})}
	go m.serve()
	return &Device{own: own, memory: m}
}

// Name implements [engine.Engine].
func (*Device) Name() string { return "device" }

// Memory implements [engine.Device].
func (d *Device) Memory() engine.Memory { return d.memory }

// Close executes pending work and ends the goroutine. Starting work after that is an error.
func (d *Device) Close() { d.memory.close() }

// Allocated returns the total number of bytes allocated so far.
func (d *Device) Allocated() int { return d.memory.count(&d.memory.allocated) }

// Freed returns how many of the allocated bytes have been freed.
func (d *Device) Freed() int { return d.memory.count(&d.memory.freed) }

// Pending returns the number of kernels and copies that were started but not executed.
func (d *Device) Pending() int {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	return len(d.memory.queue)
}

// deviceMemory executes work on a goroutine, which owns the blocks.
type deviceMemory struct {
	limit  int
	blocks map[engine.Handle][]byte
	work   chan []func()
	done   chan struct{}

	drain sync.Mutex // held while waiting

	mu               sync.Mutex // protects the fields below
	queue            []func()
	last             engine.Handle
	allocated, freed int
	failure          error // of a copy
	closed           bool
}

var errClosed = errors.New("the device is closed")

func (m *deviceMemory) serve() {
	for jobs := range m.work {
		for _, job := range jobs {
			job()
		}
		m.done <- struct{}{}
	}
	close(m.done)
}

func (m *deviceMemory) count(bytes *int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *bytes
}

// begin queues job.
func (m *deviceMemory) begin(job func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	m.queue = append(m.queue, job)
	return nil
}

// wait returns when all queued work is done.
func (m *deviceMemory) wait() {
	m.drain.Lock()
	defer m.drain.Unlock()
	m.mu.Lock()
	jobs := m.queue
	m.queue = nil
	m.mu.Unlock()
	if len(jobs) > 0 {
		m.work <- jobs
		<-m.done
	}
}

func (m *deviceMemory) close() {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	m.mu.Unlock()
	if !closed {
		m.wait()
		close(m.work)
		<-m.done
	}
}

// Name implements [engine.Memory].
func (m *deviceMemory) Name() string { return "a device" }

// Alloc implements [engine.Memory].
func (m *deviceMemory) Alloc(n int) (*engine.Region, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if left := m.limit - (m.allocated - m.freed); n < 0 || n > left {
		return nil, fmt.Errorf("%d bytes are left of %d", left, m.limit)
	}
	if m.closed {
		return nil, errClosed
	}
	m.last++
	h := m.last
	m.allocated += n
	m.queue = append(m.queue, func() {
		mem := engine.Aligned(n)
		for i := range mem {
			mem[i] = canary
		}
		m.blocks[h] = mem
	})
	return engine.NewRegion(m, h, n, func() { m.free(h, n) }), nil
}

func (m *deviceMemory) free(h engine.Handle, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freed += n
	m.queue = append(m.queue, func() { delete(m.blocks, h) })
}

// Load implements [engine.Memory].
func (m *deviceMemory) Load(dst engine.Buffer, src []byte) error {
	kept := bytes.Clone(src)
	return m.begin(func() {
		to, err := m.view(dst)
		if m.fits(err, to, len(kept)) {
			copy(to.Bytes(), kept)
		}
	})
}

// Store implements [engine.Memory].
func (m *deviceMemory) Store(dst []byte, src engine.Buffer) error {
	var result error
	err := m.begin(func() {
		from, err := m.view(src)
		if err == nil && from.Size() != len(dst) {
			err = fmt.Errorf("%d bytes are not %d", from.Size(), len(dst))
		}
		if result = err; err == nil {
			copy(dst, from.Bytes())
		}
	})
	if err != nil {
		return err
	}
	m.wait()
	return result
}

// Copy implements [engine.Memory].
func (m *deviceMemory) Copy(dst, src engine.Buffer) error {
	return m.begin(func() {
		to, err := m.view(dst)
		from, e := m.view(src)
		if m.fits(errors.Join(err, e), to, from.Size()) {
			copy(to.Bytes(), from.Bytes())
		}
	})
}

// Sync implements [engine.Memory].
func (m *deviceMemory) Sync() error {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.failure
	m.failure = nil
	if m.closed {
		err = errors.Join(err, errClosed)
	}
	return err
}

// fits reports whether n bytes can be copied to a buffer. If not, Sync returns the reason.
func (m *deviceMemory) fits(err error, to engine.Buffer, n int) bool {
	if err == nil && to.Size() != n {
		err = fmt.Errorf("%d bytes are not %d", n, to.Size())
	}
	if err == nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failure = errors.Join(m.failure, err)
	return false
}

// view returns the device's memory for b.
func (m *deviceMemory) view(b engine.Buffer) (engine.Buffer, error) {
	if !b.Valid() {
		return b, nil
	}
	h, offset := b.Handle()
	mem, ok := m.blocks[h]
	switch {
	case b.Memory() != engine.Memory(m):
		return b, fmt.Errorf("the device was given a buffer in the memory of %s", b.Memory().Name())
	case !ok:
		return b, fmt.Errorf("the device has no memory %d, or it was freed", h)
	}
	return engine.BufferAt(mem[offset:][:b.Size()], b.DType(), b.Len()), nil
}

// call returns c with the device's memory in place of handles.
func (m *deviceMemory) call(c *engine.Call) (there engine.Call, err error) {
	view := func(b engine.Buffer) engine.Buffer {
		v, e := m.view(b)
		err = errors.Join(err, e)
		return v
	}
	for _, b := range c.In {
		there.In = append(there.In, view(b))
	}
	for _, b := range c.Out {
		there.Out = append(there.Out, view(b))
	}
	there.Scratch, there.Packed = view(c.Scratch), view(c.Packed)
	return there, err
}

// kernel returns a kernel that queues k.
func (m *deviceMemory) kernel(k engine.Kernel) engine.Kernel {
	return func(c *engine.Call) error {
		_ = m.begin(func() { // Sync reports it if the memory is closed
			defer func() {
				if v := recover(); v != nil {
					c.Fail(fmt.Errorf("panic: %v", v))
				}
			}()
			there, err := m.call(c)
			if err == nil {
				err = k(&there)
			}
			if err != nil {
				c.Fail(err)
			}
		})
		return nil
	}
}

// bound replaces a kernel of ref by one of the device, if that is among the device's own.
func (d *Device) bound(name string) func(engine.Bound, error) (engine.Bound, error) {
	return func(b engine.Bound, err error) (engine.Bound, error) {
		if err != nil || len(d.own) > 0 && !slices.Contains(d.own, name) {
			return b, err
		}
		b.Kernel, b.Memory, b.By = d.memory.kernel(b.Kernel), d.memory, d.Name()
		return b, nil
	}
}

// BindMatMul implements [engine.MatMuler]. The second matrix may be packed; the packed form is a
// copy.
func (d *Device) BindMatMul(p engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := d.Engine.BindMatMul(p, in, out)
	if err != nil {
		return b, err
	}
	k := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		if c.Packed.Valid() {
			c.In[1] = c.Packed.At(0, in[1].DType, in[1].Len())
		}
		return k(c)
	}
	b, err = d.bound("MatMul")(b, nil)
	if b.Memory != nil {
		b.Packing = engine.Packing{In: 1, Bytes: in[1].Bytes(), Rest: b.Scratch, Form: in[1].DType, Kernel: d.memory.kernel(func(c *engine.Call) error {
			copy(c.Out[0].Bytes(), c.In[0].Bytes())
			return nil
		})}
	}
	return b, err
}
