package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// limit is how far an element may be from ref's, as the sum of three terms in units in the last
// place (2^-23 or 2^-52). With the zero limit the number must be exact, including the sign of zero;
// any NaN equals any other.
type limit struct {
	result float64 // of the result
	terms  float64 // of ref's result for the magnitudes of all inputs: allows for cancellation
	one    float64 // of 1
	bits   bool    // instead: every bit must be equal, including NaN and denormals
}

// candidate is an acceptable result, and ref's result for the magnitudes of the inputs.
type candidate struct{ want, size []engine.Buffer }

// candidates computes the acceptable results for the given inputs.
func (tr trial) candidates(in []engine.Buffer, o Options) ([]candidate, error) {
	b, err := tr.bind(oracle, tr.operands(), tr.results())
	if err != nil {
		return nil, fmt.Errorf("a bad trial, which ref refuses: %w", err)
	}
	first, err := tr.candidate(b, in)
	if err != nil {
		return nil, fmt.Errorf("a bad trial, which ref fails: %w", err)
	}
	all := []candidate{first}
	if o.Flushes && !tr.limit.bits && !tr.keeps {
		flushed, err := tr.candidate(b, convert(in, flush))
		if err != nil {
			return nil, err
		}
		all = append(all, flushed, candidate{convert(first.want, flush), first.size}, candidate{convert(flushed.want, flush), flushed.size})
	}
	return all, nil
}

func (tr trial) candidate(b engine.Bound, in []engine.Buffer) (c candidate, err error) {
	if c.want, err = compute(b, in, tr.out); err != nil || tr.limit.terms == 0 {
		return c, err
	}
	terms := convert(in, math.Abs)
	if tr.chooses {
		terms[0] = in[0]
	}
	c.size, err = compute(b, terms, tr.out)
	return c, err
}

// compute runs b on ordinary memory.
func compute(b engine.Bound, in []engine.Buffer, out []shape.Type) ([]engine.Buffer, error) {
	c := &engine.Call{In: in, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	for _, t := range out {
		c.Out = append(c.Out, newBuffer(t.DType, t.Len()))
	}
	return c.Out, b.Kernel(c)
}

func newBuffer(d shape.DType, n int) engine.Buffer {
	return engine.BufferAt(engine.Aligned(n*d.Width()), d, n)
}

// convert returns copies of bs, with f applied to the floating-point ones.
func convert(bs []engine.Buffer, f func(float64) float64) []engine.Buffer {
	to := make([]engine.Buffer, len(bs))
	for i, b := range bs {
		to[i] = newBuffer(b.DType(), b.Len())
		copy(to[i].Bytes(), b.Bytes())
		if !b.DType().IsFloat() {
			continue
		}
		v := engine.Floats(b)
		for k := range v {
			v[k] = f(v[k])
		}
		engine.Load(to[i], v)
	}
	return to
}

// flush returns 0 with v's sign if v is a denormal float32.
func flush(v float64) float64 {
	if math.Abs(v) < 0x1p-126 {
		return math.Copysign(0, v)
	}
	return v
}

// check compares the outputs of a run.
func (l limit) check(got []engine.Buffer, cs []candidate, o Options) error {
	for k, b := range got {
		if bytes.Equal(b.Bytes(), cs[0].want[k].Bytes()) {
			continue
		}
		if err := l.compare(k, b, cs, o); err != nil {
			return err
		}
	}
	return nil
}

func (l limit) compare(k int, got engine.Buffer, cs []candidate, o Options) error {
	right := make([]bool, got.Len())
	for _, c := range cs {
		l.mark(right, got, k, c, o)
	}
	if i := slices.Index(right, false); i >= 0 {
		return l.describe(k, i, got, cs[0])
	}
	return nil
}

// mark sets right for the elements of got that are within the limits of c.
func (l limit) mark(right []bool, got engine.Buffer, k int, c candidate, o Options) {
	d := got.DType()
	if !fractional(d) || l.bits {
		for i := range right {
			right[i] = right[i] || bytes.Equal(element(got, i), element(c.want[k], i))
		}
		return
	}
	size := make([]float64, len(right))
	if c.size != nil {
		size = engine.Floats(c.size[k])
	}
	v, want := engine.Floats(got), engine.Floats(c.want[k])
	for i := range right {
		right[i] = right[i] || l.admits(v[i], want[i], l.margin(d, want[i], size[i], o))
	}
}

// fractional reports whether d is floating point, of storage too: a NaN is any NaN then.
func fractional(d shape.DType) bool { return d.Holds(.5) }

func element(b engine.Buffer, i int) []byte {
	w := b.DType().Width()
	return b.Bytes()[i*w:][:w]
}

// margin returns how far from want an element of type d may be.
func (l limit) margin(d shape.DType, want, size float64, o Options) float64 {
	if l == (limit{}) {
		return 0
	}
	unit, least := 0x1p-52, 0x1p-1074
	if d == shape.Float32 {
		unit, least = 0x1p-23, 0x1p-149
		if o.Flushes {
			least = 0x1p-126
		}
	}
	return unit*(l.result*math.Abs(want)+l.terms*size+l.one) + least
}

func (l limit) admits(got, want, margin float64) bool {
	switch {
	case want != want:
		return got != got
	case margin == 0 || math.IsInf(want, 0):
		return got == want && math.Signbit(got) == math.Signbit(want)
	}
	return math.Abs(got-want) <= margin
}

func (l limit) describe(k, i int, got engine.Buffer, c candidate) error {
	msg := fmt.Sprintf("element %d is %v, ref has %v", i, engine.Floats(got)[i], engine.Floats(c.want[k])[i])
	if !fractional(got.DType()) || l.bits {
		msg += fmt.Sprintf(" (% x, % x)", element(got, i), element(c.want[k], i))
	}
	if c.size != nil {
		msg += fmt.Sprintf(", of terms that add up to %v", engine.Floats(c.size[k])[i])
	}
	if len(c.want) > 1 {
		msg = fmt.Sprintf("output %d: ", k) + msg
	}
	return fmt.Errorf("%s", msg)
}
