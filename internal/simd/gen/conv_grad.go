package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gradTaps is how many elements of a filter a gradient tile computes.
const gradTaps = 5

// convGrads writes the micro-kernels of the gradient of a convolution's filters, and returns the
// most filters of one.
func convGrads(t *target) (tallest int) {
	tallest = 2
	if len(t.regs) == 32 {
		tallest = 4
	}
	for rows := 1; rows <= tallest; rows++ {
		t.convGrad(rows)
	}
	return tallest
}

// convGrad correlates rows channels of dy with the image at gradTaps places: all lanes of all
// images add up in rows*gradTaps registers, which are summed at the end.
func (t *target) convGrad(rows int) {
	t.begin(fmt.Sprintf("grad%d%s", rows, t.name),
		fmt.Sprintf("adds to sums the products of %d channels of dy and n images at %d taps.", rows, gradTaps),
		"n, height, width int, dy *float32, dyImage, dyChannel int, x *float32, xImage, xRow int, taps *int, sums *float32, stride int")
	p := &gradTile{target: t, rows: rows, at: t.GP64(), lines: t.GP64(), left: t.GP64()}
	for range rows {
		p.dy = append(p.dy, t.GP64())
	}
	for range gradTaps {
		p.x = append(p.x, t.GP64())
	}
	for i := range rows * gradTaps {
		t.zero(t.regs[i])
	}
	t.Label("image")
	p.rewind()
	t.Load(t.Param("height"), p.lines)
	t.Label("line")
	t.XORQ(p.at, p.at)
	t.Load(t.Param("width"), p.left)
	t.along("vectors", p.left, 1, "rest", func() {
		p.products(false)
		t.ADDQ(operand.Imm(uint64(t.size)), p.at)
	})
	t.Label("rest")
	t.TESTQ(p.left, p.left)
	t.JE(operand.LabelRef("next"))
	t.setMask(p.left)
	p.products(true)
	t.Label("next")
	p.nextLine()
	t.DECQ(p.lines)
	t.JNE(operand.LabelRef("line"))
	p.nextImage()
	t.DECQ(t.param("n"))
	t.JNE(operand.LabelRef("image"))
	p.total()
	t.end()
}

type gradTile struct {
	*target
	rows            int
	dy, x           []reg.GPVirtual // the current line of each channel, and at each tap
	at, lines, left reg.GPVirtual
}

func (p *gradTile) acc(i, tap int) reg.VecPhysical { return p.regs[i*gradTaps+tap] }
func (p *gradTile) spare(i int) reg.VecPhysical    { return p.regs[p.rows*gradTaps+i] }

func (p *gradTile) rewind() {
	p.Load(p.Param("dy"), p.dy[0])
	for i := 1; i < p.rows; i++ {
		p.MOVQ(p.dy[i-1], p.dy[i])
		p.ADDQ(p.param("dyChannel"), p.dy[i])
	}
	p.Load(p.Param("taps"), p.at)
	for i, x := range p.x {
		p.Load(p.Param("x"), x)
		p.ADDQ(operand.Mem{Base: p.at, Disp: 8 * i}, x)
	}
}

func (p *gradTile) products(masked bool) {
	for i, dy := range p.dy {
		p.load(operand.Mem{Base: dy, Index: p.at, Scale: 1}, p.spare(i), masked)
	}
	for tap, x := range p.x {
		v := p.spare(p.rows)
		p.load(operand.Mem{Base: x, Index: p.at, Scale: 1}, v, masked)
		for i := range p.rows {
			p.fma(v, p.spare(i), p.acc(i, tap))
		}
	}
}

func (p *gradTile) nextLine() {
	p.Load(p.Param("width"), p.at)
	for _, dy := range p.dy {
		p.LEAQ(operand.Mem{Base: dy, Index: p.at, Scale: 4}, dy)
	}
	for _, x := range p.x {
		p.ADDQ(p.param("xRow"), x)
	}
}

func (p *gradTile) nextImage() {
	p.Load(p.Param("dyImage"), p.at)
	p.ADDQ(p.at, p.param("dy"))
	p.Load(p.Param("xImage"), p.at)
	p.ADDQ(p.at, p.param("x"))
}

// total adds the lanes of each accumulator to its sum, which rows of sums hold stride bytes apart.
func (p *gradTile) total() {
	p.Load(p.Param("sums"), p.at)
	half := p.spare(0)
	for i := range p.rows {
		for tap := range gradTaps {
			v := p.acc(i, tap)
			if p.size == 64 {
				p.VEXTRACTF64X4(operand.Imm(1), v, half.AsY())
				p.VADDPS(half.AsY(), v.AsY(), v.AsY())
				p.VEXTRACTF32X4(operand.Imm(1), v.AsY(), half.AsX())
			} else {
				p.VEXTRACTF128(operand.Imm(1), v, half.AsX())
			}
			p.VADDPS(half.AsX(), v.AsX(), v.AsX())
			p.VPERMILPS(operand.Imm(0x0e), v.AsX(), half.AsX())
			p.VADDPS(half.AsX(), v.AsX(), v.AsX())
			p.VPERMILPS(operand.Imm(1), v.AsX(), half.AsX())
			p.VADDSS(half.AsX(), v.AsX(), v.AsX())
			p.VADDSS(operand.Mem{Base: p.at, Disp: 4 * tap}, v.AsX(), v.AsX())
			p.VMOVSS(v.AsX(), operand.Mem{Base: p.at, Disp: 4 * tap})
		}
		if i < p.rows-1 {
			p.ADDQ(p.param("stride"), p.at)
		}
	}
}
