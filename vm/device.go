package vm

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// onHost reports whether m is the host's memory rather than a device's.
func onHost(m engine.Memory) bool { return m == engine.Memory(engine.Host{}) }

// deviceError is a failure of a device that no kernel is responsible for.
type deviceError struct {
	device string
	err    error
}

// Error returns the name of the device and the error.
func (e *deviceError) Error() string { return e.device + ": " + e.err.Error() }

// Unwrap returns the error of the device.
func (e *deviceError) Unwrap() error { return e.err }

// failureOf returns err as a failure of m, or nil if err is nil.
func failureOf(m engine.Memory, err error) error {
	if err == nil {
		return nil
	}
	return &deviceError{m.Name(), err}
}

// alloc allocates memory in m, or returns an error that wraps [ErrMemory].
func alloc(m engine.Memory, bytes int, what string) (*engine.Region, error) {
	r, err := m.Alloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("vm: %w: %s, %s, in the memory of %s: %w", ErrMemory, what, amount(bytes), m.Name(), err)
	}
	return r, nil
}

// reserveIn is like reserve, in memory m.
func reserveIn(m engine.Memory, t shape.Type, what string) (engine.Buffer, error) {
	if onHost(m) {
		return reserve(t, what)
	}
	if err := fits(t); err != nil {
		return engine.Buffer{}, fmt.Errorf("vm: %s: %w", what, err)
	}
	r, err := alloc(m, t.Bytes(), what)
	if err != nil {
		return engine.Buffer{}, err
	}
	return r.At(0, t.DType, t.Len()), nil
}

// moved returns b if m is the host's memory, and a copy in m otherwise. b must be in host memory
// that nothing else uses.
func moved(m engine.Memory, b engine.Buffer, what string) (engine.Buffer, error) {
	if onHost(m) {
		return b, nil
	}
	r, err := alloc(m, b.Size(), what)
	if err != nil {
		return engine.Buffer{}, err
	}
	there := r.At(0, b.DType(), b.Len())
	err = m.Load(there, b.Bytes())
	if err == nil {
		err = m.Sync()
	}
	if err != nil {
		return there, fmt.Errorf("vm: %s: %w", what, failureOf(m, err))
	}
	return there, nil
}

// copied returns a copy of b, which may be in any memory, in host memory.
func copied(b engine.Buffer, t shape.Type, what string) (engine.Buffer, error) {
	c, err := reserve(t, what)
	if err != nil {
		return c, err
	}
	if err := b.Memory().Store(c.Bytes(), b); err != nil {
		return c, fmt.Errorf("vm: %s: %w", what, failureOf(b.Memory(), err))
	}
	return c, nil
}

// fill copies d, which may have any layout, in row-major order into dst, which may be in any
// memory.
func fill(dst engine.Buffer, t shape.Type, d *tensor.Dense) error {
	m := dst.Memory()
	if onHost(m) {
		return read(dst, d)
	}
	src := engine.BufferOfDense(d)
	if !engine.IsRowMajor(d) || src.Len() < dst.Len() {
		var err error
		if src, err = reserve(t, "a copy of it in row-major order"); err != nil {
			return err
		}
		if err := read(src, d); err != nil {
			return err
		}
	}
	return failureOf(m, m.Load(dst, src.Bytes()[:dst.Size()]))
}

// holder returns the value in whose memory v is: its root, or the leaf that the root is computed
// into.
func (v *value) holder() *value {
	r := v.root()
	if r.into != nil {
		return r.into
	}
	return r
}

// A detour runs a kernel that takes host buffers although the buffers of the program are on a
// device. It runs the kernel on copies; all detours of a plan use the same memory for their copies.
type detour struct {
	memory engine.Memory
	kernel engine.Kernel
	call   engine.Call // with the copies as arguments
}

// detours reports whether in needs a detour.
func (p *Program) detours(in *instr) bool {
	return p.device && in.kind == compute && in.bound.Memory == nil
}

// run copies the inputs of c to the host, runs the kernel, and copies the results back.
func (d *detour) run(c *engine.Call) error {
	for i, b := range c.In {
		if err := d.memory.Store(d.call.In[i].Bytes(), b); err != nil {
			return failureOf(d.memory, err)
		}
	}
	if err := d.kernel(&d.call); err != nil {
		return err
	}
	for i, b := range c.Out {
		if err := d.memory.Load(b, d.call.Out[i].Bytes()); err != nil {
			return failureOf(d.memory, err)
		}
	}
	return nil
}

// copies returns the offset of a copy for each root that in reads or writes, and the offset of its
// scratch after them. A packing, which needs only its input and scratch, uses the same offsets.
func (in *instr) copies() (places map[*value]int, scratch, bytes int) {
	places = map[*value]int{}
	for _, vs := range [][]*value{in.in, in.out} {
		for _, v := range vs {
			if _, has := places[v.holder()]; !has {
				places[v.holder()] = scratch
				scratch += align(v.typ.Bytes())
			}
		}
	}
	bytes = scratch + align(in.bound.Scratch)
	if k := in.bound.Packing; in.prepacked {
		bytes = max(bytes, align(in.in[k.In].typ.Bytes())+align(k.Scratch))
	}
	return places, scratch, bytes
}

// copies returns the size in bytes of the host memory that the detours of p need.
func (p *plan) copies() (most int) {
	for _, in := range p.instrs {
		if p.prog.detours(in) {
			_, _, bytes := in.copies()
			most = max(most, bytes)
		}
	}
	return most
}

// detour makes the detour of in. Its copies are in host memory.
func (m *Machine) detour(in *instr, copies *engine.Region, packed engine.Buffer) *detour {
	places, scratch, _ := in.copies()
	d := &detour{memory: m.prog.memory, kernel: in.bound.Kernel}
	at := func(v *value) engine.Buffer { return copies.At(places[v.holder()], v.typ.DType, v.typ.Len()) }
	for _, v := range in.in {
		d.call.In = append(d.call.In, at(v))
	}
	for _, v := range in.out {
		d.call.Out = append(d.call.Out, at(v))
	}
	d.call.Scratch, d.call.Packed = copies.At(scratch, shape.Uint8, in.bound.Scratch), packed
	return d
}

// load copies the tensor d for input i to the device.
func (m *Machine) load(l *prepared, i int, d *tensor.Dense) (engine.Buffer, error) {
	t := l.inputs[i]
	if !l.staging[i].Valid() {
		r, err := alloc(l.device, t.Bytes(), "a copy of it")
		if err != nil {
			return engine.Buffer{}, err
		}
		l.regions = append(l.regions, r)
		l.staging[i] = r.At(0, t.DType, t.Len())
	}
	return l.staging[i], fill(l.staging[i], t, d)
}

// settle waits for the device to finish what it has begun, and returns the errors of the device and
// its kernels; if several steps failed, that of the first.
func (l *prepared) settle(committed bool) error {
	if l.device == nil {
		return nil
	}
	failure := failureOf(l.device, l.device.Sync())
	var first error
	for i := range l.steps {
		if late := l.steps[i].call.Late(); late != nil && first == nil {
			first = l.steps[i].failed(late, committed)
		}
	}
	switch {
	case first != nil:
		return first
	case failure != nil && committed:
		return fmt.Errorf("vm: %w; the store holds a part of this step", failure)
	case failure != nil:
		return fmt.Errorf("vm: %w", failure)
	}
	return nil
}

// fetch copies the outputs from the device.
func (l *prepared) fetch() error {
	if l.device == nil {
		return nil
	}
	for i, b := range l.results {
		if err := l.device.Store(b.Bytes(), l.sources[i]); err != nil {
			return fmt.Errorf("vm: output %d: %w", i, failureOf(l.device, err))
		}
	}
	return nil
}

// complete runs the kernel and waits for it, for callers that look at its results or its time.
func (s *step) complete() error {
	if err := s.compute(); err != nil || s.device == nil {
		return err
	}
	err := failureOf(s.device, s.device.Sync())
	if late := s.call.Late(); late != nil {
		return late
	}
	return err
}

// result returns output i in memory that the host can read.
func (s *step) result(i int) (engine.Buffer, error) {
	if s.device == nil {
		return s.call.Out[i], nil
	}
	return copied(s.call.Out[i], s.instr.out[i].typ, "a result")
}

// drop drops the links from index from on, and frees device memory that only they use.
func (m *Machine) drop(from int) {
	for _, l := range m.prepared[from:] {
		for _, r := range l.regions {
			r.Free()
		}
	}
	m.prepared = slices.Delete(m.prepared, from, len(m.prepared))
}
