package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A vector of tiles is four groups, each of a quarter of the lanes: tiles side by side, whose 4×4 outputs
// fill one vector of an image's line.
const winoGroups = 4

// The flag winoWhole, beside those of a product, says that no mask is needed.
const winoWhole = 1 << 9

// winograd writes the transforms of Winograd's convolution F(4×4, 3×3) and of its filter gradient.
func winograd(t *target) string {
	t.winoImage("winoIn", "transforms 6×6 tiles of channels of an image, 4 apart, for the product.", 6, t.winoInput)
	t.winoImage("winoDy", "transforms 4×4 tiles of channels of an output's gradient for the product.", 4, t.winoAdjoint)
	t.winoOut()
	t.winoFlat("winoFilter", "transforms n 3×3 filters, whose elements are ws bytes apart, to products' factors us bytes apart.", 3, 6, t.winoTaps)
	t.winoFlat("winoFilterGrad", "is the adjoint of winoFilter: from factors us bytes apart to elements ws bytes apart.", 6, 3, t.winoTapsAdjoint)
	words := 1
	if t.mask == vecmask {
		words = t.width()
	}
	return strings.ReplaceAll(fmt.Sprintf(`
var winogradLEVEL = winogradKernels{
	winoLanes: %d,
	winoMaskWords: %d,
	winoIn: winoInLEVEL,
	winoDy: winoDyLEVEL,
	winoOut: winoOutLEVEL,
	winoFilter: winoFilterLEVEL,
	winoFilterGrad: winoFilterGradLEVEL,
}
`, t.width(), words), "LEVEL", t.name)
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

// winoImage writes a kernel that reads tiles of rows×rows elements and writes 36 vectors for each channel.
// line transforms the first registers, rows of them, to six vectors, which it hands on.
func (t *target) winoImage(name, doc string, rows int, line func(put func(i int, v reg.Register))) {
	t.begin(name+t.name, name+" "+doc, "channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, cells *float32, flags int")
	var x []reg.GPVirtual
	at := t.arg("at")
	for g := range winoGroups {
		r := t.arg("x")
		t.ADDQ(operand.Mem{Base: at, Disp: 8 * g}, r)
		x = append(x, r)
	}
	row, masks, cells, left := t.arg("row"), t.arg("masks"), t.arg("cells"), t.arg("channels")
	off, es, v, ahead := t.GP64(), t.arg("es"), t.GP64(), t.GP64()
	t.winoConstants()
	t.Label("channel")
	t.XORQ(off, off)
	t.TESTQ(operand.U32(winoWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	lines := func(masked bool) {
		t.Load(t.Param("xs"), ahead)
		t.ADDQ(ahead, ahead)
		for i := range rows {
			if i >= rows-4 { // the lines that tiles do not share
				for _, r := range x {
					t.PREFETCHT0(operand.Mem{Base: r, Index: ahead, Scale: 1})
					t.PREFETCHT0(operand.Mem{Base: r, Index: ahead, Scale: 1, Disp: t.size})
				}
			}
			t.ADDQ(row, ahead)
			t.winoLoad(x, off, masks, i, rows == 6, masked)
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

// winoLoad reads a line of a vector of tiles: columns 0 to 3 of each tile to the first registers, and with
// wide columns 4 and 5, which are the next tile's first, to the two after them.
func (t *target) winoLoad(x []reg.GPVirtual, off, masks reg.Register, line int, wide, masked bool) {
	r := t.regs
	parts := 1
	if wide {
		parts = 2
	}
	for part := range parts {
		for g := range winoGroups {
			if masked {
				t.use(masks, (line*parts+part)*winoGroups+g)
			}
			t.load(operand.Mem{Base: x[g], Index: off, Scale: 1, Disp: 16 * part}, r[4*part+g], masked)
		}
		if part == 0 {
			t.turnLanes(r[:4], r[8:12])
		}
	}
	if wide {
		t.VUNPCKLPS(r[5], r[4], r[8])
		t.VUNPCKLPS(r[7], r[6], r[9])
		t.VUNPCKLPD(r[9], r[8], r[4])
		t.VUNPCKHPD(r[9], r[8], r[5])
	}
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

// winoAdjoint is the adjoint of winoResult.
func (t *target) winoAdjoint(put func(i int, v reg.Register)) {
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

// winoResult transforms six vectors of products, the first registers, to the four returned.
func (t *target) winoResult() []reg.VecPhysical {
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

// winoOut finishes channels of the output.
func (t *target) winoOut() {
	t.begin("winoOut"+t.name, "winoOut transforms the products for channels of a vector of tiles, and finishes 4×4 outputs of each tile.",
		"channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias, cells *float32, flags int")
	var y []reg.GPVirtual
	at := t.arg("at")
	for g := range winoGroups {
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
		for i, r := range t.winoResult() {
			t.VMOVUPS(r, operand.Mem{Base: cells, Disp: t.size * (6*i + j)})
		}
	}
	t.XORQ(off, off)
	t.TESTQ(operand.U32(winoWhole), t.param("flags"))
	t.JE(operand.LabelRef("masked"))
	lines := func(label string, masked bool) {
		for i := range 4 {
			t.winoLine(fmt.Sprintf("%s%d", label, i), i, y, off, masks, cells, masked)
			if i < 3 {
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

// winoLine finishes line i of the outputs.
func (t *target) winoLine(label string, i int, y []reg.GPVirtual, off, masks, cells reg.Register, masked bool) {
	for j := range 6 {
		t.VMOVUPS(operand.Mem{Base: cells, Disp: t.size * (6*i + j)}, t.regs[j])
	}
	out, free := t.winoResult(), t.regs[:4]
	x := t.regs[8]
	t.when(flagRowBias, label+"bias", func() {
		p := t.GP64()
		t.MOVQ(t.param("bias"), p)
		t.broadcast(operand.Mem{Base: p}, x)
		for _, r := range out {
			t.add(x, r, r)
		}
	})
	t.turnLanes(out, free)
	line := func(g int) operand.Mem { return operand.Mem{Base: y[g], Index: off, Scale: 1} }
	t.when(flagAdd, label+"add", func() {
		for g, r := range out {
			if masked {
				t.use(masks, i*winoGroups+g)
			}
			t.load(line(g), x, masked)
			t.add(x, r, r)
		}
	})
	t.when(flagReLU, label+"relu", func() {
		t.zero(x)
		for _, r := range out {
			t.max(r, x, r) // in this order a NaN stays
		}
	})
	for g, r := range out {
		if masked {
			t.use(masks, i*winoGroups+g)
		}
		t.store(r, line(g), masked)
	}
}

// winoFlat writes a kernel that transforms squares of from×from elements, each a vector, to squares of to×to,
// for n squares in lanes. The smaller are in w and the larger in u.
func (t *target) winoFlat(name, doc string, from, to int, line func(put func(i int, v reg.Register))) {
	t.begin(name+t.name, name+" "+doc, "n int, w *float32, ws int, u *float32, us int, cells *float32")
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

// winoTaps transforms three elements of filters.
func (t *target) winoTaps(put func(i int, v reg.Register)) {
	g := t.regs[:3]
	s, h, u := t.regs[3], t.regs[4], t.regs[5]
	t.times(0.25, g[0], u)
	put(0, u)
	t.sum(g[0], g[2], s)
	t.times(-1./6, s, s)
	t.times(1./6, g[1], h)
	t.sub(s, h, u)
	put(1, u)
	t.sum(s, h, u)
	put(2, u)
	t.times(1./24, g[0], s)
	t.VFMADD231PS(t.memory(f(1./6)), g[2], s)
	t.times(1./12, g[1], h)
	t.sum(s, h, u)
	put(3, u)
	t.sub(s, h, u)
	put(4, u)
	put(5, g[2])
}

// winoTapsAdjoint is the adjoint of winoTaps.
func (t *target) winoTapsAdjoint(put func(i int, v reg.Register)) {
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
