package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/shape"
)

// BindTranspose implements [engine.Mover].
func (e Engine) BindTranspose(p engine.Perm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Len() == 0 {
		return e.Engine.BindTranspose(p, in, out)
	}
	var g grid // the axes of the result, over the input
	keeps := p.Keeps(in[0], out)
	switch {
	case keeps:
		g.add(out.Len(), 1)
	case in[0].Layout != engine.Rows || out.Layout != engine.Rows:
		return engine.Bound{}, engine.Unsupported(name, "Transpose", in)
	default:
		strides := in[0].Strides()
		for i := range out.Rank() {
			g.add(out.Int(i), strides[p[i]])
		}
	}
	b := e.moveAxes(g, out.Width())
	b.Alias, b.Arrangements = keeps, e.unmoved(p, in[0], out)
	return b, nil
}

// unmoved lists the layouts of images with which a transposition of rows moves nothing. They are worth its time, but not
// that of a conversion.
func (e Engine) unmoved(p engine.Perm, in, out engine.Operand) (all []engine.Arrangement) {
	if in.Layout != engine.Rows || out.Layout != engine.Rows || !e.takes(channelsLast, in.Type, out.Type) {
		return nil
	}
	last := func(o engine.Operand) engine.Operand { return engine.Operand{Type: o.Type, Layout: channelsLast} }
	gain := max(out.Bytes()-1, 0)
	if p.Keeps(last(in), out) {
		all = append(all, engine.Arrangement{In: lastOnly, Gain: gain})
	}
	if p.Keeps(in, last(out)) {
		all = append(all, engine.Arrangement{In: []engine.Layout{engine.Rows}, Out: channelsLast, Gain: gain})
	}
	return all
}

// moveAxes copies elements of so many bytes, which g places in the input.
func (e Engine) moveAxes(g grid, width int) engine.Bound {
	if work, ok := e.copySpans(spansOf(g, true), width, 0, 0, 0); ok {
		return inTurn(work)
	}
	switch width {
	case 1:
		return bindTranspose(e, g, copySquares[uint8])
	case 2:
		return bindTranspose(e, g, copySquares[shape.Half])
	case 4:
		return bindTranspose(e, g, squares[float32](e))
	}
	return bindTranspose(e, g, squares[float64](e))
}

// word stands for the elements of every type of its width.
type word interface {
	uint8 | shape.Half | int32 | int64 | float32 | float64
}

func words[W word](b engine.Buffer) []W {
	return engine.Slice[W](engine.BufferAt(b.Bytes(), shape.DTypeOf[W](), b.Len()))
}

// tile is the side of the squares that are transposed at a time: a column of them is a set of
// cache lines that the first level holds.
const tile = 32

// bindTranspose copies stripes: of the axis that is contiguous in the input and the last one of the
// result, for every index of the others.
func bindTranspose[W word](e Engine, g grid, copy func(t transposition, dst, src []W, rows int)) engine.Bound {
	t := newTransposition(g)
	const stripe = 4096 // elements
	height := min(max(stripe/t.cols/tile, 1)*tile, t.rows)
	stripes := (t.rows + height - 1) / height
	cost := height * t.cols
	if t.rowFrom == 1 {
		cost = max(cost/4, 1)
	}
	work := e.newLoop(t.outer.size()*stripes, cost, func(c *engine.Call, _, lo, hi int) {
		dst, src := words[W](c.Out[0]), words[W](c.In[0])
		for i := lo; i < hi; i++ {
			r0 := i % stripes * height
			to, from := t.to.offset(i/stripes)+r0*t.rowTo, t.outer.offset(i/stripes)+r0*t.rowFrom
			copy(t, dst[to:], src[from:], min(height, t.rows-r0))
		}
	})
	return engine.Bound{Kernel: work.kernel(), By: name, Serial: work.serial()}
}

// squares transposes in registers where what is a column of the result is contiguous in the input.
func squares[W float32 | float64](e Engine) func(t transposition, dst, src []W, rows int) {
	return func(t transposition, dst, src []W, rows int) {
		if t.rowFrom == 1 && t.colFrom >= rows && t.rowTo >= t.cols {
			gemm.Transpose(e.simd.Gemm, dst, t.rowTo, src, t.colFrom, t.cols, rows)
			return
		}
		copySquares(t, dst, src, rows)
	}
}

func copySquares[W word](t transposition, dst, src []W, rows int) {
	if t.colFrom == 1 {
		copySquare(dst, src, rows, t.cols, t.rowTo, t.rowFrom, 1)
		return
	}
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < t.cols; c0 += tile {
			copySquare(dst[r0*t.rowTo+c0:], src[r0*t.rowFrom+c0*t.colFrom:], min(tile, rows-r0), min(tile, t.cols-c0), t.rowTo, t.rowFrom, t.colFrom)
		}
	}
}

// transposition is one, taken apart: for each index of outer (in the input; to, in the result), a
// matrix of rows and columns, whose columns are contiguous in the result.
type transposition struct {
	outer, to            grid
	rows, rowTo, rowFrom int
	cols, colFrom        int
}

func newTransposition(g grid) transposition {
	var t transposition
	strides := make([]int, g.rank) // in the result
	for k, n := g.rank-1, 1; k >= 0; k-- {
		strides[k] = n
		n *= g.extent[k]
	}
	t.rows = 1
	rest := g
	t.cols, t.colFrom = rest.pop()
	for k := range rest.rank {
		if g.stride[k] == 1 {
			t.rows, t.rowTo, t.rowFrom = g.extent[k], strides[k], 1
			continue
		}
		t.outer.append(g.extent[k], g.stride[k])
		t.to.append(g.extent[k], strides[k])
	}
	return t
}

func copySquare[W word](dst, src []W, rows, cols, rowTo, rowFrom, colFrom int) {
	for r := range rows {
		row, from := dst[r*rowTo:][:cols], src[r*rowFrom:]
		if colFrom == 1 {
			copy(row, from)
			continue
		}
		for c := range row {
			row[c] = from[c*colFrom]
		}
	}
}
