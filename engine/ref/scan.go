package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Scanner = Engine{}

// BindCumSum implements [engine.Scanner].
func (Engine) BindCumSum(axis int, reverse bool, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0] != out {
		return unsupported("CumSum", in)
	}
	l, over := linesAlong(axis, out.Shape), engine.Overwrite{Out: 0, In: 0}
	switch out.DType {
	case shape.Float32:
		return bound(cumSum[float32, float64](l, reverse), over), nil
	case shape.Float64:
		return bound(cumSum[float64, float64](l, reverse), over), nil
	case shape.Int32:
		return bound(cumSum[int32, int32](l, reverse), over), nil
	case shape.Int64:
		return bound(cumSum[int64, int64](l, reverse), over), nil
	case shape.Uint8:
		return bound(cumSum[uint8, uint8](l, reverse), over), nil
	}
	return unsupported("CumSum", in)
}

// cumSum sums elements of type T in type A.
func cumSum[T, A numeric](l lines, reverse bool) engine.Kernel {
	first, step := 0, l.stride
	if reverse {
		first, step = (l.n-1)*l.stride, -l.stride
	}
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		l.each(func(at int) {
			var sum A
			for k := range l.n {
				i := at + first + k*step
				sum += A(x[i])
				y[i] = T(sum)
			}
		})
		return nil
	}
}
