package vm

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// onHost tells the host's memory from a device's.
func onHost(m engine.Memory) bool { return m == engine.Memory(engine.Host{}) }

// deviceError is a failure of a device, for which no kernel is to blame.
type deviceError struct {
	device string
	err    error
}

// Error names the device.
func (e *deviceError) Error() string { return e.device + ": " + e.err.Error() }

// Unwrap returns what the device said.
func (e *deviceError) Unwrap() error { return e.err }

// failureOf returns err, unless it is nil, as a failure of m.
func failureOf(m engine.Memory, err error) error {
	if err == nil {
		return nil
	}
	return &deviceError{m.Name(), err}
}

// alloc returns memory of m, or an error that wraps [ErrMemory].
func alloc(m engine.Memory, bytes int, what string) (*engine.Region, error) {
	r, err := m.Alloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("vm: %w: %s, %s, in the memory of %s: %w", ErrMemory, what, amount(bytes), m.Name(), err)
	}
	return r, nil
}

// reserveIn is reserve in a memory.
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

// moved returns b, memory of the host that nobody else has; or, where m is a device's, a copy
// there.
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

// copied returns a copy of b, whosever memory it is, in that of the host.
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

// fill copies d, whatever its layout, into dst, whosever memory that is, in row-major order.
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

// holder is the value whose memory v is in: its root, or the leaf that this is computed into.
func (v *value) holder() *value {
	r := v.root()
	if r.into != nil {
		return r.into
	}
	return r
}

// A detour runs a kernel that takes buffers of the host where those of the program are a device's:
// on copies, which all detours of a plan make in the same memory.
type detour struct {
	memory engine.Memory
	kernel engine.Kernel
	call   engine.Call // on the copies
}

// detours reports whether in needs one.
func (p *Program) detours(in *instr) bool {
	return p.device && in.kind == compute && in.bound.Memory == nil
}

// run copies what c reads, runs the kernel, and copies what it has written.
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

// copies gives every memory that in works on a place among the copies, and its scratch one after
// them. Those of a packing, which are the input and scratch, begin where these do.
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

// copies is how much memory of the host the detours of p take.
func (p *plan) copies() (most int) {
	for _, in := range p.instrs {
		if p.prog.detours(in) {
			_, _, bytes := in.copies()
			most = max(most, bytes)
		}
	}
	return most
}

// detour makes the one for in, whose copies are in memory of the host.
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

// settle waits for what a device has begun, and returns what it and its kernels have to say: of
// several steps the first.
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

// complete runs the kernel and waits for it, for whoever looks at its results or its time.
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

// result returns output i where the host can read it.
func (s *step) result(i int) (engine.Buffer, error) {
	if s.device == nil {
		return s.call.Out[i], nil
	}
	return copied(s.call.Out[i], s.instr.out[i].typ, "a result")
}

// drop gives up the links from one on, and what is only theirs on a device.
func (m *Machine) drop(from int) {
	for _, l := range m.prepared[from:] {
		for _, r := range l.regions {
			r.Free()
		}
	}
	m.prepared = slices.Delete(m.prepared, from, len(m.prepared))
}
