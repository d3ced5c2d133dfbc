package cpu

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Moves copy rows: runs of elements that are contiguous, or evenly spaced, on both sides. Rows are
// shared out, long ones in pieces.

// piece is the most elements of a row that are copied at a time.
const piece = 1 << 14

// part is a strided part of a tensor.
type part struct {
	grid
	start int
}

func partOf(whole, cut shape.Shape, w engine.Window) (p part) {
	for i, stride := range whole.Strides() {
		p.start += w.Start[i] * stride
		p.add(cut.Int(i), w.Step[i]*stride)
	}
	return p
}

// copyPart returns the loop that copies between the part of one tensor and all of another, the part
// being that of output 0 if put, else that of input 0. The other one is input in.
func copyPart[W word](e Engine, p part, put bool, in int) *loop {
	outer := p.grid
	n, stride := outer.pop()
	pieces := (n + piece - 1) / piece
	cost := 5 + min(n, piece)/8
	return e.newLoop(outer.size()*pieces, cost, func(c *engine.Call, _, lo, hi int) {
		dst, src := words[W](c.Out[0]), words[W](c.In[in])
		for i := lo; i < hi; i++ {
			first := i % pieces * piece
			count := min(piece, n-first)
			dense, at := i/pieces*n+first, p.start+outer.offset(i/pieces)+first*stride
			if put {
				scatterRow(dst, src[dense:][:count], at, stride)
			} else {
				gatherRow(dst[dense:][:count], src, at, stride)
			}
		}
	})
}

func gatherRow[W word](row, src []W, at, stride int) {
	if stride == 1 {
		copy(row, src[at:])
		return
	}
	for i := range row {
		row[i] = src[at+i*stride]
	}
}

func scatterRow[W word](dst, row []W, at, stride int) {
	if stride == 1 {
		copy(dst[at:], row)
		return
	}
	for i, v := range row {
		dst[at+i*stride] = v
	}
}

// copyParts is copyPart for elements of that width in bytes.
func copyParts(e Engine, width int, p part, put bool, in int) *loop {
	to, from := p.start, 0
	if !put {
		to, from = from, to
	}
	if l, ok := e.copySpans(spansOf(p.grid, !put), width, in, to, from); ok {
		return l
	}
	switch width {
	case 1:
		return copyPart[uint8](e, p, put, in)
	case 2:
		return copyPart[shape.Half](e, p, put, in)
	case 4:
		return copyPart[int32](e, p, put, in)
	}
	return copyPart[int64](e, p, put, in)
}

// inTurn returns the kernel that is these loops one after the other.
func inTurn(loops ...*loop) engine.Bound {
	return engine.Bound{By: name, Kernel: func(c *engine.Call) error {
		for _, l := range loops {
			l.run(c)
		}
		return nil
	}}
}

// together returns one loop that does, item by item, what loops of as many items each do: parts of short rows, which
// adjoin in the result, are then written about the same time. Loops of different numbers of items stay as they are.
func (e Engine) together(loops []*loop) []*loop {
	if len(loops) < 2 || slices.ContainsFunc(loops, func(l *loop) bool { return l.n != loops[0].n }) {
		return loops
	}
	grain := loops[0].grain
	for _, l := range loops {
		grain = min(grain, l.grain)
	}
	all := e.newLoop(loops[0].n, max(chunkWork*len(loops)/grain, 1), func(c *engine.Call, slot, lo, hi int) {
		for i := lo; i < hi; i++ {
			for _, l := range loops {
				l.body(c, slot, i, i+1)
			}
		}
	})
	return []*loop{all}
}

// clearing returns the loop that sets output 0 to zeros, of so many bytes.
func (e Engine) clearing(bytes int) *loop {
	const line = 4096
	return e.newLoop((bytes+line-1)/line, 100, func(c *engine.Call, _, lo, hi int) {
		clear(c.Out[0].Bytes()[lo*line : min(hi*line, bytes)])
	})
}

// BindSlice implements [engine.Mover].
func (e Engine) BindSlice(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Len() == 0 {
		return e.Engine.BindSlice(w, in, out)
	}
	return inTurn(copyParts(e, out.Width(), partOf(in[0].Shape, out.Shape, w), false, 0)), nil
}

// BindEmbed implements [engine.Mover].
func (e Engine) BindEmbed(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Len() == 0 {
		return e.Engine.BindEmbed(w, in, out)
	}
	put := copyParts(e, out.Width(), partOf(out.Shape, in[0].Shape, w), true, 0)
	if in[0].Len() == out.Len() {
		return inTurn(put), nil
	}
	return inTurn(e.clearing(out.Bytes()), put), nil
}

// BindConcat implements [engine.Mover].
func (e Engine) BindConcat(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout == channelsLast {
		return e.concatLast(axis, in, out)
	}
	var loops []*loop
	var w engine.Window
	for i := range w.Step {
		w.Step[i] = 1
	}
	for i, t := range in {
		if t.Len() > 0 {
			loops = append(loops, copyParts(e, out.Width(), partOf(out.Shape, t.Shape, w), true, i))
		}
		w.Start[axis] += t.Int(axis)
	}
	if row := slabsOf(axis, out.Shape); row.size()*out.Width() <= shortSpan*wordBytes {
		loops = e.together(loops)
	}
	b := inTurn(loops...)
	b.Joined = engine.Parts(axis, engine.Types(in))
	return e.arranged(b, channelsLast, 0, len(in), in, out), nil
}

// padding is one, taken apart: rows of the padded tensor along the last axis that is padded, whose
// places are width elements each, the axes behind it.
type padding struct {
	from   [][]int // by axis up to that one and place: the place it is a copy of, or outside
	stride []int   // of these axes, in the tensor, in elements
	extent []int   // in the tensor
	width  int
}

const outside = -1

func newPadding(p engine.Padding, x shape.Shape) padding {
	last := x.Rank() - 1
	for last > 0 && p.Before[last] == 0 && p.After[last] == 0 {
		last--
	}
	m := padding{width: 1}
	for i, stride := range x.Strides() {
		n := x.Int(i)
		if i > last {
			m.width *= n
			continue
		}
		from := make([]int, p.Before[i]+n+p.After[i])
		for j := range from {
			from[j] = p.Mode.Source(j-p.Before[i], n)
		}
		m.from, m.stride, m.extent = append(m.from, from), append(m.stride, stride), append(m.extent, n)
	}
	return m
}

// rows is how many rows the padded tensor has.
func (m *padding) rows() int {
	n := 1
	for _, from := range m.from[:len(m.from)-1] {
		n *= len(from)
	}
	return n
}

// last are the places of a row.
func (m *padding) last() []int { return m.from[len(m.from)-1] }

// source is the offset in the tensor of the row that row i of the padded one is a copy of, or
// outside.
func (m *padding) source(i int) int {
	at := 0
	for k := len(m.from) - 2; k >= 0; k-- {
		from := m.from[k][i%len(m.from[k])]
		if from == outside {
			return outside
		}
		at += from * m.stride[k]
		i /= len(m.from[k])
	}
	return at
}

// BindPad implements [engine.Mover].
func (e Engine) BindPad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Rank() == 0 || out.Len() == 0 {
		return e.Engine.BindPad(p, in, out)
	}
	value := engine.BufferAt(engine.Aligned(out.Width()), out.DType, 1)
	engine.Load(value, []float64{math.Float64frombits(p.Value)})
	m := newPadding(p, in[0].Shape)
	before := p.Before[len(m.from)-1]
	switch out.Width() {
	case 1:
		return inTurn(padRows(e, m, before, words[uint8](value)[0])), nil
	case 2:
		return inTurn(padRows(e, m, before, words[shape.Half](value)[0])), nil
	case 4:
		return inTurn(padRows(e, m, before, words[int32](value)[0])), nil
	}
	return inTurn(padRows(e, m, before, words[int64](value)[0])), nil
}

// padRows copies the places of a row behind the first ones, which are of padding, at once.
func padRows[W word](e Engine, m padding, before int, value W) *loop {
	last, n := m.last(), m.extent[len(m.extent)-1]
	length := len(last) * m.width
	return e.newLoop(m.rows(), 15+length/8, func(c *engine.Call, _, lo, hi int) {
		dst, src := words[W](c.Out[0]), words[W](c.In[0])
		for i := lo; i < hi; i++ {
			row, base := nth(dst, i, length), m.source(i)
			if base == outside {
				fill(row, value)
				continue
			}
			copy(row[before*m.width:][:n*m.width], src[base:])
			edge(&m, row, 0, before, src[base:], value)
			edge(&m, row, before+n, len(last), src[base:], value)
		}
	})
}

// edge sets places lo to hi of a row, which are of padding.
func edge[W word](m *padding, row []W, lo, hi int, src []W, value W) {
	if lo < hi && m.last()[lo] == outside {
		fill(row[lo*m.width:hi*m.width], value)
		return
	}
	for j := lo; j < hi; j++ {
		copy(nth(row, j, m.width), src[m.last()[j]*m.width:])
	}
}

// BindPadGrad implements [engine.Mover]. The gradient of padding by a constant is a slice.
func (e Engine) BindPadGrad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindPadGrad(p, in, out)
	if err != nil || out.Rank() == 0 || out.Len() == 0 {
		return b, err
	}
	if p.Mode == engine.PadConstant {
		w := engine.Window{Start: p.Before}
		for i := range w.Step {
			w.Step[i] = 1
		}
		return e.BindSlice(w, in, out)
	}
	if out.DType == shape.Float64 {
		return bindPadGrad[float64](e, newPadding(p, out.Shape)), nil
	}
	return bindPadGrad[float32](e, newPadding(p, out.Shape)), nil
}

// bindPadGrad adds up, for each row of dx, the rows of dy that are copies of it, in float64.
func bindPadGrad[T shape.Float](e Engine, m padding) engine.Bound {
	outer := len(m.from) - 1
	copies := make([][][]int, outer) // by axis and place in the tensor: the places that copy it
	rows, each := 1, 1
	for k := range outer {
		copies[k] = make([][]int, m.extent[k])
		for j, from := range m.from[k] {
			copies[k][from] = append(copies[k][from], j)
		}
		rows *= m.extent[k]
		each = max(each, len(m.from[k])/m.extent[k])
	}
	last := m.last()
	length := m.extent[outer] * m.width
	var sums region[float64]
	work := e.newLoop(rows, 20+each*len(last)*m.width*2, func(c *engine.Call, slot, lo, hi int) {
		dx, dy, sum := engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[0]), sums.of(c, slot)
		for i := lo; i < hi; i++ {
			clear(sum)
			for n := 0; ; n++ {
				row, ok := m.copied(copies, i, n)
				if !ok {
					break
				}
				for j, v := range dy[row*len(last)*m.width:][:len(last)*m.width] {
					sum[last[j/m.width]*m.width+j%m.width] += float64(v)
				}
			}
			for j, v := range sum {
				dx[i*length+j] = T(v)
			}
		}
	})
	var l layout
	sums = reserve[float64](&l, work.slots, length)
	return engine.Bound{Kernel: work.kernel(), Scratch: int(l), By: name}
}

// copied is the n-th row of the padded tensor that is a copy of row i, or false.
func (m *padding) copied(copies [][][]int, i, n int) (row int, ok bool) {
	pitch := 1
	for k := len(copies) - 1; k >= 0; k-- {
		places := copies[k][i%m.extent[k]]
		row += places[n%len(places)] * pitch
		pitch *= len(m.from[k])
		i, n = i/m.extent[k], n/len(places)
	}
	return row, n == 0
}

// BindOneHot implements [engine.Mover].
func (e Engine) BindOneHot(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindOneHot(in, out)
	if err != nil || out.Len() == 0 {
		return b, err
	}
	switch in[0].DType {
	case shape.Int32:
		return oneHot[int32](e, b, out), nil
	case shape.Int64:
		return oneHot[int64](e, b, out), nil
	}
	return oneHot[uint8](e, b, out), nil
}

func oneHot[I word](e Engine, b engine.Bound, out engine.Operand) engine.Bound {
	switch out.Width() {
	case 1:
		return oneHots[I, uint8](e, b, out)
	case 2:
		return oneHots[I, shape.Half](e, b, out)
	case 4:
		return oneHots[I, int32](e, b, out)
	}
	return oneHots[I, int64](e, b, out)
}

// oneHots leaves ids that are no class to b, ref's kernel, which says so.
func oneHots[I, W word](e Engine, b engine.Bound, out engine.Operand) engine.Bound {
	one := engine.BufferAt(engine.Aligned(out.Width()), out.DType, 1)
	engine.Load(one, []float64{1})
	k, bits, refuse := out.Int(-1), words[W](one)[0], b.Kernel
	rows := e.newLoop(out.Len()/k, 5+k/16, func(c *engine.Call, _, lo, hi int) {
		dst := words[W](c.Out[0])
		clear(dst[lo*k : hi*k])
		for i, id := range engine.Slice[I](c.In[0])[lo:hi] {
			dst[(lo+i)*k+int(id)] = bits
		}
	})
	b.By = name
	b.Kernel = func(c *engine.Call) error {
		for _, id := range engine.Slice[I](c.In[0]) {
			if id < 0 || int64(id) >= int64(k) {
				return refuse(c)
			}
		}
		rows.run(c)
		return nil
	}
	return b
}
