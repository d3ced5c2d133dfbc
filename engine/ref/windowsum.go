package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.WindowSummer = Engine{}

// BindWindowSum implements [engine.WindowSummer]. Sums of float32 are computed in float64.
func (Engine) BindWindowSum(w engine.WindowSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0] != out {
		return unsupported("WindowSum", in)
	}
	return bindFloat("WindowSum", in, out, 0, windowSums[float32](w, out.Shape), windowSums[float64](w, out.Shape))
}

func windowSums[T shape.Float](w engine.WindowSum, s shape.Shape) engine.Kernel {
	n, pitch := s.Int(w.Axis), s.Strides()[w.Axis]
	return func(c *engine.Call) error {
		x := engine.Slice[T](c.In[0])
		for i := range engine.Slice[T](c.Out[0]) {
			at := i / pitch % n
			sum := 0.0
			for k := max(at-w.Before, 0); k <= min(at+w.After, n-1); k++ {
				sum += float64(x[i+(k-at)*pitch])
			}
			engine.Slice[T](c.Out[0])[i] = T(sum)
		}
		return nil
	}
}
