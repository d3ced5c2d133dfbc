package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Scanner = Engine{}

// BindCumSum implements [engine.Scanner].
func (Engine) BindCumSum(s engine.CumSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0] != out {
		return unsupported("CumSum", in)
	}
	l, over := linesAlong(s.Axis, out.Shape), engine.Overwrite{Out: 0, In: 0}
	switch out.DType {
	case shape.Float32:
		return bound(cumSum[float32, float64](l, s), over), nil
	case shape.Float64:
		return bound(cumSum[float64, float64](l, s), over), nil
	case shape.Int32:
		return bound(cumSum[int32, int32](l, s), over), nil
	case shape.Int64:
		return bound(cumSum[int64, int64](l, s), over), nil
	case shape.Uint8:
		return bound(cumSum[uint8, uint8](l, s), over), nil
	}
	return unsupported("CumSum", in)
}

// cumSum sums elements of type T in type A.
func cumSum[T, A numeric](l lines, s engine.CumSum) engine.Kernel {
	first, step := l.walk(s.Reverse)
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		l.each(func(at int) {
			var sum A
			for k := range l.n {
				i := at + first + k*step
				before := sum
				sum += A(x[i])
				if y[i] = T(sum); s.Exclusive {
					y[i] = T(before)
				}
			}
		})
		return nil
	}
}

// walk returns the offset of the first element of a line, and the step from one to the next.
func (l lines) walk(reverse bool) (first, step int) {
	if reverse {
		return (l.n - 1) * l.stride, -l.stride
	}
	return 0, l.stride
}

// BindLinearScan implements [engine.Scanner].
func (Engine) BindLinearScan(axis int, reverse bool, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 2 || in[0] != out || in[1] != out {
		return unsupported("LinearScan", in)
	}
	l := linesAlong(axis, out.Shape)
	over := []engine.Overwrite{{Out: 0, In: 0}, {Out: 0, In: 1}}
	switch out.DType {
	case shape.Float32:
		return bound(linearScan[float32](l, reverse), over...), nil
	case shape.Float64:
		return bound(linearScan[float64](l, reverse), over...), nil
	}
	return unsupported("LinearScan", in)
}

// linearScan computes in the element type.
func linearScan[T shape.Float](l lines, reverse bool) engine.Kernel {
	first, step := l.walk(reverse)
	return func(c *engine.Call) error {
		a, b, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		l.each(func(at int) {
			var h T
			for k := range l.n {
				i := at + first + k*step
				if k == 0 {
					h = b[i]
				} else {
					h = T(a[i]*h) + b[i]
				}
				y[i] = h
			}
		})
		return nil
	}
}
