package cpu

import (
	"slices"
	"unsafe"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// An input that is broadcast to the result costs no more than one in the shape of the result. It
// steps through memory in one of these ways:
//
//	inPeriod, inTiles   (C) along the last axis, or anything along the axes before its own
//	inRow               (C,1,1) over (N,C,H,W): the same element for a row, as the constant of a function
//	inRegister          any other, and short rows of functions without a kernel for rows: gathered for each block
//
// Where rows of such functions, or periods, are long, blocks end with them.

// shortest is the length of a row or period from which on blocks end with it.
const shortest = 192

// cuts says where blocks end: at multiples of piece from each multiple of row on, and there.
type cuts struct{ row, piece int }

// next is the length of the block that begins at element i, where blocks without cuts have that
// length.
func (c cuts) next(i, length int) int {
	if c.row == 0 {
		return length
	}
	at := i % c.row
	return min(c.piece-at%c.piece, c.row-at)
}

// cut makes blocks end with rows of n elements, and reports whether they do.
func (p *program) cut(n int) bool {
	if p.cuts.row > 0 {
		return n%p.cuts.row == 0
	}
	if n < shortest {
		return false
	}
	pieces := (n + block - 1) / block
	p.cuts = cuts{n, (n + pieces - 1) / pieces}
	return true
}

// gridOf returns the axes of the result, with the strides of an input of shape from.
func gridOf(from, to shape.Shape) (g grid) {
	strides, missing := from.Strides(), to.Rank()-from.Rank()
	for k := range to.Rank() {
		stride := 0
		if k >= missing && from.Int(k-missing) != 1 {
			stride = strides[k-missing]
		}
		g.add(to.Int(k), stride)
	}
	return g
}

// run is the number of elements of the result after which the input's place is not as simple: a
// row that reads the same element, or that many that adjoin.
func (g grid) run() int {
	last := g
	n, _ := last.pop()
	return n
}

// periodic reports whether the input repeats as a whole.
func (g grid) periodic() bool {
	return g.rank == 2 && g.stride[0] == 0 && g.stride[1] == 1
}

// spreadInputs makes the inputs readable in the shape of the result. The shortest rows come first,
// since longer ones often end where these do.
func (p *program) spreadInputs() {
	to := p.to
	p.inputs = make([]operand, len(p.in))
	var others []int
	for i, t := range p.in {
		p.inputs[i] = operand{place: inInput, dtype: t.DType, at: i}
		if t.Len() != to.Len() {
			others = append(others, i)
		}
	}
	length := func(i int) int { g := gridOf(p.in[i].Shape, to); return g.run() }
	slices.SortStableFunc(others, func(a, b int) int { return length(a) - length(b) })
	for _, i := range others {
		p.inputs[i] = p.spreadInput(i, gridOf(p.in[i].Shape, to))
	}
}

// spreadInput is where input i, of which the result takes elements by g, is found.
func (p *program) spreadInput(i int, g grid) operand {
	d := p.in[i].DType
	one := p.in[i].Len() == 1
	switch {
	case one && p.onlyConstant(i):
		return operand{place: inRow, dtype: d, at: i}
	case one:
		o := p.register(d)
		p.once = append(p.once, gatherTo(i, o, g))
		return o
	case g.periodic() && p.cut(g.run()):
		return operand{place: inPeriod, dtype: d, at: i, period: g.run()}
	case g.periodic() && g.run() <= block:
		o := operand{place: inTiles, dtype: d, at: p.registers, period: g.run()}
		p.registers += (block + tiledBlock) * d.Width()
		p.tiles += (block + tiledBlock) * d.Width()
		p.once = append(p.once, tileTo(i, o))
		return o
	case !g.periodic() && g.stride[g.rank-1] == 0 && p.onlyConstant(i) && (p.byRows(i) || p.cut(g.run())):
		return operand{place: inRow, dtype: d, at: i}
	}
	o := p.register(d)
	p.each = append(p.each, p.gather(i, o, g))
	return o
}

// tileTo repeats input i over a block and a period more.
func tileTo(i int, o operand) action {
	return func(f *frame) {
		dst := f.regs[o.at:][:(o.period+f.n)*o.dtype.Width()]
		for n := copy(dst, f.in[i]); n < len(dst); {
			n += copy(dst[n:], dst[:n])
		}
	}
}

// gather fills a register with the elements of the block, by vectors where there is a kernel.
func (p *program) gather(i int, o operand, g grid) action {
	rows := g
	n, stride := rows.pop()
	if o.dtype != shape.Float32 || stride != 0 {
		return gatherTo(i, o, g)
	}
	return func(f *frame) {
		dst, src := floats(f, o), engine.Slice[float32](f.call.In[i])
		k := f.start
		for len(dst) > 0 {
			at, left := k/n, n-k%n
			if left < n || len(dst) < n { // a row that is cut
				m := min(left, len(dst))
				p.simd.Vec.Repeat(dst[:m], m, src[rows.offset(at):], 1)
				dst, k = dst[m:], k+m
				continue
			}
			many, step := rows.along(at)
			many = min(many, len(dst)/n)
			p.simd.Vec.Repeat(dst[:many*n], n, src[rows.offset(at):], step)
			dst, k = dst[many*n:], k+many*n
		}
	}
}

// along returns how many elements, from i on, are a step apart from each other in memory.
func (g grid) along(i int) (n, step int) {
	last := g
	extent, step := last.pop()
	return extent - i%extent, step
}

// gatherTo is gather for any type.
func gatherTo(i int, o operand, g grid) action {
	switch o.dtype.Width() {
	case 1:
		return readWords[uint8](i, o, g)
	case 2:
		return readWords[shape.Half](i, o, g)
	case 4:
		return readWords[float32](i, o, g)
	}
	return readWords[float64](i, o, g)
}

func readWords[W word](i int, o operand, g grid) action {
	last := g
	extent, stride := last.pop()
	return func(f *frame) {
		src, b := words[W](f.call.In[i]), bytesOf(f, o)
		dst := unsafe.Slice((*W)(unsafe.Pointer(unsafe.SliceData(b))), f.n)
		for k := f.start; len(dst) > 0; {
			n := min(extent-k%extent, len(dst)) // to the end of the row
			if from := src[g.offset(k):]; stride == 0 {
				fill(dst[:n], from[0])
			} else {
				copy(dst[:n], from)
			}
			dst, k = dst[n:], k+n
		}
	}
}

// onlyConstant reports whether every step that reads input i can take it as a constant: as an
// operand of a function that has a kernel for that, beside one that is not broadcast.
func (p *program) onlyConstant(i int) bool {
	if d := p.in[i].DType; d != shape.Float32 && d != shape.Float64 {
		return false
	}
	for k, s := range p.m.Steps {
		if p.last[k] == 0 || !slices.Contains(p.reads(k), engine.In(i)) {
			continue
		}
		_, known := binaryOps[s.Fn]
		_, fused := p.axpy(k)
		_, whole := p.idioms[k]
		if !known || fused || whole || p.broadcast(s.Args[0]) == p.broadcast(s.Args[1]) {
			return false
		}
	}
	return true
}

// byRows reports whether every step that reads input i, as a constant, is a function for which there is a kernel of
// rows that have a number each.
func (p *program) byRows(i int) bool {
	for k, s := range p.m.Steps {
		at := slices.Index(p.reads(k), engine.In(i))
		if p.last[k] == 0 || at < 0 {
			continue
		}
		if commutes := s.Fn == engine.Add || s.Fn == engine.Mul; !vec.ByRows(binaryOps[s.Fn].both) || at == 0 && !commutes {
			return false
		}
	}
	return true
}

// broadcast reports whether a is a number, or an input that has fewer elements than the result.
func (p *program) broadcast(a engine.Arg) bool {
	if i, ok := a.Input(); ok {
		return p.in[i].Len() != p.to.Len()
	}
	_, number := a.Number()
	return number
}

// compileConstant compiles a step that has an input as its constant, if it is one.
func (p *program) compileConstant(fn engine.Fn, dst, x, y operand) (act action, ok bool) {
	switch ops := binaryOps[fn]; {
	case y.place == inRow && p.inRows(y):
		return p.rowsBy(ops.both, dst, x, y), true
	case x.place == inRow && p.inRows(x):
		return p.rowsBy(ops.both, dst, y, x), true
	case y.place == inRow:
		return p.vectorBy(ops.right, dst, x, y, fn == engine.Sub), true // x-c is x+(-c)
	case x.place == inRow:
		return p.vectorBy(ops.left, dst, y, x, false), true
	}
	return nil, false
}

// vectorBy is op of x and of the element of c that is the same for the block.
func (p *program) vectorBy(op vec.Op, dst, x, c operand, negative bool) action {
	if dst.dtype == shape.Float64 {
		return mapBy(p, p.simd.Vec.Map64, op, dst, x, c, negative)
	}
	return mapBy(p, p.simd.Vec.Map, op, dst, x, c, negative)
}

func mapBy[T float32 | float64](p *program, apply func(op vec.Op, dst, x, y []T, c T), op vec.Op, dst, x, c operand, negative bool) action {
	g := gridOf(p.in[c.at].Shape, p.to)
	return func(f *frame) {
		v := engine.Slice[T](f.call.In[c.at])[g.offset(f.start)]
		if negative {
			v = -v
		}
		apply(op, view[T](f, dst), view[T](f, x), nil, v)
	}
}

// inRows reports whether c, which is inRow, is for kernels of rows.
func (p *program) inRows(c operand) bool { return p.in[c.at].Len() > 1 && p.byRows(c.at) }

// rowsBy is op of x and, row by row, of elements of c.
func (p *program) rowsBy(op vec.Op, dst, x, c operand) action {
	if dst.dtype == shape.Float64 {
		return mapRowsBy(p, p.simd.Vec.MapRows64, op, dst, x, c)
	}
	return mapRowsBy(p, p.simd.Vec.MapRows, op, dst, x, c)
}

func mapRowsBy[T float32 | float64](p *program, apply func(op vec.Op, dst, x []T, n int, c []T, stride int), op vec.Op, dst, x, c operand) action {
	g := gridOf(p.in[c.at].Shape, p.to)
	n, _ := g.pop()
	return func(f *frame) {
		to, from, numbers := view[T](f, dst), view[T](f, x), engine.Slice[T](f.call.In[c.at])
		for k := f.start; len(to) > 0; {
			at, length, step := k/n, n-k%n, 0
			many := 1
			if length < n || len(to) < n { // a row that is cut
				length = min(length, len(to))
			} else {
				many, step = g.along(at)
				many = min(many, len(to)/n)
			}
			apply(op, to[:many*length], from, length, numbers[g.offset(at):], step)
			to, from, k = to[many*length:], from[many*length:], k+many*length
		}
	}
}
