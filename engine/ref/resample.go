package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Resampler = Engine{}

// BindResample implements [engine.Resampler]. It sums in float64.
func (Engine) BindResample(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 4 || in[0].DType != out.DType || in[0].Of(in[0].With(axis, out.Dim(axis))) != out.Type ||
		in[1].Type != shape.I32(out.Dim(axis)+1) || in[2].DType != shape.Int32 || in[3].Type != out.Of(in[2].Shape) {
		return unsupported("Resample", in)
	}
	x, y := linesAlong(axis, in[0].Shape), linesAlong(axis, out.Shape)
	switch out.DType {
	case shape.Float32:
		return bound(resample[float32](x, y)), nil
	case shape.Float64:
		return bound(resample[float64](x, y)), nil
	}
	return unsupported("Resample", in)
}

func resample[T shape.Float](from, to lines) engine.Kernel {
	return func(c *engine.Call) error {
		starts, ids := engine.Slice[int32](c.In[1]), engine.Slice[int32](c.In[2])
		x, w, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[3]), engine.Slice[T](c.Out[0])
		for line := range to.outer * to.stride {
			o, s := line/to.stride, line%to.stride
			for m := range to.n {
				sum := 0.0
				for l := starts[m]; l < starts[m+1]; l++ {
					sum += float64(w[l]) * float64(x[(o*from.n+int(ids[l]))*from.stride+s])
				}
				y[(o*to.n+m)*to.stride+s] = T(sum)
			}
		}
		return nil
	}
}
