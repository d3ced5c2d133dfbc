package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sideTaps is how many taps side by side a kernel of the depthwise gradient takes at most.
const sideTaps = 3

// depthwiseGrads writes a kernel for each number of taps.
func (t *target) depthwiseGrads() {
	for taps := 1; taps <= sideTaps; taps++ {
		t.depthwiseGrad(taps)
	}
}

// depthwiseGrad has two sums for each tap, for every other pixel, so that additions need not wait for
// each other.
func (t *target) depthwiseGrad(taps int) {
	t.begin(fmt.Sprintf("depthwiseGrad%d%s", taps, t.name), fmt.Sprintf("adds to the sums of %d taps the products of dy and x over pixels > 0 pixels, for vectors > 0 vectors of channels.", taps),
		"pixels, vectors, last int, x *float32, xs, tap int, dy *float32, ys int, sums *float32, ss int")
	g := &depthwiseGrad{target: t, taps: taps}
	g.x, g.dy, g.sums, g.xs, g.ys, g.tap, g.ss = t.arg("x"), t.arg("dy"), t.arg("sums"), t.arg("xs"), t.arg("ys"), t.arg("tap"), t.arg("ss")
	g.px, g.py, g.left = t.GP64(), t.GP64(), t.GP64()
	t.setMask(t.arg("last"))
	vectors := t.arg("vectors")
	t.DECQ(vectors)
	t.JE(operand.LabelRef("last"))
	t.Label("vector")
	g.vector("whole", false)
	for _, r := range []reg.Register{g.x, g.dy, g.sums} {
		t.ADDQ(operand.Imm(uint64(t.size)), r)
	}
	t.DECQ(vectors)
	t.JNE(operand.LabelRef("vector"))
	t.Label("last")
	g.vector("masked", true)
	t.end()
}

type depthwiseGrad struct {
	*target
	taps                         int
	x, dy, sums, xs, ys, tap, ss reg.GPVirtual
	px, py, left                 reg.GPVirtual
}

// vector does all pixels of a vector of channels.
func (g *depthwiseGrad) vector(label string, masked bool) {
	at := g.px
	g.MOVQ(g.sums, at)
	for i := range g.taps {
		g.load(operand.Mem{Base: at}, g.regs[i], masked)
		g.zero(g.regs[sideTaps+i])
		if i < g.taps-1 {
			g.ADDQ(g.ss, at)
		}
	}
	g.MOVQ(g.x, g.px)
	g.MOVQ(g.dy, g.py)
	g.Load(g.Param("pixels"), g.left)
	g.Label(label + "pair")
	g.CMPQ(g.left, operand.Imm(2))
	g.JLT(operand.LabelRef(label + "rest"))
	g.pixel(0, masked)
	g.pixel(sideTaps, masked)
	g.SUBQ(operand.Imm(2), g.left)
	g.JMP(operand.LabelRef(label + "pair"))
	g.Label(label + "rest")
	g.TESTQ(g.left, g.left)
	g.JE(operand.LabelRef(label + "sum"))
	g.pixel(0, masked)
	g.Label(label + "sum")
	g.MOVQ(g.sums, at)
	for i := range g.taps {
		g.add(g.regs[sideTaps+i], g.regs[i], g.regs[i])
		g.store(g.regs[i], operand.Mem{Base: at}, masked)
		if i < g.taps-1 {
			g.ADDQ(g.ss, at)
		}
	}
}

// pixel adds a pixel's products to the sums from register first on.
func (g *depthwiseGrad) pixel(first int, masked bool) {
	d, v := g.regs[2*sideTaps], g.regs[2*sideTaps+1]
	g.load(operand.Mem{Base: g.py}, d, masked)
	for i := range g.taps {
		m := operand.Mem{Base: g.px}
		if i > 0 {
			m.Index, m.Scale = g.tap, uint8(i)
		}
		if !masked {
			g.fma(m, d, g.regs[first+i])
			continue
		}
		g.load(m, v, true)
		g.fma(v, d, g.regs[first+i])
	}
	g.ADDQ(g.xs, g.px)
	g.ADDQ(g.ys, g.py)
}
