package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// winoForm is Winograd's convolution F(tile×tile, filter×filter), of tile+filter-1 = 6, so that all
// forms share the points and the images' transform. A vector of tiles is as many groups as a tile
// is wide: tiles side by side, whose outputs fill one vector of an image's line.
type winoForm struct {
	tile, filter  int
	adjoint, taps winoLine // of outputs, and of filters
	tapsAdjoint   winoLine
	result        func() []reg.VecPhysical // from the first six registers
	load          func(line []reg.VecPhysical, part func(part, group int, to reg.VecPhysical), wide bool)
	unfold        func(outputs []reg.VecPhysical) []reg.VecPhysical
}

// winoLine transforms the first registers, which hold a line or column of tiles, and hands the
// results on.
type winoLine func(put func(i int, v reg.Register))

func (t *target) winoForms() []winoForm {
	return []winoForm{
		{4, 3, t.winoAdjoint4, t.winoTaps3, t.winoTapsAdjoint3, t.winoResult4, t.winoLoad4, t.winoUnfold4},
		{2, 5, t.winoAdjoint2, t.winoTaps5, t.winoTapsAdjoint5, t.winoResult2, t.winoLoad2, t.winoUnfold2},
	}
}

// winograd writes the transforms of Winograd's convolutions and of their filter gradients.
func winograd(t *target) string {
	words := 1
	if t.mask == vecmask {
		words = t.width()
	}
	table := fmt.Sprintf("var %s = Kernels{vector: true, lanes: %d, maskWords: %d, forms: []form{\n", t.level(), t.width(), words)
	for _, f := range t.winoForms() {
		t.winoImage(f, fmt.Sprintf("in%d", f.tile), fmt.Sprintf("transforms 6×6 tiles of channels of an image, %d apart, for the product.", f.tile), 6, t.winoInput)
		t.winoImage(f, fmt.Sprintf("dy%d", f.tile), fmt.Sprintf("transforms %[1]d×%[1]d tiles of channels of an output's gradient for the product.", f.tile), f.tile, f.adjoint)
		t.winoOut(f)
		t.winoFlat(fmt.Sprintf("filter%d", f.filter), fmt.Sprintf("transforms n %[1]d×%[1]d filters, whose elements are ws bytes apart, to products' factors us bytes apart.", f.filter), f.filter, 6, f.taps)
		t.winoFlat(fmt.Sprintf("filterGrad%d", f.filter), fmt.Sprintf("is the adjoint of filter%d: from factors us bytes apart to elements ws bytes apart.", f.filter), 6, f.filter, f.tapsAdjoint)
		table += strings.NewReplacer("TILE", fmt.Sprint(f.tile), "SIZE", fmt.Sprint(f.filter), "LEVEL", t.name).Replace(
			"{tile: TILE, size: SIZE, in: inTILELEVEL, dy: dyTILELEVEL, out: outTILELEVEL, filter: filterSIZELEVEL, filterGrad: filterGradSIZELEVEL},\n")
	}
	return table + "}}\n"
}

// use is the mask of a table's entry.
func (t *target) use(masks reg.Register, entry int) {
	if t.mask == opmask {
		t.KMOVW(operand.Mem{Base: masks, Disp: 4 * entry}, reg.K1)
		return
	}
	t.VMOVUPS(operand.Mem{Base: masks, Disp: t.size * entry}, t.maskReg())
}

// turnLanes transposes the 4×4 elements that four registers hold in each lane of 128 bits.
func (t *target) turnLanes(r, free []reg.VecPhysical) {
	t.VUNPCKLPS(r[1], r[0], free[0])
	t.VUNPCKHPS(r[1], r[0], free[1])
	t.VUNPCKLPS(r[3], r[2], free[2])
	t.VUNPCKHPS(r[3], r[2], free[3])
	t.VUNPCKLPD(free[2], free[0], r[0])
	t.VUNPCKHPD(free[2], free[0], r[1])
	t.VUNPCKLPD(free[3], free[1], r[2])
	t.VUNPCKHPD(free[3], free[1], r[3])
}

// winoImage writes a kernel that reads tiles of rows×rows elements and writes 36 vectors for each
// channel. line transforms the first registers, rows of them, to six vectors.
func (t *target) winoImage(f winoForm, name, doc string, rows int, line winoLine) {
	t.begin(name+t.name, doc, "channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, cells *float32, flags int")
	var x []reg.GPVirtual
	at := t.arg("at")
	for g := range f.tile {
		r := t.arg("x")
		t.ADDQ(operand.Mem{Base: at, Disp: 8 * g}, r)
		x = append(x, r)
	}
	row, masks, cells, left := t.arg("row"), t.arg("masks"), t.arg("cells"), t.arg("channels")
	off, es, v, ahead := t.GP64(), t.arg("es"), t.GP64(), t.GP64()
	t.winoConstants()
	t.Label("channel")
	t.XORQ(off, off)
	t.TESTQ(operand.U32(abi.FlagWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	lines := func(masked bool) {
		t.Load(t.Param("xs"), ahead)
		t.ADDQ(ahead, ahead)
		for i := range rows {
			if i >= rows-f.tile { // the lines that tiles do not share
				for _, r := range x {
					t.PREFETCHT0(operand.Mem{Base: r, Index: ahead, Scale: 1})
					t.PREFETCHT0(operand.Mem{Base: r, Index: ahead, Scale: 1, Disp: t.size})
				}
			}
			t.ADDQ(row, ahead)
			f.load(t.regs[:rows], t.winoPart(f, x, off, masks, i, rows, masked), rows == 6)
			if i < rows-1 {
				t.ADDQ(row, off)
			}
			line(func(j int, v reg.Register) { t.VMOVUPS(v, operand.Mem{Base: cells, Disp: t.size * (6*i + j)}) })
		}
	}
	lines(false)
	t.JMP(operand.LabelRef("columns"))
	t.Label("masked")
	lines(true)
	t.Label("columns")
	for j := range 6 {
		for i := range rows {
			t.VMOVUPS(operand.Mem{Base: cells, Disp: t.size * (6*i + j)}, t.regs[i])
		}
		t.MOVQ(t.param("v"), v)
		for range j {
			t.ADDQ(es, v)
		}
		t.LEAQ(operand.Mem{Base: es, Index: es, Scale: 2}, off)
		t.ADDQ(off, off)
		line(func(i int, r reg.Register) {
			// In the order 0 to 5.
			t.VMOVUPS(r, operand.Mem{Base: v})
			if i < 5 {
				t.ADDQ(off, v)
			}
		})
	}
	t.Load(t.Param("cs"), off)
	t.ADDQ(off, t.param("v"))
	for _, r := range x {
		t.ADDQ(t.param("xs"), r)
	}
	t.DECQ(left)
	t.JNE(operand.LabelRef("channel"))
	t.end()
}

// winoConstants keeps 4 and 2 in registers that transforms leave alone.
func (t *target) winoConstants() {
	t.VMOVUPS(t.memory(f(4)), t.regs[13])
	t.VMOVUPS(t.memory(f(2)), t.regs[14])
}

// winoPart returns what reads a part of line i of a group of tiles of so many columns: a vector
// from column part*tile on.
func (t *target) winoPart(f winoForm, x []reg.GPVirtual, off, masks reg.Register, i, columns int, masked bool) func(part, group int, to reg.VecPhysical) {
	parts := columns / f.tile
	if columns%f.tile > 0 {
		parts++
	}
	return func(part, group int, to reg.VecPhysical) {
		if masked {
			t.use(masks, (i*parts+part)*f.tile+group)
		}
		t.load(operand.Mem{Base: x[group], Index: off, Scale: 1, Disp: 4 * f.tile * part}, to, masked)
	}
}

// winoLoad4 reads a line of a vector of tiles: columns 0 to 3 of each tile to the first registers,
// and with wide columns 4 and 5, which are the next tile's first, to the two after them.
func (t *target) winoLoad4(_ []reg.VecPhysical, part func(part, group int, to reg.VecPhysical), wide bool) {
	r := t.regs
	for g := range 4 {
		part(0, g, r[g])
	}
	t.turnLanes(r[:4], r[8:12])
	if !wide {
		return
	}
	for g := range 4 {
		part(1, g, r[4+g])
	}
	t.VUNPCKLPS(r[5], r[4], r[8])
	t.VUNPCKLPS(r[7], r[6], r[9])
	t.VUNPCKLPD(r[9], r[8], r[4])
	t.VUNPCKHPD(r[9], r[8], r[5])
}

// winoLoad2 reads a line of tiles that begin at each second column: even columns of both groups,
// then odd ones.
func (t *target) winoLoad2(line []reg.VecPhysical, part func(part, group int, to reg.VecPhysical), _ bool) {
	a, b := t.regs[6], t.regs[7]
	for i := 0; i < len(line); i += 2 {
		part(i/2, 0, a)
		part(i/2, 1, b)
		t.VSHUFPS(operand.U8(0x88), b, a, line[i])
		t.VSHUFPS(operand.U8(0xdd), b, a, line[i+1])
	}
}

// winoUnfold4 gives the groups' lines of outputs, of which registers hold a column each.
func (t *target) winoUnfold4(out []reg.VecPhysical) []reg.VecPhysical {
	t.turnLanes(out, t.regs[:4])
	return out
}

func (t *target) winoUnfold2(out []reg.VecPhysical) []reg.VecPhysical {
	t.VUNPCKLPS(out[1], out[0], t.regs[0])
	t.VUNPCKHPS(out[1], out[0], t.regs[1])
	return t.regs[:2]
}

// addTimes is d += c*x, subTimes d -= c*x, sub a - b.
func (t *target) addTimes(c, x, d reg.VecPhysical) { t.VFMADD231PS(c, x, d) }
func (t *target) subTimes(c, x, d reg.VecPhysical) { t.VFNMADD231PS(c, x, d) }
func (t *target) sub(a, b, d reg.VecPhysical)      { t.VSUBPS(b, a, d) }
func (t *target) sum(a, b, d reg.VecPhysical)      { t.VADDPS(b, a, d) }

// winoInput is the transform of images for the points 0, 1, -1, 2, -2 and infinity.
func (t *target) winoInput(put func(i int, v reg.Register)) {
	d, four, two := t.regs[:6], t.regs[13], t.regs[14]
	a, b, c, e, u, w := t.regs[6], t.regs[7], t.regs[8], t.regs[9], t.regs[10], t.regs[11]
	t.sub(d[4], d[2], c)
	t.sub(d[3], d[1], e)
	t.VMOVAPS(d[4], a)
	t.subTimes(four, d[2], a)
	t.VMOVAPS(d[3], b)
	t.subTimes(four, d[1], b)
	t.sub(d[0], d[2], u)
	t.VFMADD213PS(c, four, u) // 4(d0-d2) + (d4-d2)
	t.sub(d[5], d[3], w)
	t.subTimes(four, e, w)
	put(0, u)
	t.sum(a, b, u)
	put(1, u)
	t.sub(a, b, a)
	put(2, a)
	t.VMOVAPS(c, b)
	t.addTimes(two, e, b)
	put(3, b)
	t.subTimes(two, e, c)
	put(4, c)
	put(5, w)
}

// winoAdjoint4 is the adjoint of winoResult4.
func (t *target) winoAdjoint4(put func(i int, v reg.Register)) {
	y, four, two := t.regs[:4], t.regs[13], t.regs[14]
	p, q, r, s, u := t.regs[4], t.regs[5], t.regs[6], t.regs[7], t.regs[8]
	t.sum(y[0], y[2], p)
	t.sum(y[1], y[3], q)
	t.VMOVAPS(y[0], r)
	t.addTimes(four, y[2], r)
	t.VMOVAPS(y[1], s)
	t.addTimes(four, y[3], s)
	put(0, y[0])
	t.sum(p, q, u)
	put(1, u)
	t.sub(p, q, p)
	put(2, p)
	t.VMOVAPS(r, u)
	t.addTimes(two, s, u)
	put(3, u)
	t.subTimes(two, s, r)
	put(4, r)
	put(5, y[3])
}

func (t *target) winoAdjoint2(put func(i int, v reg.Register)) {
	y, two := t.regs[:2], t.regs[14]
	u, v := t.regs[2], t.regs[3]
	put(0, y[0])
	t.sum(y[0], y[1], u)
	put(1, u)
	t.sub(y[0], y[1], v)
	put(2, v)
	t.VMOVAPS(y[0], u)
	t.addTimes(two, y[1], u)
	put(3, u)
	t.subTimes(two, y[1], y[0])
	put(4, y[0])
	put(5, y[1])
}

// winoResult4 transforms six vectors of products, the first registers, to the four returned.
func (t *target) winoResult4() []reg.VecPhysical {
	m, four := t.regs[:6], t.regs[13]
	p, q, r, s, a, b := t.regs[6], t.regs[7], t.regs[8], t.regs[9], t.regs[10], t.regs[11]
	t.sum(m[1], m[2], p)
	t.sub(m[1], m[2], q)
	t.sum(m[3], m[4], r)
	t.sub(m[3], m[4], s)
	t.sum(m[0], p, a)
	t.sum(a, r, a)
	t.sum(s, s, s)
	t.sum(q, s, b) // m1 - m2 + 2(m3 - m4)
	t.addTimes(four, r, p)
	t.sum(m[5], q, q)
	t.addTimes(four, s, q) // m1 - m2 + 8(m3 - m4) + m5
	return []reg.VecPhysical{a, b, p, q}
}

func (t *target) winoResult2() []reg.VecPhysical {
	m, two := t.regs[:6], t.regs[14]
	p, q, r, s := t.regs[6], t.regs[7], t.regs[8], t.regs[9]
	t.sum(m[1], m[2], p)
	t.sub(m[1], m[2], q)
	t.sum(m[3], m[4], r)
	t.sub(m[3], m[4], s)
	t.sum(m[0], p, p)
	t.sum(p, r, p)
	t.sum(m[5], q, q)
	t.addTimes(two, s, q)
	return []reg.VecPhysical{p, q}
}

// winoOut finishes channels of the output.
func (t *target) winoOut(f winoForm) {
	name := fmt.Sprintf("out%d", f.tile)
	t.begin(name+t.name, fmt.Sprintf("transforms the products for channels of a vector of tiles, and finishes %[1]d×%[1]d outputs of each tile.", f.tile),
		"channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias, cells *float32, flags int")
	var y []reg.GPVirtual
	at := t.arg("at")
	for g := range f.tile {
		r := t.arg("y")
		t.ADDQ(operand.Mem{Base: at, Disp: 8 * g}, r)
		y = append(y, r)
	}
	row, masks, cells, left := t.arg("row"), t.arg("masks"), t.arg("cells"), t.arg("channels")
	m, es, off := t.GP64(), t.GP64(), t.GP64()
	t.winoConstants()
	t.Label("channel")
	for j := range 6 {
		t.Load(t.Param("es"), es)
		t.MOVQ(t.param("m"), m)
		for range j {
			t.ADDQ(es, m)
		}
		t.LEAQ(operand.Mem{Base: es, Index: es, Scale: 2}, es)
		t.ADDQ(es, es)
		for i := range 6 {
			t.VMOVUPS(operand.Mem{Base: m}, t.regs[i])
			if i < 5 {
				t.ADDQ(es, m)
			}
		}
		for i, r := range f.result() {
			t.VMOVUPS(r, operand.Mem{Base: cells, Disp: t.size * (6*i + j)})
		}
	}
	t.XORQ(off, off)
	t.TESTQ(operand.U32(abi.FlagWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	lines := func(label string, masked bool) {
		for i := range f.tile {
			t.winoOutLine(f, fmt.Sprintf("%s%d", label, i), i, y, off, masks, cells, masked)
			if i < f.tile-1 {
				t.ADDQ(row, off)
			}
		}
	}
	lines("whole", false)
	t.JMP(operand.LabelRef("next"))
	t.Label("masked")
	lines("masked", true)
	t.Label("next")
	t.Load(t.Param("ms"), off)
	t.ADDQ(off, t.param("m"))
	t.ADDQ(operand.Imm(4), t.param("bias"))
	for _, r := range y {
		t.ADDQ(t.param("ys"), r)
	}
	t.DECQ(left)
	t.JNE(operand.LabelRef("channel"))
	t.end()
}

// winoOutLine finishes line i of the outputs.
func (t *target) winoOutLine(f winoForm, label string, i int, y []reg.GPVirtual, off, masks, cells reg.Register, masked bool) {
	for j := range 6 {
		t.VMOVUPS(operand.Mem{Base: cells, Disp: t.size * (6*i + j)}, t.regs[j])
	}
	out, x := f.result(), t.regs[12]
	t.when(abi.FlagRowBias, label+"bias", func() {
		p := t.GP64()
		t.MOVQ(t.param("bias"), p)
		t.broadcast(operand.Mem{Base: p}, x)
		for _, r := range out {
			t.add(x, r, r)
		}
	})
	out = f.unfold(out)
	line := func(g int) operand.Mem { return operand.Mem{Base: y[g], Index: off, Scale: 1} }
	t.when(abi.FlagAdd, label+"add", func() {
		for g, r := range out {
			if masked {
				t.use(masks, i*f.tile+g)
			}
			t.load(line(g), x, masked)
			t.add(x, r, r)
		}
	})
	t.when(abi.FlagReLU, label+"relu", func() {
		t.zero(x)
		for _, r := range out {
			t.max(r, x, r) // in this order a NaN stays
		}
	})
	for g, r := range out {
		if masked {
			t.use(masks, i*f.tile+g)
		}
		t.store(r, line(g), masked)
	}
}

// winoFlat writes a kernel that transforms squares of from×from elements, each a vector, to squares
// of to×to, for n squares in lanes. The smaller are in w and the larger in u.
func (t *target) winoFlat(name, doc string, from, to int, line winoLine) {
	t.begin(name+t.name, doc, "n int, w *float32, ws int, u *float32, us int, cells *float32")
	left, cells := t.arg("n"), t.arg("cells")
	in, out, is, os := t.arg("w"), t.arg("u"), t.arg("ws"), t.arg("us")
	if from > to {
		in, out, is, os = out, in, os, is
	}
	p := t.GP64()
	turn := func(masked bool) {
		t.MOVQ(in, p)
		for i := range from {
			for j := range from {
				t.load(operand.Mem{Base: p}, t.regs[j], masked)
				t.ADDQ(is, p)
			}
			line(func(j int, v reg.Register) { t.VMOVUPS(v, operand.Mem{Base: cells, Disp: t.size * (to*i + j)}) })
		}
		for j := range to {
			for i := range from {
				t.VMOVUPS(operand.Mem{Base: cells, Disp: t.size * (to*i + j)}, t.regs[i])
			}
			t.MOVQ(out, p)
			for range j {
				t.ADDQ(os, p)
			}
			line(func(i int, v reg.Register) {
				t.store(v, operand.Mem{Base: p}, masked)
				for range to {
					t.ADDQ(os, p)
				}
			})
		}
	}
	t.along("vectors", left, 1, "rest", func() {
		turn(false)
		t.ADDQ(operand.U32(uint32(t.size)), in)
		t.ADDQ(operand.U32(uint32(t.size)), out)
	})
	t.Label("rest")
	t.TESTQ(left, left)
	t.JE(operand.LabelRef("done"))
	t.setMask(left)
	turn(true)
	t.Label("done")
	t.end()
}

// times is d = c*x.
func (t *target) times(c float64, x, d reg.VecPhysical) { t.VMULPS(t.memory(f(c)), x, d) }

// winoTaps3 transforms three elements of filters.
func (t *target) winoTaps3(put func(i int, v reg.Register)) {
	g, u := [3]reg.VecPhysical(t.regs[:3]), t.regs[5]
	t.times(0.25, g[0], u)
	put(0, u)
	for _, pair := range []int{1, 2} {
		t.winoTapsPair(pair, g, func(i int, difference bool) {
			t.winoEither(difference, u)
			put(i, u)
		})
	}
	put(5, g[2])
}

// winoTapsPair makes a sum and what is taken from it or added to it: values 1 and 2, or 3 and 4, of what winoTaps3
// makes of g.
func (t *target) winoTapsPair(pair int, g [3]reg.VecPhysical, put func(i int, difference bool)) {
	s, h := t.regs[3], t.regs[4]
	if pair == 1 {
		t.sum(g[0], g[2], s)
		t.times(-1./6, s, s)
		t.times(1./6, g[1], h)
		put(1, true)
		put(2, false)
		return
	}
	t.times(1./24, g[0], s)
	t.VFMADD231PS(t.memory(f(1./6)), g[2], s)
	t.times(1./12, g[1], h)
	put(3, false)
	put(4, true)
}

// winoEither sets u to the difference, or the sum, of what winoTapsPair has made.
func (t *target) winoEither(difference bool, u reg.VecPhysical) {
	s, h := t.regs[3], t.regs[4]
	if difference {
		t.sub(s, h, u)
		return
	}
	t.sum(s, h, u)
}

// winoTapsAdjoint3 is the adjoint of winoTaps3.
func (t *target) winoTapsAdjoint3(put func(i int, v reg.Register)) {
	u := t.regs[:6]
	p, q, r, s, d := t.regs[6], t.regs[7], t.regs[8], t.regs[9], t.regs[10]
	t.sum(u[1], u[2], p)
	t.sub(u[2], u[1], q)
	t.sum(u[3], u[4], r)
	t.sub(u[3], u[4], s)
	t.times(-1./6, p, p)
	t.VMOVAPS(p, d)
	t.VFMADD231PS(t.memory(f(0.25)), u[0], d)
	t.VFMADD231PS(t.memory(f(1./24)), r, d)
	put(0, d)
	t.times(1./6, q, q)
	t.VFMADD231PS(t.memory(f(1./12)), s, q)
	put(1, q)
	t.VFMADD231PS(t.memory(f(1./6)), r, p)
	t.sum(p, u[5], p)
	put(2, p)
}

// winoTaps5 transforms five elements of filters.
func (t *target) winoTaps5(put func(i int, v reg.Register)) {
	g := t.regs[:5]
	s, h, u := t.regs[5], t.regs[6], t.regs[7]
	t.times(0.25, g[0], u)
	put(0, u)
	t.sum(g[0], g[2], s)
	t.sum(s, g[4], s)
	t.times(-1./6, s, s)
	t.sum(g[1], g[3], h)
	t.times(1./6, h, h)
	t.sub(s, h, u)
	put(1, u)
	t.sum(s, h, u)
	put(2, u)
	t.times(1./24, g[0], s)
	t.VFMADD231PS(t.memory(f(1./6)), g[2], s)
	t.VFMADD231PS(t.memory(f(2./3)), g[4], s)
	t.times(1./12, g[1], h)
	t.VFMADD231PS(t.memory(f(1./3)), g[3], h)
	t.sum(s, h, u)
	put(3, u)
	t.sub(s, h, u)
	put(4, u)
	put(5, g[4])
}

// winoTapsAdjoint5 is the adjoint of winoTaps5.
func (t *target) winoTapsAdjoint5(put func(i int, v reg.Register)) {
	u := t.regs[:6]
	p, q, r, s, d := t.regs[6], t.regs[7], t.regs[8], t.regs[9], t.regs[10]
	t.sum(u[1], u[2], p)
	t.sub(u[2], u[1], q)
	t.sum(u[3], u[4], r)
	t.sub(u[3], u[4], s)
	t.times(-1./6, p, p)
	t.times(1./6, q, q)
	t.VMOVAPS(p, d)
	t.VFMADD231PS(t.memory(f(0.25)), u[0], d)
	t.VFMADD231PS(t.memory(f(1./24)), r, d)
	put(0, d)
	t.VMOVAPS(q, d)
	t.VFMADD231PS(t.memory(f(1./12)), s, d)
	put(1, d)
	t.VMOVAPS(p, d)
	t.VFMADD231PS(t.memory(f(1./6)), r, d)
	put(2, d)
	t.VFMADD231PS(t.memory(f(1./3)), s, q)
	put(3, q)
	t.VFMADD231PS(t.memory(f(2./3)), r, p)
	t.sum(p, u[5], p)
	put(4, p)
}
