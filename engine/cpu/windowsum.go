package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// BindWindowSum implements [engine.WindowSummer]: it adds rows of the axes behind the window's, a
// stretch of them at a time, so that those of a window are in the first cache.
func (e Engine) BindWindowSum(w engine.WindowSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindWindowSum(w, in, out)
	if err != nil || out.Len() == 0 {
		return b, err
	}
	if out.DType == shape.Float64 {
		return bindWindowSum(e, w, out.Shape, func(acc, x []float64) {
			for i, v := range x {
				acc[i] += v
			}
		}), nil
	}
	return bindWindowSum(e, w, out.Shape, func(acc, x []float32) { e.simd.Vec.Map(vec.Add, acc, acc, x, 0) }), nil
}

func bindWindowSum[T shape.Float](e Engine, w engine.WindowSum, s shape.Shape, add func(acc, x []T)) engine.Bound {
	l := slabsOf(w.Axis, s)
	const stretch = 512
	stretches := (l.width + stretch - 1) / stretch
	terms := min(w.Before+w.After+1, l.n)
	work := e.newLoop(l.count*stretches, l.n*(terms*(10+min(l.width, stretch)/16)), func(c *engine.Call, _, lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i % stretches * stretch
			n := min(stretch, l.width-from)
			base := i/stretches*l.size() + from
			x, y := engine.Slice[T](c.In[0])[base:], engine.Slice[T](c.Out[0])[base:]
			for k := range l.n {
				first, last := max(k-w.Before, 0), min(k+w.After, l.n-1)
				row := y[k*l.width:][:n]
				copy(row, x[first*l.width:])
				for j := first + 1; j <= last; j++ {
					add(row, x[j*l.width:][:n])
				}
			}
		}
	})
	return engine.Bound{Kernel: work.kernel(), By: name}
}
