package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pools writes the kernels of max pooling with windows two columns apart, or next to each other, and
// their table. They choose and move elements but compute nothing, so denormals stay as they are.
func pools(t *target) string {
	for _, size := range []int{2, 3} {
		t.maxPool(size, false)
		t.maxPool(size, true)
	}
	t.slidePool(false)
	t.slidePool(true)
	t.poolColumns()
	t.maxPoolScatter()
	return fmt.Sprintf("\nvar %[2]s = Kernels{\n"+
		"\tmax: [...]maxFunc{2: max2%[1]s, 3: max3%[1]s},\n"+
		"\tplaces: [...]placesFunc{2: places2%[1]s, 3: places3%[1]s},\n"+
		"\tslideMax: slideMax%[1]s, slidePlaces: slidePlaces%[1]s,\n"+
		"\tcolumns: columns%[1]s, scatter: scatter%[1]s,\n}\n", t.name, t.level())
}

const poolParams = "rows, n int, x *float32, xRow, xStep int, y *float32, yRow int"

// pool holds what the kernels share. A vector of windows lies over two vectors of each line, the
// lower and the upper.
type pool struct {
	*target
	x, y, xRow, left reg.GPVirtual
	xNext, yNext     int             // bytes from a vector of windows to the next, and of results
	evens, odds      reg.VecPhysical // AVX-512: which elements of two vectors
}

// Registers. AVX2 keeps the masks of the rest of a line in the last three vectors.
const (
	poolMasks    = 13
	poolOdds     = 16
	poolEvens    = 17
	maskLower    = 0
	maskUpper    = 1
	maskWindows  = 2
	notLessQuiet = 0x16 // not less or equal, or unordered
	ordered      = 0x07
)

var poolOpmasks = [...]reg.OpmaskPhysical{reg.K3, reg.K4, reg.K5}

func (t *target) newPool() *pool {
	p := &pool{target: t, x: t.GP64(), y: t.GP64(), xRow: t.arg("xRow"), left: t.GP64(), xNext: 2 * t.size, yNext: t.size}
	rest, low, high, width := t.GP64(), t.GP64(), t.GP64(), t.GP64()
	t.Load(t.Param("n"), rest)
	t.ANDQ(operand.Imm(uint64(t.width()-1)), rest)
	t.LEAQ(operand.Mem{Base: rest, Index: rest, Scale: 1}, low)
	t.MOVQ(low, high)
	t.MOVQ(operand.U32(uint32(t.width())), width)
	t.CMPQ(low, width)
	t.CMOVQGT(width, low)
	t.SUBQ(low, high)
	for i, n := range []reg.GPVirtual{low, high, rest} {
		p.setPoolMask(i, n)
	}
	if t.mask == opmask {
		var evens, odds []uint32
		for i := range uint32(t.width()) {
			evens, odds = append(evens, 2*i), append(odds, 2*i+1)
		}
		p.evens, p.odds = t.regs[poolEvens], t.regs[poolOdds]
		t.VMOVUPS(t.table("evens", evens), p.evens)
		t.VMOVUPS(t.table("odds", odds), p.odds)
	}
	return p
}

// setPoolMask makes mask i select the first n lanes, 0 <= n <= width.
func (p *pool) setPoolMask(i int, n reg.GPVirtual) {
	r := p.GP64()
	if p.mask == opmask {
		p.MOVQ(operand.I32(-1), r)
		p.BZHIQ(n, r, r)
		p.KMOVW(r.As32(), poolOpmasks[i])
		return
	}
	base := p.GP64()
	p.LEAQ(p.lanes.Offset(32), base)
	p.MOVQ(n, r)
	p.NEGQ(r)
	p.VMOVUPS(operand.Mem{Base: base, Index: r, Scale: 4}, p.regs[poolMasks+i])
}

// get loads a vector, or the lanes of mask i; put stores it.
func (p *pool) get(m operand.Mem, d reg.VecPhysical, masked bool, i int) {
	switch {
	case !masked:
		p.VMOVUPS(m, d)
	case p.mask == opmask:
		p.VMOVUPS_Z(m, poolOpmasks[i], d)
	default:
		p.VMASKMOVPS(m, p.regs[poolMasks+i], d)
	}
}

func (p *pool) put(s reg.VecPhysical, m operand.Mem, masked bool, i int) {
	switch {
	case !masked:
		p.VMOVUPS(s, m)
	case p.mask == opmask:
		p.VMOVUPS(s, poolOpmasks[i], m)
	default:
		p.VMASKMOVPS(s, p.regs[poolMasks+i], m)
	}
}

// line is where line a of the windows begins, disp elements on.
func (p *pool) line(base reg.Register, a, disp int) operand.Mem {
	m := operand.Mem{Base: base, Disp: 4 * disp}
	if a > 0 {
		m.Index, m.Scale = p.xRow, uint8(a)
	}
	return m
}

// columns loads the first two elements of line a of each window; b is scratch.
func (p *pool) columns(a int, even, odd, b reg.VecPhysical, masked bool) {
	p.get(p.line(p.x, a, 0), even, masked, maskLower)
	p.get(p.line(p.x, a, p.width()), b, masked, maskUpper)
	if p.mask == opmask {
		p.VMOVAPS(even, odd)
		p.VPERMT2PS(b, p.odds, odd)
		p.VPERMT2PS(b, p.evens, even)
		return
	}
	p.VSHUFPS(operand.Imm(0xdd), b, even, odd)
	p.VSHUFPS(operand.Imm(0x88), b, even, even)
	p.VPERMQ(operand.Imm(0xd8), odd, odd)
	p.VPERMQ(operand.Imm(0xd8), even, even)
}

// third loads the third elements. They are every other one from the line's second on, so that
// nothing beyond the last window is read.
func (p *pool) third(a int, d, b reg.VecPhysical, masked bool) {
	p.get(p.line(p.x, a, 1), d, masked, maskLower)
	p.get(p.line(p.x, a, 1+p.width()), b, masked, maskUpper)
	if p.mask == opmask {
		p.VPERMT2PS(b, p.odds, d)
		return
	}
	p.VSHUFPS(operand.Imm(0xdd), b, d, d)
	p.VPERMQ(operand.Imm(0xd8), d, d)
}

// beats compares v with the best before it: greater, or the first NaN. It leaves a mask in K2, or
// t.
func (p *pool) beats(v, best, t, u reg.VecPhysical) {
	if p.mask == opmask {
		p.VCMPPS(operand.Imm(notLessQuiet), best, v, reg.K2)
		p.VCMPPS(operand.Imm(ordered), best, best, reg.K2, reg.K2)
		return
	}
	p.VCMPPS(operand.Imm(notLessQuiet), best, v, t)
	p.VCMPPS(operand.Imm(ordered), best, best, u)
	p.VANDPS(u, t, t)
}

// keep sets d to v where beats found so.
func (p *pool) keep(v, d, t reg.VecPhysical) {
	if p.mask == opmask {
		p.VMOVAPS(v, reg.K2, d)
		return
	}
	p.VBLENDVPS(t, v, d, d)
}

// eachRow runs body along rows of windows, for whole vectors and for the rest; begin starts a row,
// and next goes on to the next vector.
func (p *pool) eachRow(begin func(), body func(masked bool), next func()) {
	x0, y0, rows := p.arg("x"), p.arg("y"), p.arg("rows")
	p.Label("row")
	p.MOVQ(x0, p.x)
	p.MOVQ(y0, p.y)
	p.Load(p.Param("n"), p.left)
	begin()
	p.along("vectors", p.left, 1, "rest", func() {
		body(false)
		p.ADDQ(operand.U32(uint32(p.xNext)), p.x)
		p.ADDQ(operand.U32(uint32(p.yNext)), p.y)
		next()
	})
	p.Label("rest")
	p.TESTQ(p.left, p.left)
	p.JE(operand.LabelRef("next"))
	body(true)
	p.Label("next")
	p.ADDQ(p.param("xStep"), x0)
	p.ADDQ(p.param("yRow"), y0)
	p.DECQ(rows)
	p.JNE(operand.LabelRef("row"))
	p.VZEROUPPER()
	p.RET()
}

// poolFunction starts a function.
func (t *target) poolFunction(name, doc, params string) *pool {
	t.Function(name + t.name)
	t.Doc(name + t.name + " " + doc)
	t.Attributes(attr.NOSPLIT)
	t.Pragma("noescape")
	t.SignatureExpr("func(" + params + ")")
	return t.newPool()
}

// maxPool emits the maxima of windows, or their places.
func (t *target) maxPool(size int, places bool) {
	name, doc, params := "max", "sets y to the largest element", poolParams
	if places {
		name, doc = "places", "sets y to the place of the largest element"
		params = "rows, n int, x *float32, xRow, xStep int, y *int32, yRow, first, step int"
	}
	doc += fmt.Sprintf(" of each window of %[1]d×%[1]d of x, for rows of n windows. Lines are xRow bytes apart, rows xStep, results yRow.", size)
	p := t.poolFunction(fmt.Sprintf("%s%d", name, size), doc, params)
	r := t.regs
	even, odd, more, b, best, v, u := r[0], r[1], r[2], r[3], r[4], r[7], r[8]
	place, candidate, firsts, one, jump := r[5], r[6], r[9], r[10], r[11]
	var first reg.GPVirtual
	var columns operand.Mem
	if places {
		var twice []uint32
		for i := range uint32(t.width()) {
			twice = append(twice, 2*i)
		}
		first = t.arg("first")
		columns = t.table("twice", twice)
		t.VMOVUPS(t.table("one", repeat(t.width(), 1)), one)
		t.MOVQ(p.xRow, p.left)
		t.SHRQ(operand.Imm(2), p.left)
		t.SUBQ(operand.Imm(uint64(size-1)), p.left)
		t.spreadInt(p.left, jump) // from a line's last element to the next one's first
	}
	p.eachRow(func() {
		if places {
			t.spreadInt(first, firsts)
			t.VPADDD(columns, firsts, firsts)
			t.ADDQ(t.param("step"), first)
		}
	}, func(masked bool) {
		for a := range size {
			p.columns(a, even, odd, b, masked)
			cells := []reg.VecPhysical{even, odd}
			if size == 3 {
				p.third(a, more, b, masked)
				cells = append(cells, more)
			}
			for i, c := range cells {
				switch {
				case a+i == 0:
					t.VMOVAPS(c, best)
					if places {
						t.VMOVAPS(firsts, place)
						t.VMOVAPS(firsts, candidate)
					}
					continue
				case places && i == 0:
					t.VPADDD(jump, candidate, candidate)
				case places:
					t.VPADDD(one, candidate, candidate)
				}
				p.beats(c, best, v, u)
				p.keep(c, best, v)
				if places {
					p.keep(candidate, place, v)
				}
			}
		}
		result := best
		if places {
			result = place
		}
		p.put(result, operand.Mem{Base: p.y}, masked, maskWindows)
	}, func() {
		if places {
			t.VPADDD(t.memory(constant(2*t.width())), firsts, firsts)
		}
	})
}

// slidePool emits the maxima of windows of any size, or their places, for windows next to each other.
// A vector of windows lies over a vector of each line, and those that begin one element further on.
func (t *target) slidePool(places bool) {
	name, doc, params := "slideMax", "sets y to the largest element", "rows, n, size int, x *float32, xRow, xStep int, y *float32, yRow int"
	if places {
		name, doc = "slidePlaces", "sets y to the place of the largest element"
		params = "rows, n, size int, x *float32, xRow, xStep int, y *int32, yRow, first, step int"
	}
	doc += " of each window of size×size elements of x, for rows of n windows next to each other. Lines are xRow bytes apart, rows xStep, results yRow."
	t.Function(name + t.name)
	t.Doc(name + t.name + " " + doc)
	t.Attributes(attr.NOSPLIT)
	t.Pragma("noescape")
	t.SignatureExpr("func(" + params + ")")
	w := &slidingPool{pool: &pool{target: t, x: t.GP64(), y: t.GP64(), xRow: t.arg("xRow"), left: t.GP64()}, places: places,
		line: t.GP64(), at: t.GP64(), lines: t.GP64(), cells: t.GP64(), size: t.arg("size")}
	x0, y0, rows := t.arg("x"), t.arg("y"), t.arg("rows")
	if places {
		var lanes []uint32
		for i := range uint32(t.width()) {
			lanes = append(lanes, i)
		}
		t.table("places", lanes)
		t.VMOVUPS(t.table("one", repeat(t.width(), 1)), w.one())
		t.MOVQ(w.xRow, w.line)
		t.SHRQ(operand.Imm(2), w.line)
		t.SUBQ(w.size, w.line)
		t.spreadInt(w.line, w.jump())
	}
	t.Label("row")
	t.MOVQ(x0, w.x)
	t.MOVQ(y0, w.y)
	t.Load(t.Param("n"), w.left)
	if places {
		t.Load(t.Param("first"), w.at)
		t.spreadInt(w.at, w.firsts())
		t.VPADDD(t.table("places", nil), w.firsts(), w.firsts())
		t.Load(t.Param("step"), w.at)
		t.ADDQ(w.at, t.param("first"))
	}
	for _, vectors := range []int{w.most(), 1} {
		label := fmt.Sprint("by", vectors)
		t.along(label, w.left, vectors, "behind"+label, func() { w.windows(label, vectors, false) })
		t.Label("behind" + label)
	}
	t.TESTQ(w.left, w.left)
	t.JE(operand.LabelRef("next"))
	t.setMask(w.left)
	w.windows("masked", 1, true)
	t.Label("next")
	t.ADDQ(t.param("xStep"), x0)
	t.ADDQ(t.param("yRow"), y0)
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.VZEROUPPER()
	t.RET()
}

// slidingPool has several vectors of windows at a time, so that comparisons need not wait for each other.
type slidingPool struct {
	*pool
	places                       bool
	line, at, lines, cells, size reg.GPVirtual
}

// most is how many vectors the registers have room for.
func (w *slidingPool) most() int {
	if w.mask == opmask {
		return 4
	}
	return 2
}

// Registers: of each vector its largest elements and their places, counted from the window's first
// element; one element to compare and two masks; and what all share.

func (w *slidingPool) best(v int) reg.VecPhysical  { return w.regs[v] }
func (w *slidingPool) place(v int) reg.VecPhysical { return w.regs[w.most()+v] }
func (w *slidingPool) spare(i int) reg.VecPhysical { return w.regs[2*w.most()+i] }
func (w *slidingPool) one() reg.VecPhysical        { return w.spare(3) }
func (w *slidingPool) jump() reg.VecPhysical       { return w.spare(4) } // from behind a line's last element to the next one's first
func (w *slidingPool) firsts() reg.VecPhysical     { return w.spare(5) } // places of the windows' first elements
func (w *slidingPool) candidate() reg.VecPhysical  { return w.spare(6) }

// windows does so many vectors of windows.
func (w *slidingPool) windows(label string, vectors int, masked bool) {
	cell, v, u := w.spare(0), w.spare(1), w.spare(2)
	for i := range vectors {
		w.load(operand.Mem{Base: w.x, Disp: i * w.target.size}, w.best(i), masked)
		if w.places {
			w.zero(w.place(i))
		}
	}
	if w.places {
		w.zero(w.candidate())
	}
	w.MOVQ(w.x, w.line)
	w.MOVQ(w.size, w.lines)
	w.Label(label + "line")
	w.MOVQ(w.line, w.at)
	w.MOVQ(w.size, w.cells)
	w.Label(label + "cell")
	for i := range vectors {
		w.load(operand.Mem{Base: w.at, Disp: i * w.target.size}, cell, masked)
		w.beats(cell, w.best(i), v, u)
		w.keep(cell, w.best(i), v)
		if w.places {
			w.keep(w.candidate(), w.place(i), v)
		}
	}
	if w.places {
		w.VPADDD(w.one(), w.candidate(), w.candidate())
	}
	w.ADDQ(operand.Imm(4), w.at)
	w.DECQ(w.cells)
	w.JNE(operand.LabelRef(label + "cell"))
	if w.places {
		w.VPADDD(w.jump(), w.candidate(), w.candidate())
	}
	w.ADDQ(w.xRow, w.line)
	w.DECQ(w.lines)
	w.JNE(operand.LabelRef(label + "line"))
	for i := range vectors {
		result := w.best(i)
		if w.places {
			result = w.place(i)
			w.VPADDD(w.firsts(), result, result)
			w.VPADDD(w.table("width", repeat(w.width(), uint32(w.width()))), w.firsts(), w.firsts())
		}
		w.store(result, operand.Mem{Base: w.y, Disp: i * w.target.size}, masked)
	}
	w.ADDQ(operand.U32(uint32(vectors*w.target.size)), w.x)
	w.ADDQ(operand.U32(uint32(vectors*w.target.size)), w.y)
}

// poolColumns emits the largest elements of the columns of windows as keys of 64 bits. The lower half is
// the complement of the place; the upper one is in the order of the elements as an integer: 0 for zeros
// of both signs, the most for NaN.
func (t *target) poolColumns() {
	p := t.poolFunction("columns", "sets y to the keys of the largest of each lines elements of x below each other, for rows of n columns. Lines are xRow bytes apart, rows xStep, results yRow.",
		"rows, n, lines int, x *float32, xRow, xStep int, y *int64, yRow, first, step int")
	p.xNext, p.yNext = t.size, 2*t.size
	r := t.regs
	best, place, cell, v, u, candidate := r[0], r[1], r[2], r[3], r[4], r[5]
	firsts, jump, down, most := r[6], r[7], r[8], r[9]
	low, high := p.interleaving()
	var complements []uint32
	for i := range uint32(t.width()) {
		complements = append(complements, ^i)
	}
	t.VMOVUPS(t.table("complements", complements), down)
	t.VMOVUPS(t.table("most", repeat(t.width(), 1<<31-1)), most)
	first, at, lines := t.arg("first"), t.GP64(), t.GP64()
	t.MOVQ(p.xRow, at)
	t.SHRQ(operand.Imm(2), at)
	t.spreadInt(at, jump)
	p.eachRow(func() {
		t.spreadInt(first, firsts)
		t.VPSUBD(firsts, down, firsts)
		t.ADDQ(t.param("step"), first)
	}, func(masked bool) {
		label := map[bool]string{false: "line", true: "restLine"}[masked]
		p.get(operand.Mem{Base: p.x}, best, masked, maskWindows)
		t.VMOVAPS(firsts, place)
		t.VMOVAPS(firsts, candidate)
		t.MOVQ(p.x, at)
		t.Load(t.Param("lines"), lines)
		t.Label(label)
		t.DECQ(lines)
		t.JE(operand.LabelRef(label + "s"))
		t.ADDQ(p.xRow, at)
		t.VPSUBD(jump, candidate, candidate)
		p.get(operand.Mem{Base: at}, cell, masked, maskWindows)
		p.beats(cell, best, v, u)
		p.keep(cell, best, v)
		p.keep(candidate, place, v)
		t.JMP(operand.LabelRef(label))
		t.Label(label + "s")
		p.compare(func(to ...operand.Op) {
			t.VCMPPS(append([]operand.Op{operand.Imm(unordered), best, best}, to...)...)
		}, v)
		t.zero(u)
		t.VADDPS(u, best, best) // -0 becomes 0
		t.VPSRAD(operand.Imm(31), best, cell)
		t.VPSRLD(operand.Imm(1), cell, cell)
		t.VXORPS(cell, best, best)
		p.keep(most, best, v)
		p.interleave(place, best, u, low, high)
		p.put(place, operand.Mem{Base: p.y}, masked, maskLower)
		p.put(best, operand.Mem{Base: p.y, Disp: t.size}, masked, maskUpper)
	}, func() { t.VPSUBD(t.table("width", repeat(t.width(), uint32(t.width()))), firsts, firsts) })
}

// spreadInt fills d with the low half of r.
func (t *target) spreadInt(r reg.GPVirtual, d reg.VecPhysical) {
	t.VMOVD(r.As32(), d.AsX())
	t.VPBROADCASTD(d.AsX(), d)
}

// maxPoolScatter emits the gradient for windows of 2×2 that do not overlap.
func (t *target) maxPoolScatter() {
	p := t.poolFunction("scatter", "sets dx, laid out like x, to y at the place of the largest of each 2×2 elements of x, and to 0 at the others.",
		poolParams+", dx *float32")
	r := t.regs
	even0, odd0, even1, odd1, b, dy := r[0], r[1], r[2], r[3], r[4], r[5]
	right, lower, u, w := r[6], r[7], r[8], r[9]
	dx0, dx := t.arg("dx"), t.GP64()
	low, high := p.interleaving()
	p.eachRow(func() {
		t.MOVQ(dx0, dx)
		t.ADDQ(t.param("xStep"), dx0)
	}, func(masked bool) {
		p.columns(0, even0, odd0, b, masked)
		p.columns(1, even1, odd1, b, masked)
		p.get(operand.Mem{Base: p.y}, dy, masked, maskWindows)
		best := func(even, odd, won reg.VecPhysical) { // leaves the larger in even
			p.beats(odd, even, won, u)
			p.keep(odd, even, won)
			p.toVector(won)
		}
		best(even0, odd0, right)
		best(even1, odd1, w)
		p.beats(even1, even0, lower, u)
		p.toVector(lower)
		for a, won := range []reg.VecPhysical{right, w} {
			even, odd := []reg.VecPhysical{even0, even1}[a], []reg.VecPhysical{odd0, odd1}[a]
			if a == 0 {
				t.VANDNPS(dy, lower, b)
			} else {
				t.VANDPS(dy, lower, b)
			}
			t.VANDNPS(b, won, even)
			t.VANDPS(b, won, odd)
			p.interleave(even, odd, u, low, high)
			p.put(even, p.line(dx, a, 0), masked, maskLower)
			p.put(odd, p.line(dx, a, p.width()), masked, maskUpper)
		}
	}, func() { t.ADDQ(operand.U32(uint32(2*t.size)), dx) })
}

// toVector makes a vector of the mask that beats left.
func (p *pool) toVector(d reg.VecPhysical) {
	if p.mask == opmask {
		p.VPMOVM2D(reg.K2, d)
	}
}

// interleaving loads what interleave needs: which elements of two vectors are the lower and the
// upper.
func (p *pool) interleaving() (low, high reg.VecPhysical) {
	if p.mask != opmask {
		return nil, nil
	}
	var lows, highs []uint32
	w := uint32(p.width())
	for i := range w / 2 {
		lows, highs = append(lows, i, w+i), append(highs, w/2+i, w+w/2+i)
	}
	low, high = p.regs[18], p.regs[19]
	p.VMOVUPS(p.table("interleaveLow", lows), low)
	p.VMOVUPS(p.table("interleaveHigh", highs), high)
	return low, high
}

// interleave turns a and b into the lower and the upper half of a0 b0 a1 b1...; t is scratch.
func (p *pool) interleave(a, b, t, low, high reg.VecPhysical) {
	if p.mask == opmask {
		p.VMOVAPS(a, t)
		p.VPERMT2PS(b, low, a)
		p.VPERMT2PS(b, high, t)
		p.VMOVAPS(t, b)
		return
	}
	p.VUNPCKLPS(b, a, t)
	p.VUNPCKHPS(b, a, b)
	p.VPERM2F128(operand.Imm(0x20), b, t, a)
	p.VPERM2F128(operand.Imm(0x31), b, t, b)
}
