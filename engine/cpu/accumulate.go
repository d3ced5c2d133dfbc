package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// BindAddPart implements [engine.Accumulator]. Writing over its sum, it takes no longer than the
// part does.
func (e Engine) BindAddPart(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAddPart(w, in, out)
	if err != nil || in[0].Len() == 0 {
		return b, err
	}
	p := partOf(out.Shape, in[0].Shape, w)
	add := addPart(e, p, func(sum, x []float32) { e.simd.Vec.Map(vec.Add, sum, sum, x, 0) })
	if out.DType == shape.Float64 {
		add = addPart(e, p, func(sum, x []float64) {
			for i, v := range x {
				sum[i] += v
			}
		})
	}
	whole := e.copying(out.Bytes(), 1)
	b.By, b.Serial = name, whole.serial() && add.serial()
	b.Kernel = func(c *engine.Call) error {
		if !c.Out[0].Overlaps(c.In[1].Bytes()) {
			whole.run(c)
		}
		add.run(c)
		return nil
	}
	return b, nil
}

// copying returns the loop that copies input in, of so many bytes, to output 0.
func (e Engine) copying(bytes, in int) *loop {
	const block = 1 << 14
	return e.newLoop((bytes+block-1)/block, 1000, func(c *engine.Call, _, lo, hi int) {
		from, to := lo*block, min(hi*block, bytes)
		copy(c.Out[0].Bytes()[from:to], c.In[in].Bytes()[from:to])
	})
}

// addPart returns the loop that adds input 0 to the part of output 0, a row at a time.
func addPart[T shape.Float](e Engine, p part, add func(sum, x []T)) *loop {
	outer := p.grid
	n, stride := outer.pop()
	pieces := (n + piece - 1) / piece
	return e.newLoop(outer.size()*pieces, 5+min(n, piece)/4, func(c *engine.Call, _, lo, hi int) {
		sum, part := engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[0])
		for i := lo; i < hi; i++ {
			first := i % pieces * piece
			row := part[i/pieces*n+first:][:min(piece, n-first)]
			at := p.start + outer.offset(i/pieces) + first*stride
			if stride == 1 {
				add(sum[at:][:len(row)], row)
				continue
			}
			for k, v := range row {
				sum[at+k*stride] += v
			}
		}
	})
}
