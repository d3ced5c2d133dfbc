package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// BindResample implements [engine.Resampler]: by vectors along the axes behind the axis, or, if there are none, several
// rows at a time.
func (e Engine) BindResample(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindResample(axis, in, out)
	if err != nil || out.Len() == 0 {
		return b, err
	}
	taps := max(in[2].Len()/out.Int(axis), 1)
	if out.DType == shape.Float64 {
		return bindResample(e, axis, in[0].Shape, out.Shape, taps, e.simd.Vec.MixRows64), nil
	}
	return bindResample(e, axis, in[0].Shape, out.Shape, taps, e.simd.Vec.MixRows), nil
}

// resampling is an axis of x that becomes one of y; rows of width elements have their taps in common.
type resampling[T shape.Float] struct {
	from, to slabs
	mix      func(dst, x []T, n int, starts, ids []int32, w []T)
}

func bindResample[T shape.Float](e Engine, axis int, x, y shape.Shape, taps int, mix func(dst, x []T, n int, starts, ids []int32, w []T)) engine.Bound {
	r := resampling[T]{slabsOf(axis, x), slabsOf(axis, y), mix}
	var work *loop
	if r.to.width > 1 {
		work = e.newLoop(r.to.count*r.to.n, taps*(3+r.to.width/8), func(c *engine.Call, _, lo, hi int) { r.rows(c, lo, hi) })
	} else {
		sets := partsOf(r.to.count, sideRows)
		work = e.newLoop(sets.count, sideRows*r.to.n*taps, func(c *engine.Call, _, lo, hi int) {
			for i := lo; i < hi; i++ {
				from, to := sets.bounds(i)
				r.elements(c, from, to)
			}
		})
	}
	return engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}
}

// rows computes rows lo to hi of y, each a sum of rows of x.
func (r *resampling[T]) rows(c *engine.Call, lo, hi int) {
	x, y, w := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[3])
	starts, ids := engine.Slice[int32](c.In[1]), engine.Slice[int32](c.In[2])
	for lo < hi {
		of, first := lo/r.to.n, lo%r.to.n
		last := min(first+hi-lo, r.to.n)
		next := lo + last - first
		r.mix(y[lo*r.to.width:next*r.to.width], nth(x, of, r.from.size()), r.to.width, starts[first:last+1], ids, w)
		lo = next
	}
}

// elements computes rows lo to hi, at most sideRows, of single elements.
func (r *resampling[T]) elements(c *engine.Call, lo, hi int) {
	x, y, w := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[3])
	starts, ids := engine.Slice[int32](c.In[1]), engine.Slice[int32](c.In[2])
	n, m := r.from.n, r.to.n
	if hi-lo < sideRows {
		for o := lo; o < hi; o++ {
			from, to := nth(x, o, n), nth(y, o, m)
			for k := range to {
				var sum T
				for l := starts[k]; l < starts[k+1]; l++ {
					sum += w[l] * from[ids[l]]
				}
				to[k] = sum
			}
		}
		return
	}
	x0, x1, x2, x3 := nth(x, lo, n), nth(x, lo+1, n), nth(x, lo+2, n), nth(x, lo+3, n)
	y0, y1, y2, y3 := nth(y, lo, m), nth(y, lo+1, m), nth(y, lo+2, m), nth(y, lo+3, m)
	for k := range y0 {
		var s0, s1, s2, s3 T
		for l := starts[k]; l < starts[k+1]; l++ {
			v, id := w[l], ids[l]
			s0 += v * x0[id]
			s1 += v * x1[id]
			s2 += v * x2[id]
			s3 += v * x3[id]
		}
		y0[k], y1[k], y2[k], y3[k] = s0, s1, s2, s3
	}
}
