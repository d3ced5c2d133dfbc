package engine

import (
	"math"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/shape"
)

// Weights says that input In of a kernel is weights, which do not change between runs: the filters
// of a convolution, or the second factor of a product. Each element of axis Axis is an output
// channel.
type Weights struct{ In, Axis int }

// SmallWeights reports whether d is a type in which [Round] can round weights: [shape.BFloat16] or
// [shape.Int8].
func SmallWeights(d shape.DType) bool { return d == shape.BFloat16 || d == shape.Int8 }

// Round sets dst to the numbers nearest to the weights w, of type t, that the type as can hold.
// That defines the results of all kernels with small weights: they are those of the kernel for
// float32 with these numbers, but for rounding.
//
// [shape.BFloat16] rounds each number to the nearest, ties to even. [shape.Int8] has a scale for
// each channel of axis, the largest magnitude divided by 127 in float32, and rounds each number
// divided by the scale to the nearest integer, ties to even. A channel of which a number is not
// finite is NaN; one whose scale would be denormal is 0.
func Round(dst, w []float32, t shape.Type, axis int, as shape.DType) {
	if as == shape.BFloat16 {
		for i, x := range w {
			dst[i] = shape.BrainOf32(x).Float32()
		}
		return
	}
	eachPiece(w, t, axis, roundScale, func(_ int, scale float32, from, to int) {
		for i, x := range w[from:to] {
			dst[from+i] = float32(Int8Of(x, scale)) * scale
		}
	})
}

// roundScale is the scale of a channel of which most is the largest magnitude.
func roundScale(most float32, _ bool) float32 { return Int8Scale(most) }

// codeScale is roundScale, but 1 where all numbers are whole and none is beyond 127.
func codeScale(most float32, whole bool) float32 {
	if whole && most >= 1 && most <= math.MaxInt8 {
		return 1
	}
	return Int8Scale(most)
}

// eachPiece calls f for each piece of weights w, of type t, that are of one channel of axis and follow
// each other: those from from to to, with the scale that scaleOf gives the channel.
func eachPiece(w []float32, t shape.Type, axis int, scaleOf func(most float32, whole bool) float32, f func(channel int, scale float32, from, to int)) {
	channels, inner := t.Int(axis), 1
	for i := axis + 1; i < t.Rank(); i++ {
		inner *= t.Int(i)
	}
	for channel := range channels {
		most, whole := float32(0), true
		for from := channel * inner; from < len(w); from += channels * inner {
			most = largest(most, w[from:from+inner])
			whole = whole && allWhole(w[from:from+inner])
		}
		scale := scaleOf(most, whole)
		for from := channel * inner; from < len(w); from += channels * inner {
			f(channel, scale, from, from+inner)
		}
	}
}

// largest returns the largest magnitude of so far and w, NaN if there is one.
func largest(so float32, w []float32) float32 {
	for _, x := range w {
		so = max(so, math.Float32frombits(math.Float32bits(x)&^(1<<31)))
	}
	return so
}

// allWhole reports whether no number of w has a fraction. It looks no further than the first that has one.
func allWhole(w []float32) bool {
	for _, x := range w {
		if x != float32(math.Trunc(float64(x))) {
			return false
		}
	}
	return true
}

// Int8Scale is the scale of a channel of which most is the largest magnitude; see [Round].
func Int8Scale(most float32) float32 {
	const normal = 0x1p-126
	switch scale := most / 127; {
	case most-most != 0:
		return float32(math.NaN())
	case scale < normal:
		return 0
	default:
		return scale
	}
}

// Int8Of is x as a multiple of the scale of its channel.
func Int8Of(x, scale float32) int8 {
	if !(scale > 0) {
		return 0
	}
	return int8(math.RoundToEven(float64(x / scale)))
}

// WithWeights returns a kernel of the host that is b with input w.In, of type t in float32, rounded
// by [Round]: b.Narrow's where there is one, and else b itself, which is given the rounded numbers.
func (b Bound) WithWeights(w Weights, t shape.Type, as shape.DType) Bound {
	if b.Narrow != nil {
		if n, ok := b.Narrow(as); ok {
			n.Choice = b.Choice
			if n.Into == nil {
				n.Into = b.intoWithWeights(w, t, as)
			}
			return n
		}
	}
	if b.Packing.Kernel != nil && b.Packing.In != w.In {
		b.Packing = Packing{}
	}
	r := &rounding{inner: b, weights: w, typ: t, as: as}
	r.calls = par.NewFree(16, func() *Call { return &Call{In: make([]Buffer, 0, 8), Out: make([]Buffer, 0, 2)} })
	b.Kernel, b.Narrow, b.Arrangements = r.run, nil, nil
	b.Scratch = line(r.inner.Scratch) + t.Bytes()
	b.Packing = r.packing()
	b.Into = r.inner.intoWithWeights(w, t, as)
	if r.inner.Then != nil {
		b.Then = func(m Map, in []Operand) (Bound, bool) {
			after, ok := r.inner.Then(m, in)
			if !ok {
				return after, false
			}
			return after.WithWeights(w, t, as), true
		}
	}
	return b
}

// intoWithWeights is b.Into for rounded weights, or nil where there is none.
func (b Bound) intoWithWeights(w Weights, t shape.Type, as shape.DType) func(p Part) (Bound, bool) {
	if b.Into == nil {
		return nil
	}
	return func(p Part) (Bound, bool) {
		part, ok := b.Into(p)
		if !ok {
			return part, false
		}
		return part.WithWeights(w, t, as), true
	}
}

// line rounds a number of bytes up to whole cache lines.
func line(bytes int) int { return (bytes + 63) &^ 63 }

// rounding is a kernel that is given rounded weights.
type rounding struct {
	inner   Bound
	weights Weights
	typ     shape.Type
	as      shape.DType
	calls   par.Free[Call]
}

// roundedForm is the form of rounded weights that inner is packed from.
type roundedForm struct {
	inner any
	typ   shape.Type
	axis  int
	as    shape.DType
}

// packing packs the rounded weights. Where a kernel may read them beside their packed form, or has
// none, they follow it.
func (r *rounding) packing() Packing {
	in := r.inner.Packing
	p := Packing{In: r.weights.In, Bytes: in.Bytes, Kernel: r.pack, Scratch: in.Scratch, Rest: r.inner.Scratch, Replaces: true}
	if in.Kernel != nil {
		p.Rest = in.Rest
	}
	if in.Replaces {
		p.Scratch = line(in.Scratch) + r.typ.Bytes()
	} else {
		p.Bytes = line(in.Bytes) + r.typ.Bytes()
	}
	if in.Kernel == nil || in.Form != nil {
		p.Form = roundedForm{in.Form, r.typ, r.weights.Axis, r.as}
	}
	return p
}

// pack rounds and packs c.In[0].
func (r *rounding) pack(c *Call) error {
	in := r.inner.Packing
	var rounded Buffer
	if in.Replaces {
		rounded = r.round(c.Scratch, line(in.Scratch), c.In[0])
	} else {
		rounded = r.round(c.Out[0], line(in.Bytes), c.In[0])
	}
	if in.Kernel == nil {
		return nil
	}
	of := r.calls.Take()
	of.In, of.Out = append(of.In, rounded), append(of.Out, c.Out[0].At(0, shape.Uint8, in.Bytes))
	of.Scratch = c.Scratch.At(0, shape.Uint8, in.Scratch)
	return r.give(of, in.Kernel(of))
}

// round sets the memory at so many bytes of to to the rounded weights w.
func (r *rounding) round(to Buffer, at int, w Buffer) Buffer {
	rounded := to.At(at, shape.Float32, r.typ.Len())
	Round(Slice[float32](rounded), Slice[float32](w), r.typ, r.weights.Axis, r.as)
	return rounded
}

func (r *rounding) run(c *Call) error {
	in := r.inner.Packing
	if c.Packed.Valid() && in.Replaces {
		return r.inner.Kernel(c)
	}
	of := r.calls.Take()
	of.In, of.Out, of.Scratch = append(of.In, c.In...), append(of.Out, c.Out...), c.Scratch
	if w := &of.In[r.weights.In]; !c.Packed.Valid() {
		*w = r.round(c.Scratch, line(r.inner.Scratch), *w)
	} else {
		*w = c.Packed.At(line(in.Bytes), shape.Float32, r.typ.Len())
		if in.Kernel != nil {
			of.Packed = c.Packed.At(0, shape.Uint8, in.Bytes)
		}
	}
	return r.give(of, r.inner.Kernel(of))
}

// give takes back a call.
func (r *rounding) give(of *Call, err error) error {
	clear(of.In)
	clear(of.Out)
	*of = Call{In: of.In[:0], Out: of.Out[:0]}
	r.calls.Give(of)
	return err
}
