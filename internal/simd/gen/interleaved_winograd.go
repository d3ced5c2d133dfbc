package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// Winograd's algorithm along the rows of an interleaved batch, F(4,5): tiles of 8 pixels, four
// apart, for 4 results and filters of 5 taps. The points are 0, ±1, ±2, ±1/2 and infinity. Every
// value is a pixel, so that transforms are of whole vectors.

// interleavedWinograd writes the transforms, and their entries in the table.
func interleavedWinograd(t *target) string {
	t.rowWinogradIn()
	t.rowWinogradDy()
	t.rowWinogradOut()
	return fmt.Sprintf("\twinogradIn: winogradIn%[1]s,\n\twinogradDy: winogradDy%[1]s,\n\twinogradOut: winogradOut%[1]s,\n", t.name)
}

// addScaled is d += c*x.
func (t *target) addScaled(c float64, x, d reg.VecPhysical) { t.VFMADD231PS(t.memory(f(c)), x, d) }

// squares adds the square of v to total, which is not finite then if v is not.
func (t *target) squares(v, total reg.VecPhysical) { t.VFMADD231PS(v, v, total) }

// rowLoop is a loop over rows of n tiles, of which each turn moves on.
type rowLoop struct {
	*target
	rows, n         reg.GPVirtual
	from, to        reg.GPVirtual
	nextRow, nextTo reg.GPVirtual // where the row after this begins
	value, behind3  reg.GPVirtual // bytes from one of the 8 values to the next, and to the third one
}

// at is where value i is, of which the first one is at pointer, and the fifth one at behind.
func (l *rowLoop) at(pointer, behind reg.Register, i int) operand.Mem {
	base := pointer
	if i >= 4 {
		base, i = behind, i-4
	}
	switch i {
	case 0:
		return operand.Mem{Base: base}
	case 3:
		return operand.Mem{Base: base, Index: l.behind3, Scale: 1}
	}
	return operand.Mem{Base: base, Index: l.value, Scale: uint8(i)}
}

// rowWinogradIn transforms tiles of images.
func (t *target) rowWinogradIn() {
	t.begin("winogradIn"+t.name, "transforms rows of n tiles of 8 pixels, 4 apart, to 8 values vs bytes apart. Rows of x are xs bytes apart, those of values rs. It adds the squares of all to sums.",
		"rows, n int, x *float32, xs int, v *float32, rs, vs int, sums *float32")
	x := t.regs[:abi.RowSide]
	a, b, c, total := t.regs[8], t.regs[9], t.regs[10], t.regs[11]
	t.rowTiles("x", "xs", "v", "rs", "vs", total, func(l *rowLoop, put func(i int, v reg.VecPhysical)) {
		for i := range x {
			t.VMOVUPS(operand.Mem{Base: l.from, Disp: i * abi.PixelBytes}, x[i])
			t.squares(x[i], total)
		}
		t.sub(x[4], x[2], a)
		t.sub(x[0], x[6], b)
		t.addScaled(21./4, a, b)
		put(0, b)
		t.sub(x[3], x[5], a)
		t.sub(x[7], x[1], b)
		t.addScaled(21./4, a, b)
		put(7, b)
		t.sum(x[2], x[6], a)
		t.addScaled(-17./4, x[4], a)
		t.sum(x[1], x[5], b)
		t.addScaled(-17./4, x[3], b)
		t.both(put, 1, a, b, c)
		t.times(1./4, x[2], a)
		t.sum(a, x[6], a)
		t.addScaled(-5./4, x[4], a)
		t.times(1./2, x[1], b)
		t.addScaled(-5./2, x[3], b)
		t.addScaled(2, x[5], b)
		t.both(put, 3, a, b, c)
		t.times(4, x[2], a)
		t.sum(a, x[6], a)
		t.addScaled(-5, x[4], a)
		t.times(2, x[1], b)
		t.addScaled(-5./2, x[3], b)
		t.addScaled(1./2, x[5], b)
		t.both(put, 5, a, b, c)
		t.ADDQ(operand.U32(abi.RowTile*abi.PixelBytes), l.from)
	})
}

// both puts a+b and a-b at i and after it: what is even and what is odd at a point.
func (t *target) both(put func(i int, v reg.VecPhysical), i int, a, b, spare reg.VecPhysical) {
	t.sum(a, b, spare)
	put(i, spare)
	t.sub(a, b, a)
	put(i+1, a)
}

// rowWinogradDy transforms tiles of the gradient of results.
func (t *target) rowWinogradDy() {
	t.begin("winogradDy"+t.name, "transforms rows of n tiles of 4 pixels to 8 values vs bytes apart. Rows of dy have width pixels, of which the last tile may have fewer, those of values are rs bytes apart. It adds the squares of all to sums.",
		"rows, n, width int, dy *float32, v *float32, rs, vs int, sums *float32")
	d := t.regs[:abi.RowTile]
	a, b, c, total := t.regs[4], t.regs[5], t.regs[6], t.regs[7]
	left := t.GP64()
	t.rowTiles("dy", "", "v", "rs", "vs", total, func(l *rowLoop, put func(i int, v reg.VecPhysical)) {
		for _, r := range d[1:] {
			t.zero(r)
		}
		t.eachPixel(l, left, func(i int) {
			t.VMOVUPS(operand.Mem{Base: l.from, Disp: i * abi.PixelBytes}, d[i])
			t.squares(d[i], total)
		})
		put(0, d[0])
		put(7, d[3])
		for i, p := range []float64{1, 2, 1. / 2} {
			t.times(p*p, d[2], a)
			t.sum(a, d[0], a)
			t.times(p, d[1], b)
			t.addScaled(p*p*p, d[3], b)
			t.both(put, 1+2*i, a, b, c)
		}
		t.pass(l.from, left)
	})
}

// eachPixel visits the pixels of a tile that the row still has. left counts them, from rowLoop's
// first turn on.
func (t *target) eachPixel(l *rowLoop, left reg.GPVirtual, visit func(i int)) {
	t.MOVQ(l.n, left) // tiles that are left, this one among them
	t.NEGQ(left)
	t.ADDQ(t.param("n"), left)
	t.SHLQ(operand.Imm(2), left)
	t.NEGQ(left)
	t.ADDQ(t.param("width"), left)
	for i := range abi.RowTile {
		if i > 0 {
			t.CMPQ(left, operand.Imm(uint64(i)))
			t.JLE(operand.LabelRef("none"))
		}
		visit(i)
	}
	t.Label("none")
}

// pass moves from on by the pixels of a tile, of which left are left in the row.
func (t *target) pass(from, left reg.GPVirtual) {
	most := t.GP64()
	t.MOVQ(operand.I32(abi.RowTile), most)
	t.CMPQ(left, most)
	t.CMOVQGT(most, left)
	t.SHLQ(operand.Imm(6), left)
	t.ADDQ(left, from)
}

// rowTiles goes along rows of tiles that become values. Without strides of from its rows follow
// each other.
func (t *target) rowTiles(from, fromStride, to, toStride, valueStride string, total reg.VecPhysical, tile func(l *rowLoop, put func(i int, v reg.VecPhysical))) {
	l := &rowLoop{target: t, rows: t.arg("rows"), n: t.GP64(), from: t.arg(from), to: t.arg(to), value: t.arg(valueStride)}
	l.behind3 = t.GP64()
	t.LEAQ(operand.Mem{Base: l.value, Index: l.value, Scale: 2}, l.behind3)
	behind, sums := t.GP64(), t.arg("sums")
	t.VMOVUPS(operand.Mem{Base: sums}, total)
	l.nextTo = t.arg(to)
	if fromStride != "" {
		l.nextRow = t.arg(from)
	}
	t.Label("row")
	t.Load(t.Param("n"), l.n)
	t.Label("tile")
	t.LEAQ(operand.Mem{Base: l.to, Index: l.value, Scale: 4}, behind)
	tile(l, func(i int, v reg.VecPhysical) { t.VMOVUPS(v, l.at(l.to, behind, i)) })
	t.ADDQ(operand.Imm(abi.PixelBytes), l.to)
	t.DECQ(l.n)
	t.JNE(operand.LabelRef("tile"))
	if fromStride != "" {
		t.ADDQ(t.param(fromStride), l.nextRow)
		t.MOVQ(l.nextRow, l.from)
	}
	t.ADDQ(t.param(toStride), l.nextTo)
	t.MOVQ(l.nextTo, l.to)
	t.DECQ(l.rows)
	t.JNE(operand.LabelRef("row"))
	t.VMOVUPS(total, operand.Mem{Base: sums})
	t.end()
}

// rowWinogradOut transforms products to results.
func (t *target) rowWinogradOut() {
	t.begin("winogradOut"+t.name, "transforms rows of n tiles of products, whose 8 values are ms bytes apart, to rows of width pixels, for filters whose products are fs bytes apart, and results ys.",
		"filters, rows, n, width int, m *float32, ms, fs int, y *float32, ys int, bias *float32, flags int")
	m := t.regs[:abi.RowSide]
	bias, zero := t.regs[8], t.regs[9]
	t.zero(bias)
	t.zero(zero)
	l := &rowLoop{target: t, rows: t.GP64(), n: t.GP64(), from: t.GP64(), to: t.GP64(), value: t.arg("ms"), behind3: t.GP64()}
	t.LEAQ(operand.Mem{Base: l.value, Index: l.value, Scale: 2}, l.behind3)
	behind, left := t.GP64(), t.GP64()
	t.Label("filter")
	t.when(abi.FlagRowBias, "rows", func() {
		t.Load(t.Param("bias"), l.to)
		t.broadcast(operand.Mem{Base: l.to}, bias)
		t.ADDQ(operand.Imm(4), t.param("bias"))
	})
	t.Load(t.Param("m"), l.from)
	t.Load(t.Param("y"), l.to)
	t.Load(t.Param("rows"), l.rows)
	t.Label("row")
	t.Load(t.Param("n"), l.n)
	t.Label("tile")
	t.LEAQ(operand.Mem{Base: l.from, Index: l.value, Scale: 4}, behind)
	for i := range m {
		t.VMOVUPS(l.at(l.from, behind, i), m[i])
	}
	a, b := t.regs[10], t.regs[11]
	for i := 1; i < 7; i += 2 { // what is even and what is odd at each point
		t.sum(m[i], m[i+1], a)
		t.sub(m[i], m[i+1], m[i+1])
		t.VMOVAPS(a, m[i])
	}
	y := []reg.VecPhysical{m[0], a, b, m[7]}
	t.sum(m[0], m[1], y[0])
	t.sum(y[0], m[3], y[0])
	t.sum(y[0], m[5], y[0])
	t.times(2, m[4], y[1])
	t.sum(y[1], m[2], y[1])
	t.addScaled(1./2, m[6], y[1])
	t.times(4, m[3], y[2])
	t.sum(y[2], m[1], y[2])
	t.addScaled(1./4, m[5], y[2])
	t.sum(m[7], m[2], y[3])
	t.addScaled(8, m[4], y[3])
	t.addScaled(1./8, m[6], y[3])
	for _, v := range y {
		t.sum(v, bias, v)
	}
	t.when(abi.FlagReLU, "store", func() {
		for _, v := range y {
			t.VMAXPS(v, zero, v) // in this order a NaN stays
		}
	})
	t.eachPixel(l, left, func(i int) { t.VMOVUPS(y[i], operand.Mem{Base: l.to, Disp: i * abi.PixelBytes}) })
	t.pass(l.to, left)
	t.ADDQ(operand.Imm(abi.PixelBytes), l.from)
	t.DECQ(l.n)
	t.JNE(operand.LabelRef("tile"))
	t.DECQ(l.rows)
	t.JNE(operand.LabelRef("row"))
	t.Load(t.Param("fs"), l.rows)
	t.ADDQ(l.rows, t.param("m"))
	t.Load(t.Param("ys"), l.rows)
	t.ADDQ(l.rows, t.param("y"))
	t.DECQ(t.param("filters"))
	t.JNE(operand.LabelRef("filter"))
	t.end()
}
