package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transposes writes the kernel that turns up to width rows into columns.
func transposes(t *target) {
	for _, t.elem = range []int{4, 8} {
		t.transpose()
	}
	t.elem = 4
}

// transpose goes along the source rows in square blocks of one vector each way.
func (t *target) transpose() {
	f := "*" + t.goType()
	t.begin(fmt.Sprintf("transpose%sf%d", t.name, 8*t.elem),
		fmt.Sprintf("writes rows <= %d source rows of cols > 0 elements as columns. Strides are in bytes.", t.width()),
		"cols, rows int, src "+f+", ss int, dst "+f+", ds int")
	p := &block{target: t, cols: t.arg("cols"), src: t.arg("src"), ss: t.arg("ss"), dst: t.arg("dst"), ds: t.arg("ds")}
	t.CMPQ(t.param("rows"), operand.Imm(uint64(t.width())))
	t.JNE(operand.LabelRef("few"))
	p.along("full", false)
	t.Label("few")
	p.along("some", true)
	t.Label("done")
	t.end()
}

type block struct {
	*target
	cols, src, ss, dst, ds reg.Register
}

// along emits the loop over blocks: whole ones, then one of fewer columns.
func (p *block) along(label string, fewRows bool) {
	w := uint64(p.width())
	p.Label(label)
	p.CMPQ(p.cols, operand.Imm(w))
	p.JL(operand.LabelRef(label + "_rest"))
	p.read(false)
	p.write(fewRows, false)
	p.ADDQ(operand.I32(int32(p.size)), p.src)
	p.SUBQ(operand.Imm(w), p.cols)
	p.JMP(operand.LabelRef(label))
	p.Label(label + "_rest")
	p.TESTQ(p.cols, p.cols)
	p.JE(operand.LabelRef("done"))
	p.setMask(p.cols.(reg.GPVirtual))
	p.read(true)
	p.write(fewRows, true)
	p.JMP(operand.LabelRef("done"))
}

// read loads width rows of a block into the first registers, as columns. It stays on the last
// row where there are fewer.
func (p *block) read(masked bool) {
	w := p.width()
	row, left, step := p.GP64(), p.arg("rows"), p.GP64()
	p.MOVQ(p.src, row)
	for i := range w {
		p.load(operand.Mem{Base: row}, p.regs[i], masked)
		if i < w-1 {
			p.XORQ(step, step)
			p.DECQ(left)
			p.CMOVQGT(p.ss, step)
			p.ADDQ(step, row)
		}
	}
	p.shuffle()
}

// write stores the columns, of fewer elements or fewer columns where the block is not square.
func (p *block) write(fewRows, fewCols bool) {
	if fewRows {
		p.setMask(p.arg("rows"))
	}
	for i := range p.width() {
		p.store(p.column(i), operand.Mem{Base: p.dst}, fewRows)
		p.ADDQ(p.ds, p.dst)
		if fewCols {
			p.DECQ(p.cols)
			p.JE(operand.LabelRef("done"))
		}
	}
}

// shuffle transposes within lanes of 128 bits, then the lanes.
func (p *block) shuffle() {
	low, high := p.regs[:p.width()], p.regs[p.width():]
	if p.elem == 4 {
		for i := 0; i < p.width(); i += 2 {
			p.VUNPCKLPS(low[i+1], low[i], high[i])
			p.VUNPCKHPS(low[i+1], low[i], high[i+1])
		}
		for i := 0; i < p.width(); i += 4 {
			p.VUNPCKLPD(high[i+2], high[i], low[i])
			p.VUNPCKHPD(high[i+2], high[i], low[i+1])
			p.VUNPCKLPD(high[i+3], high[i+1], low[i+2])
			p.VUNPCKHPD(high[i+3], high[i+1], low[i+3])
		}
	} else {
		for i := 0; i < p.width(); i += 2 {
			p.VUNPCKLPD(low[i+1], low[i], high[i])
			p.VUNPCKHPD(low[i+1], low[i], high[i+1])
		}
		low, high = high, low
	}
	// Lane l of low[g*inLane+j] now holds column l*inLane+j of the g-th group of inLane rows.
	inLane := 16 / p.elem
	for j := range inLane {
		lanes := make([]reg.VecPhysical, p.size/16)
		for g := range lanes {
			lanes[g] = low[g*inLane+j]
		}
		p.transposeLanes(lanes, high[j*len(lanes):])
	}
}

// column is the register that shuffle leaves column i in.
func (p *block) column(i int) reg.VecPhysical {
	low, high := p.regs[:p.width()], p.regs[p.width():]
	if p.elem == 8 {
		low, high = high, low
	}
	inLane := 16 / p.elem
	lane, j := i/inLane, i%inLane
	if p.size == 32 && lane == 0 {
		return high[2*j]
	}
	return low[lane*inLane+j]
}

// transposeLanes transposes the square of lanes that the registers form, in place but for the
// first of two, which goes to free[0]. So the mask's register stays free with AVX2.
func (t *target) transposeLanes(r, free []reg.VecPhysical) {
	if len(r) == 2 {
		t.VPERM2F128(operand.Imm(0x20), r[1], r[0], free[0])
		t.VPERM2F128(operand.Imm(0x31), r[1], r[0], r[1])
		return
	}
	const even, odd = 0x88, 0xdd // lanes 0 and 2, or 1 and 3, of both operands
	t.VSHUFF32X4(operand.Imm(even), r[1], r[0], free[0])
	t.VSHUFF32X4(operand.Imm(odd), r[1], r[0], free[1])
	t.VSHUFF32X4(operand.Imm(even), r[3], r[2], free[2])
	t.VSHUFF32X4(operand.Imm(odd), r[3], r[2], free[3])
	t.VSHUFF32X4(operand.Imm(even), free[2], free[0], r[0])
	t.VSHUFF32X4(operand.Imm(odd), free[2], free[0], r[2])
	t.VSHUFF32X4(operand.Imm(even), free[3], free[1], r[1])
	t.VSHUFF32X4(operand.Imm(odd), free[3], free[1], r[3])
}
