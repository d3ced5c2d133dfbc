package ref

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// BindReduce implements [engine.Reducer] for the floating-point and integer types. Sums
// and products of float32 are computed in float64; those of integers wrap around.
func (Engine) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0].DType != out.DType {
		return unsupported(r.String(), in)
	}
	s := split(in[0].Shape, axes)
	if s.kept.size() != out.Len() {
		return engine.Bound{}, fmt.Errorf("%v over %d axes of %v does not return %v", r, axes.Len(), in[0], out)
	}
	if s.reduced.size() == 0 && out.Len() > 0 && (r == engine.Maximum || r == engine.Minimum) {
		return engine.Bound{}, fmt.Errorf("%v of no elements, in %v", r, in[0])
	}
	switch out.DType {
	case shape.Float32:
		return bound(reduceKernel(s, floatFold[float32](r))), nil
	case shape.Float64:
		return bound(reduceKernel(s, floatFold[float64](r))), nil
	case shape.Int32:
		return bound(reduceKernel(s, intFold[int32](r))), nil
	case shape.Int64:
		return bound(reduceKernel(s, intFold[int64](r))), nil
	case shape.Uint8:
		return bound(reduceKernel(s, intFold[uint8](r))), nil
	}
	return unsupported(r.String(), in)
}

// parts are the axes of a tensor that a reduction keeps, and those that it reduces.
type parts struct{ kept, reduced grid }

func split(s shape.Shape, axes engine.Axes) (p parts) {
	for i, stride := range s.Strides() {
		if axes.Has(i) {
			p.reduced.add(s.Int(i), stride)
		} else {
			p.kept.add(s.Int(i), stride)
		}
	}
	return p
}

// fold combines elements of type T in type A, starting with the result for no elements.
type fold[T, A numeric] struct {
	none A
	join func(a, b A) A
}

func floatFold[T shape.Float](r engine.Reduction) fold[T, float64] {
	switch r {
	case engine.Sum:
		return fold[T, float64]{0, func(a, b float64) float64 { return a + b }}
	case engine.Prod:
		return fold[T, float64]{1, func(a, b float64) float64 { return a * b }}
	case engine.Maximum:
		return fold[T, float64]{math.Inf(-1), func(a, b float64) float64 { return max(a, b) }}
	default:
		return fold[T, float64]{math.Inf(1), func(a, b float64) float64 { return min(a, b) }}
	}
}

func intFold[T integer](r engine.Reduction) fold[T, T] {
	low, high := limits[T]()
	switch r {
	case engine.Sum:
		return fold[T, T]{0, func(a, b T) T { return a + b }}
	case engine.Prod:
		return fold[T, T]{1, func(a, b T) T { return a * b }}
	case engine.Maximum:
		return fold[T, T]{low, func(a, b T) T { return max(a, b) }}
	default:
		return fold[T, T]{high, func(a, b T) T { return min(a, b) }}
	}
}

func reduceKernel[T, A numeric](s parts, f fold[T, A]) engine.Kernel {
	length, stride := s.reduced.row()
	rows := 0
	if length > 0 {
		rows = s.reduced.size() / length
	}
	return func(c *engine.Call) error {
		x := engine.Slice[T](c.In[0])
		for o := range engine.Slice[T](c.Out[0]) {
			base := s.kept.offset(o)
			acc := f.none
			for r := range rows {
				acc = f.join(acc, f.row(x[base+s.reduced.offset(r*length):], length, stride))
			}
			engine.Slice[T](c.Out[0])[o] = T(acc)
		}
		return nil
	}
}

// row combines n elements, stride apart, by recursive halving, so that the error of a sum grows
// only with the logarithm of n.
func (f fold[T, A]) row(x []T, n, stride int) A {
	if n > 16 {
		half := n / 2
		return f.join(f.row(x, half, stride), f.row(x[half*stride:], n-half, stride))
	}
	acc := f.none
	for i := range n {
		acc = f.join(acc, A(x[i*stride]))
	}
	return acc
}
