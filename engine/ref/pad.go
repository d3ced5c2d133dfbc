package ref

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// outside means that a position is not a copy of any element.
const outside = -1

// sources returns, for each position along an axis of extent n with its padding, the index that it
// is a copy of, or outside.
func sources(mode engine.PadMode, before, n, after int) []int {
	src := make([]int, before+n+after)
	for i := range src {
		src[i] = mode.Source(i-before, n)
	}
	return src
}

// padding maps the positions of a padded tensor to those of the tensor: for each axis, the offset
// that each position along it contributes, or outside.
type padding [][]int

func newPadding(p engine.Padding, x shape.Shape) padding {
	m := padding{{0}} // so that a scalar is a row of one element
	for i, stride := range x.Strides() {
		from := sources(p.Mode, p.Before[i], x.Int(i), p.After[i])
		for j, s := range from {
			if s != outside {
				from[j] = s * stride
			}
		}
		m = append(m, from)
	}
	return m
}

// all yields the positions of the padded tensor in order, each with the element that it is a copy
// of, or outside.
func (m padding) all(yield func(i, from int) bool) {
	outer, last := m[:len(m)-1], m[len(m)-1]
	rows := 1
	for _, from := range outer {
		rows *= len(from)
	}
	for r := range rows {
		base := outer.at(r)
		for j, from := range last {
			if !yield(r*len(last)+j, join(base, from)) {
				return
			}
		}
	}
}

// at returns the element that position i, in row-major order, is a copy of, or outside.
func (m padding) at(i int) int {
	from := 0
	for k := len(m) - 1; k >= 0; k-- {
		from = join(from, m[k][i%len(m[k])])
		i /= len(m[k])
	}
	return from
}

// join adds two offsets; it returns outside if one of them is.
func join(a, b int) int {
	if a == outside || b == outside {
		return outside
	}
	return a + b
}

// BindPad implements [engine.Mover].
func (Engine) BindPad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m := newPadding(p, in[0].Shape)
	value := engine.BufferAt(engine.Aligned(out.Width()), out.DType, 1)
	engine.Load(value, []float64{math.Float64frombits(p.Value)})
	return bindMove(out.DType, pads[uint8](m, value), pads[shape.Half](m, value), pads[int32](m, value), pads[int64](m, value))
}

func pads[W word](m padding, value engine.Buffer) engine.Kernel {
	return func(c *engine.Call) error {
		dst, src, fill := elems[W](c.Out[0]), elems[W](c.In[0]), elems[W](value)[0]
		for i, from := range m.all {
			if from == outside {
				dst[i] = fill
				continue
			}
			dst[i] = src[from]
		}
		return nil
	}
}

// BindPadGrad implements [engine.Mover].
func (Engine) BindPadGrad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m := newPadding(p, out.Shape)
	return bindFloat("PadGrad", in, out, out.Len(), padGrads[float32](m), padGrads[float64](m))
}

func padGrads[T shape.Float](m padding) engine.Kernel {
	return func(c *engine.Call) error {
		dx, dy := engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[0])
		sums := sumsOf(c, len(dx))
		clear(sums)
		for i, from := range m.all {
			if from != outside {
				sums[from] += float64(dy[i])
			}
		}
		round(dx, sums)
		return nil
	}
}
