package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

const (
	fence  = 128  // bytes of canary on either side of a buffer
	canary = 0x5A // their value
)

// layout describes the placement of the buffers of a call.
type layout struct {
	skew int   // number of elements by which inputs and outputs are misaligned
	dirt byte  // initial content of outputs and scratch
	over []int // for each output, the input that it overwrites, or -1; nil for none
	same []int // for each input, the input whose memory it shares, itself or an earlier one; nil for none

	guard guard
}

// guard says at which end buffers adjoin memory that must not even be read.
type guard uint8

const (
	noGuard guard = iota
	guardAfter
	guardBefore
)

// memory is a call whose buffers are between canaries.
type memory struct {
	call   engine.Call
	layout layout
	fences [][]byte
	free   []func()
}

func (p *probe) memory(l layout) *memory {
	m := &memory{layout: l}
	for i, b := range p.inputs {
		if l.same != nil && l.same[i] != i {
			m.call.In = append(m.call.In, m.call.In[l.same[i]])
			continue
		}
		in := m.buffer(p.in[i], l.skew, canary)
		copy(in.Bytes(), b.Bytes())
		m.call.In = append(m.call.In, in)
	}
	for i, t := range p.out {
		if k := m.over(i); k >= 0 {
			m.call.Out = append(m.call.Out, engine.BufferAt(m.call.In[k].Bytes(), t.DType, t.Len()))
			continue
		}
		m.call.Out = append(m.call.Out, m.buffer(t, l.skew, l.dirt))
	}
	m.call.Scratch = m.buffer(shape.U8(shape.Dim(p.bound.Scratch)), 0, l.dirt)
	return m
}

// release frees memory that is not garbage collected. The buffers become invalid.
func (m *memory) release() {
	for _, f := range m.free {
		f()
	}
}

// over returns the input that output o overwrites, or -1.
func (m *memory) over(o int) int {
	if m.layout.over == nil {
		return -1
	}
	return m.layout.over[o]
}

// source returns the input whose memory input i shares.
func (m *memory) source(i int) int {
	if i < 0 || m.layout.same == nil {
		return i
	}
	return m.layout.same[i]
}

// buffer makes a buffer with canaries or guards before and after it, filled with a byte.
func (m *memory) buffer(t shape.Type, skew int, dirt byte) engine.Buffer {
	if m.layout.guard != noGuard {
		return m.guarded(t, dirt)
	}
	start := fence + skew*t.Width()
	end := start + t.Bytes()
	mem := engine.Aligned(end + fence)
	for i := range mem {
		mem[i] = canary
	}
	m.fences = append(m.fences, mem[:start], mem[end:])
	own := mem[start:end:end]
	for i := range own {
		own[i] = dirt
	}
	return engine.BufferAt(own, t.DType, t.Len())
}

// guarded makes a buffer that adjoins a guard. Bytes, used for scratch memory, are aligned to 64,
// with canaries up to the guard.
func (m *memory) guarded(t shape.Type, dirt byte) engine.Buffer {
	const align = 64
	n := t.Bytes()
	size := n
	if t.DType == shape.Uint8 {
		size = (n + align - 1) / align * align
	}
	mem, free, err := guarded(size, m.layout.guard == guardAfter)
	if err != nil {
		panic(fmt.Sprintf("enginetest: no memory for %v: %v", t, err))
	}
	m.free = append(m.free, free)
	for i := range mem {
		mem[i] = dirt
		if i >= n {
			mem[i] = canary
		}
	}
	m.fences = append(m.fences, mem[n:])
	return engine.BufferAt(mem[:n:n], t.DType, t.Len())
}

// run calls the kernel once. A panic becomes an error, so that the other trials continue. So does a
// fault, unless it is in a goroutine of the kernel.
func (m *memory) run(k engine.Kernel) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	err = k(&m.call)
	if tiny := m.tiny(); tiny*0x1p-40 == 0 {
		return errors.New("it left the processor in a mode that takes denormals for zeros")
	}
	return err
}

// tiny returns a number whose fractions are denormal, hidden from the compiler.
func (m *memory) tiny() float32 { return math.Float32frombits(uint32(27+len(m.fences)%2) << 23) }

// check reports writes to memory that is not an output.
func (m *memory) check(inputs []engine.Buffer) error {
	for _, f := range m.fences {
		if bytes.Count(f, []byte{canary}) != len(f) {
			return errors.New("it wrote beyond a buffer")
		}
	}
	written := map[int]bool{}
	for o := range m.call.Out {
		written[m.source(m.over(o))] = true
	}
	for i, b := range m.call.In {
		if !written[m.source(i)] && !bytes.Equal(b.Bytes(), inputs[i].Bytes()) {
			return fmt.Errorf("it wrote to input %d", i)
		}
	}
	return nil
}

// results copies the outputs.
func (m *memory) results() [][]byte {
	var all [][]byte
	for _, b := range m.call.Out {
		all = append(all, bytes.Clone(b.Bytes()))
	}
	return all
}
