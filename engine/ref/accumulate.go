package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Accumulator = Engine{}

// BindAddPart implements [engine.Accumulator].
func (Engine) BindAddPart(w engine.Window, in []engine.Operand, out engine.Operand) (b engine.Bound, err error) {
	p := partOf(out.Shape, in[0].Shape, w)
	switch out.DType {
	case shape.Float32:
		b = bound(addsPart[float32](p))
	case shape.Float64:
		b = bound(addsPart[float64](p))
	default:
		return unsupported("AddPart", in)
	}
	b.InPlace = []engine.Overwrite{{Out: 0, In: 1}}
	return b, nil
}

func addsPart[T shape.Float](p part) engine.Kernel {
	return func(c *engine.Call) error {
		part, dst := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		copy(dst, engine.Slice[T](c.In[1])) // the same memory if it may be overwritten
		n, stride := p.row()
		for i := 0; i < len(part); i += n {
			at := p.start + p.offset(i)
			for j, x := range part[i:][:n] {
				dst[at+j*stride] += x
			}
		}
		return nil
	}
}
