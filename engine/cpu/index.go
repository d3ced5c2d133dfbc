package cpu

import (
	"bytes"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/shape"
)

// picks are the parts of x, seen as (outer, n, inner), that ids copy to y, (outer, m, inner): along
// means an id for each element of y, otherwise for each of m.
type picks struct {
	slabs
	m     int
	along bool
}

func picksOf(g engine.Gather, x, y shape.Shape) picks {
	p := picks{slabs: slabsOf(g.Axis, x), along: g.Along}
	if slice := p.count * p.width; slice > 0 {
		p.m = y.Len() / slice
	}
	return p
}

// BindGather implements [engine.Indexer].
func (e Engine) BindGather(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindGather(g, in, out)
	p := picksOf(g, in[0].Shape, out.Shape)
	if err != nil || out.Len() == 0 || p.n == 0 {
		return b, err
	}
	switch in[1].DType {
	case shape.Int32:
		return gathering[int32](e, b, p, out.Width()), nil
	case shape.Int64:
		return gathering[int64](e, b, p, out.Width()), nil
	}
	return gathering[uint8](e, b, p, out.Width()), nil
}

func gathering[I word](e Engine, b engine.Bound, p picks, width int) engine.Bound {
	switch width {
	case 1:
		return gatherWords[I, uint8](e, b, p)
	case 2:
		return gatherWords[I, shape.Half](e, b, p)
	case 4:
		return gatherWords[I, int32](e, b, p)
	}
	return gatherWords[I, int64](e, b, p)
}

// whole is b, ref's kernel, which reports ids that are none of the n, with work in its place where
// all are.
func whole[I word](e Engine, b engine.Bound, n int, work *loop) engine.Bound {
	refuse := b.Kernel
	b.By, b.Serial = name, work.serial()
	b.Kernel = func(c *engine.Call) error {
		if !indices(e, words[I](c.In[1]), n) {
			return refuse(c)
		}
		work.run(c)
		return nil
	}
	return b
}

// indices reports whether all ids are some of the n.
func indices[I word](e Engine, ids []I, n int) bool {
	if ids, ok := any(ids).([]int32); ok {
		return e.simd.Vec.Indices(ids, n)
	}
	for _, id := range ids {
		if uint64(int64(id)) >= uint64(n) { // negative ones are large
			return false
		}
	}
	return true
}

// gatherWords shares out the rows of y, of width elements each; where that is one, those of m.
func gatherWords[I, W word](e Engine, b engine.Bound, p picks) engine.Bound {
	if p.width == 1 && p.along {
		return checkedRows[I, W](e, b, p)
	}
	if p.width == 1 {
		return sharedRows[I, W](e, b, p)
	}
	return whole[I](e, b, p.n, e.newLoop(p.count*p.m, 10+p.width/8, func(c *engine.Call, _, lo, hi int) {
		x, y, ids := words[W](c.In[0]), words[W](c.Out[0]), words[I](c.In[1])
		for i := lo; i < hi; i++ {
			row, from := nth(y, i, p.width), nth(x, i/p.m, p.size())
			if !p.along {
				copy(row, from[int(ids[i%p.m])*p.width:])
				continue
			}
			for k, id := range nth(ids, i, p.width) {
				row[k] = from[int(id)*p.width+k]
			}
		}
	}))
}

// idsOf is the first of the m ids of slab o.
func (p *picks) idsOf(o, m int) int {
	if p.along {
		return o * m
	}
	return 0
}

// pickRow sets dst to elements of src, and reports whether it has all of them.
func pickRow[I, W word](dst, src []W, ids []I) bool {
	dst = dst[:min(len(dst), len(ids))]
	for k := range dst {
		id := int(ids[k])
		if uint(id) >= uint(len(src)) {
			return false
		}
		dst[k] = src[id]
	}
	return true
}

// checkedRows picks rows of their own ids, and looks at an id when it takes it: if one is none of the n, b, ref's
// kernel, tells which.
func checkedRows[I, W word](e Engine, b engine.Bound, p picks) engine.Bound {
	refuse := b.Kernel
	var l layout
	refused := reserve[uint8](&l, 1, p.count)
	rows := e.newLoop(p.count, 10+p.m/2, func(c *engine.Call, _, lo, hi int) {
		x, y, ids, bad := words[W](c.In[0]), words[W](c.Out[0]), words[I](c.In[1]), refused.of(c, 0)
		for o := lo; o < hi; o++ {
			bad[o] = 0
			if !pickRow(nth(y, o, p.m), nth(x, o, p.n), nth(ids, o, p.m)) {
				bad[o] = 1
			}
		}
	})
	b.By, b.Serial, b.Scratch = name, rows.serial(), max(b.Scratch, int(l))
	b.Kernel = func(c *engine.Call) error {
		rows.run(c)
		if bytes.IndexByte(refused.of(c, 0), 1) >= 0 {
			return refuse(c)
		}
		return nil
	}
	return b
}

// sharedRows picks rows by the same ids, several at a time.
func sharedRows[I, W word](e Engine, b engine.Bound, p picks) engine.Bound {
	sets := partsOf(p.count, sideRows)
	return whole[I](e, b, p.n, e.newLoop(sets.count, 10+sideRows*p.m/4, func(c *engine.Call, _, lo, hi int) {
		x, y, ids := words[W](c.In[0]), words[W](c.Out[0]), words[I](c.In[1])
		for i := lo; i < hi; i++ {
			from, to := sets.bounds(i)
			if to-from == sideRows {
				pickFour(y[from*p.m:], x[from*p.n:], ids, p.n)
				continue
			}
			for o := from; o < to; o++ {
				pickRow(nth(y, o, p.m), nth(x, o, p.n), ids)
			}
		}
	}))
}

// pickFour is pickRow for four rows of n elements by ids that are among them.
func pickFour[I, W word](dst, src []W, ids []I, n int) {
	m := len(ids)
	d0, d1, d2, d3 := dst[:m], dst[m:][:m], dst[2*m:][:m], dst[3*m:][:m]
	s0, s1, s2, s3 := src[:n], src[n:][:n], src[2*n:][:n], src[3*n:][:n]
	for k, id := range ids {
		j := int(id)
		d0[k], d1[k], d2[k], d3[k] = s0[j], s1[j], s2[j], s3[j]
	}
}

// BindScatterAdd implements [engine.Indexer].
func (e Engine) BindScatterAdd(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindScatterAdd(g, in, out)
	p := picksOf(g, out.Shape, in[0].Shape)
	if err != nil || in[0].Len() == 0 || out.Len() == 0 {
		return b, err
	}
	switch in[1].DType {
	case shape.Int32:
		return scattering[int32](e, b, p, out.DType), nil
	case shape.Int64:
		return scattering[int64](e, b, p, out.DType), nil
	}
	return scattering[uint8](e, b, p, out.DType), nil
}

func scattering[I word](e Engine, b engine.Bound, p picks, d shape.DType) engine.Bound {
	if d == shape.Float64 {
		return scatterAdd[I, float64](e, b, p)
	}
	return scatterAdd[I, float32](e, b, p)
}

// scatterAdd shares out slabs, and stretches of their width, so that each element of the result is
// added to in one order.
func scatterAdd[I word, T shape.Float](e Engine, b engine.Bound, p picks) engine.Bound {
	if p.width == 1 {
		return scatterRows[I, T](e, b, p)
	}
	const stretch = 256
	stretches := partsOf(p.width, stretch)
	return whole[I](e, b, p.n, e.newLoop(p.count*stretches.count, 10+p.m*(3+min(p.width, stretch)/4), func(c *engine.Call, _, lo, hi int) {
		dy, dx, ids := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0]), words[I](c.In[1])
		for i := lo; i < hi; i++ {
			o := i / stretches.count
			from, to := stretches.bounds(i % stretches.count)
			slab, add := nth(dx, o, p.size()), nth(dy, o, p.m*p.width)
			for k := range p.n {
				clear(slab[k*p.width+from : k*p.width+to])
			}
			switch of := ids[p.idsOf(o, p.m*p.width):]; {
			case p.along:
				for k := range p.m {
					row, id := nth(add, k, p.width)[from:to], nth(of, k, p.width)[from:to]
					for j, v := range row {
						slab[int(id[j])*p.width+from+j] += v
					}
				}
			default:
				for k := range p.m {
					addRow(e, slab[int(of[k])*p.width+from:][:to-from], add[k*p.width+from:])
				}
			}
		}
	}))
}

// sideRows is how many rows are taken side by side, with one look at ids that they share: a sum waits for the one before
// it in the same place.
const sideRows = 4

// scatterRows shares out rows of single elements.
func scatterRows[I word, T shape.Float](e Engine, b engine.Bound, p picks) engine.Bound {
	sets := partsOf(p.count, sideRows)
	return whole[I](e, b, p.n, e.newLoop(sets.count, 20+sideRows*(p.n/16+p.m), func(c *engine.Call, _, lo, hi int) {
		dy, dx, all := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0]), words[I](c.In[1])
		for i := lo; i < hi; i++ {
			from, to := sets.bounds(i)
			clear(dx[from*p.n : to*p.n])
			row := func(o int) (dst, src []T, ids []I) { return nth(dx, o, p.n), nth(dy, o, p.m), all[p.idsOf(o, p.m):] }
			if to-from == sideRows {
				scatterFour(row, from)
				continue
			}
			for o := from; o < to; o++ {
				dst, src, ids := row(o)
				for k, v := range src {
					dst[int(ids[k])] += v
				}
			}
		}
	}))
}

// scatterFour adds up four rows from one on.
func scatterFour[I word, T shape.Float](row func(o int) (dst, src []T, ids []I), o int) {
	d0, s0, i0 := row(o)
	d1, s1, i1 := row(o + 1)
	d2, s2, i2 := row(o + 2)
	d3, s3, i3 := row(o + 3)
	n := len(s0)
	s1, s2, s3 = s1[:n], s2[:n], s3[:n]
	i0, i1, i2, i3 = i0[:n], i1[:n], i2[:n], i3[:n]
	for k, v := range s0 {
		d0[int(i0[k])] += v
		d1[int(i1[k])] += s1[k]
		d2[int(i2[k])] += s2[k]
		d3[int(i3[k])] += s3[k]
	}
}

func addRow[T shape.Float](e Engine, sum, x []T) {
	totals.Apply(e.simd.Totals, totals.Add, sum, totals.Operands[T]{X: x[:len(sum)]})
}
