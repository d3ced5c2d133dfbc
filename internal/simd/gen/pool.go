package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pools writes the kernels of max pooling with windows of 2×2 that do not overlap.
func pools(t *target) {
	t.maxPool()
	t.maxPoolGrad()
}

// pool holds the registers of both kernels. A vector of results has two vectors of each of two lines
// under it.
type pool struct {
	*target
	x0, x1     reg.GPVirtual // the two lines
	rows, left reg.GPVirtual // lines of results, results left in the line
	low, high  reg.GPVirtual // elements left in the first and the second vector of a line
}

func newPool(t *target) *pool {
	return &pool{target: t, x0: t.arg("x"), x1: t.GP64(), rows: t.arg("rows"), left: t.GP64(), low: t.GP64(), high: t.GP64()}
}

// eachLine runs body for whole vectors of results, then for the masked rest of the line.
func (p *pool) eachLine(step func(), body func(masked bool)) {
	p.Label("line")
	p.MOVQ(p.x0, p.x1)
	p.ADDQ(p.param("xRow"), p.x1)
	p.Load(p.Param("n"), p.left)
	p.along("vectors", p.left, 1, "rest", func() {
		body(false)
		for _, r := range []reg.Register{p.x0, p.x1} {
			p.ADDQ(operand.U32(uint32(2*p.size)), r)
		}
		step()
	})
	p.Label("rest")
	p.TESTQ(p.left, p.left)
	p.JE(operand.LabelRef("next"))
	p.counts()
	body(true)
	p.Label("next")
}

// counts splits the elements of the rest of a line over two vectors.
func (p *pool) counts() {
	w := p.GP64()
	p.LEAQ(operand.Mem{Base: p.left, Index: p.left, Scale: 1}, p.low)
	p.MOVQ(operand.U32(uint32(p.width())), w)
	p.MOVQ(p.low, p.high)
	p.CMPQ(p.low, w)
	p.CMOVQGT(w, p.low)
	p.SUBQ(p.low, p.high)
}

// pair loads or stores the two vectors of a line.
func (p *pool) pair(line reg.Register, a, b reg.Register, masked, store bool) {
	for i, r := range []reg.Register{a, b} {
		m := operand.Mem{Base: line, Disp: i * p.size}
		if masked {
			p.setMask([]reg.GPVirtual{p.low, p.high}[i])
		}
		if store {
			p.store(r, m, masked)
		} else {
			p.load(m, r, masked)
		}
	}
}

// keepMax sets a to the larger of a and b, or to NaN where either is.
func (p *pool) keepMax(a, b, t reg.VecPhysical) {
	if p.mask == opmask {
		p.VCMPPS(operand.Imm(unordered), a, a, reg.K2)
		p.VMAXPS(b, a, t)
		p.VBLENDMPS(a, t, reg.K2, a)
		return
	}
	p.VMAXPS(b, a, t)
	p.VCMPPS(operand.Imm(unordered), a, a, b)
	p.VBLENDVPS(b, a, t, a)
}

func (t *target) maxPool() {
	t.begin("maxPool"+t.name, "sets y to the largest of each 2×2 elements of x, for rows lines of n results. The lines of x are xRow bytes apart.",
		"rows, n int, x *float32, xRow int, y *float32")
	p := newPool(t)
	y := t.arg("y")
	r := t.regs
	gather := t.lanesInOrder(r[8])
	p.eachLine(func() { t.ADDQ(operand.U32(uint32(t.size)), y) }, func(masked bool) {
		p.pair(p.x0, r[0], r[1], masked, false)
		p.pair(p.x1, r[2], r[3], masked, false)
		p.keepMax(r[0], r[2], r[4])
		p.keepMax(r[1], r[3], r[4])
		const evens, odds = 0x88, 0xdd // within lanes of 128 bits
		t.VSHUFPS(operand.Imm(odds), r[1], r[0], r[2])
		t.VSHUFPS(operand.Imm(evens), r[1], r[0], r[0])
		p.keepMax(r[0], r[2], r[4])
		t.VMULPS(t.memory(f(1)), r[0], r[0]) // flushes denormals
		gather(r[0])
		if masked {
			t.setMask(p.left)
		}
		t.store(r[0], operand.Mem{Base: y}, masked)
	})
	p.nextLine([]reg.GPVirtual{p.x0}, []reg.GPVirtual{y})
	t.end()
}

// nextLine moves pointers into x, and to results, from the rest of a line to the next.
func (p *pool) nextLine(lines, results []reg.GPVirtual) {
	for _, r := range results {
		p.LEAQ(operand.Mem{Base: r, Index: p.left, Scale: 4}, r)
	}
	p.Load(p.Param("n"), p.low)
	p.SUBQ(p.left, p.low)
	p.SHLQ(operand.Imm(3), p.low) // bytes of x that whole vectors went over
	for _, r := range lines {
		p.SUBQ(p.low, r)
		p.ADDQ(p.param("xRow"), r)
		p.ADDQ(p.param("xRow"), r)
	}
	p.DECQ(p.rows)
	p.JNE(operand.LabelRef("line"))
}

// lanesInOrder returns what puts pairs of elements, interleaved by lanes of 128 bits, in order.
func (t *target) lanesInOrder(index reg.VecPhysical) func(r reg.VecPhysical) {
	if t.size == 32 {
		return func(r reg.VecPhysical) { t.VPERMQ(operand.Imm(0xd8), r, r) }
	}
	var words []uint32
	for _, i := range []uint32{0, 2, 4, 6, 1, 3, 5, 7} {
		words = append(words, i, 0)
	}
	t.VMOVUPS(t.data("inOrder", words), index)
	return func(r reg.VecPhysical) { t.VPERMQ(r, index, r) }
}

func (t *target) maxPoolGrad() {
	t.begin("maxPoolGrad"+t.name, "sets dx to dy at the first of each 2×2 elements of x that is y, and to 0 at the others.",
		"rows, n int, x *float32, xRow int, y, dy, dx *float32")
	p := newPool(t)
	y, dy, dx := t.arg("y"), t.arg("dy"), t.arg("dx")
	d1 := t.GP64()
	r := t.regs
	w := uint32(t.width())
	var low, high []uint32
	for i := range w {
		low, high = append(low, i/2), append(high, w/2+i/2)
	}
	twice := []operand.Mem{t.data("twiceLow", low), t.data("twiceHigh", high)}
	first := t.data("first", repeatPair(t.size/8, ^uint32(0), 0))

	p.eachLine(func() {
		for _, q := range []reg.GPVirtual{y, dy} {
			t.ADDQ(operand.U32(uint32(t.size)), q)
		}
		t.ADDQ(operand.U32(uint32(2*t.size)), dx)
	}, func(masked bool) {
		p.pair(p.x0, r[0], r[1], masked, false)
		p.pair(p.x1, r[2], r[3], masked, false)
		if masked {
			t.setMask(p.left)
		}
		t.load(operand.Mem{Base: y}, r[4], masked)
		t.load(operand.Mem{Base: dy}, r[5], masked)
		t.VMULPS(t.memory(f(1)), r[5], r[5]) // flushes denormals
		for half := range 2 {
			t.VMOVUPS(twice[half], r[6])
			t.VPERMPS(r[4], r[6], r[7]) // y, each element twice
			t.VPERMPS(r[5], r[6], r[8]) // dy
			top, bottom := r[half], r[2+half]
			t.matches(top, r[7], top)
			t.matches(bottom, r[7], bottom)
			t.VMOVUPS(first, r[9])
			t.firstOfPair(top, r[9], r[10])
			// A pair with a match above has none below.
			t.VPSHUFD(operand.Imm(0xb1), top, r[10])
			t.VORPS(r[10], top, r[10])
			t.VANDNPS(bottom, r[10], bottom)
			t.firstOfPair(bottom, r[9], r[10])
			t.VANDPS(r[8], top, top)
			t.VANDPS(r[8], bottom, bottom)
		}
		t.MOVQ(dx, d1)
		t.ADDQ(t.param("xRow"), d1)
		p.pair(dx, r[0], r[1], masked, true)
		p.pair(d1, r[2], r[3], masked, true)
	})
	p.nextLine([]reg.GPVirtual{p.x0, dx}, []reg.GPVirtual{y, dy})
	t.end()
}

// matches sets the lanes of d where x is y, or one of them NaN, to ones and the others to 0.
func (t *target) matches(x, y, d reg.VecPhysical) {
	const equalOrUnordered = 0x08
	if t.mask == opmask {
		t.VCMPPS(operand.Imm(equalOrUnordered), y, x, reg.K2)
		t.VPMOVM2D(reg.K2, d)
		return
	}
	t.VCMPPS(operand.Imm(equalOrUnordered), y, x, d)
}

// firstOfPair clears the second lane of each pair in m where the first is set.
func (t *target) firstOfPair(m, first, tmp reg.VecPhysical) {
	t.VANDPS(m, first, tmp)
	t.VPSLLQ(operand.Imm(32), tmp, tmp)
	t.VANDNPS(m, tmp, m)
}

func repeatPair(n int, a, b uint32) []uint32 {
	var s []uint32
	for range n {
		s = append(s, a, b)
	}
	return s
}
