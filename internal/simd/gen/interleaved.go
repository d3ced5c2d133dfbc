package main

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// A pixel of an interleaved batch is 16 numbers side by side, one of each of 16 images. The kernels
// of AVX2 do half of them and are called twice.

// pixelTiles is the most pixels of a tile, by filters; pixelGrads the most taps, by filters.
// Accumulators, the shorter side of the tile and one operand of the longer side share the
// registers.
func (t *target) pixelTiles() []int {
	if len(t.regs) == 32 {
		return []int{1: 6, 2: 6, 3: 6, 4: 6, 5: 4, 6: 4}
	}
	return []int{1: 6, 2: 6, 3: 4, 4: 3}
}

func (t *target) pixelGrads() []int {
	if len(t.regs) == 32 {
		return []int{1: 6, 2: 6, 3: 6, 4: 6}
	}
	return []int{1: 6, 2: 6, 3: 4, 4: 3}
}

// interleaved writes the kernels for interleaved batches, and their table.
func interleaved(t *target) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar %[3]s = Kernels{\n\tvector: true,\n\twidth: %[2]d,\n\ttotal: total%[1]s,\n\tmax: max%[1]s,\n\tmaxSquare: maxSquare%[1]s,\n"+
		"\tscatter: scatter%[1]s,\n\tscatterSquare: scatterSquare%[1]s,\n\tmean: mean%[1]s,\n\tmeanGrad: meanGrad%[1]s,\n", t.name, t.width(), t.level())
	table := func(field, of, name string, most []int, emit func(filters, n int)) {
		fmt.Fprintf(&s, "\t%s: [][]%s{\n", field, of)
		for filters, n := range most {
			if filters == 0 {
				continue
			}
			fmt.Fprintf(&s, "\t\t%d: {\n", filters)
			for i := 1; i <= n; i++ {
				emit(filters, i)
				fmt.Fprintf(&s, "\t\t\t%d: %s%dx%d%s,\n", i, name, filters, i, t.name)
			}
			s.WriteString("\t\t},\n")
		}
		s.WriteString("\t},\n")
	}
	table("tile", "tileFunc", "tile", t.pixelTiles(), t.pixelTile)
	table("grad", "gradFunc", "grad", t.pixelGrads(), t.pixelGrad)
	s.WriteString(interleavedWinograd(t))
	s.WriteString("}\n")
	t.pixelTotal()
	t.pixelPools()
	return s.String()
}

// steps and gradSteps have the places of the distances that kernels are given.
var (
	steps     abi.TileSteps
	gradSteps abi.GradSteps
	gradTap   abi.GradTap
)

type pixelTile struct {
	*target
	filters, pixels   int
	s, xPixel         reg.GPVirtual
	x, y              []reg.GPVirtual // every third pixel
	chans, rows, cols reg.GPVirtual
}

func (p *pixelTile) acc(f, i int) reg.VecPhysical { return p.regs[f*p.pixels+i] }
func (p *pixelTile) spare(i int) reg.VecPhysical  { return p.regs[p.filters*p.pixels+i] }

// pixelTile computes the pixels of n tiles side by side for some filters. Each tap multiplies
// pixels by the filters' numbers, which stand side by side.
func (t *target) pixelTile(filters, pixels int) {
	t.begin(fmt.Sprintf("tile%dx%d%s", filters, pixels, t.name),
		fmt.Sprintf("computes n tiles of %d pixels for %d filters.", pixels, filters),
		"n, channels int, s *int, x, w, y, bias *float32, flags int")
	p := &pixelTile{target: t, filters: filters, pixels: pixels, s: t.arg("s"), xPixel: t.GP64(), chans: t.GP64(), rows: t.GP64(), cols: t.GP64()}
	for range (pixels + 2) / 3 {
		p.x = append(p.x, t.GP64())
	}
	xCol, wCol, w := t.GP64(), t.GP64(), t.GP64()
	step := func(offset uintptr) operand.Mem { return operand.Mem{Base: p.s, Disp: int(offset)} }
	t.MOVQ(step(unsafe.Offsetof(steps.PixelX)), p.xPixel)
	t.MOVQ(step(unsafe.Offsetof(steps.ColX)), xCol)
	t.MOVQ(step(unsafe.Offsetof(steps.ColW)), wCol)

	t.Label("tile")
	t.Load(t.Param("x"), p.x[0])
	p.thirds(p.x, p.xPixel)
	t.Load(t.Param("w"), w)
	for i := range filters * pixels {
		t.zero(t.regs[i])
	}
	t.Load(t.Param("channels"), p.chans)
	t.TESTQ(p.chans, p.chans)
	t.JE(operand.LabelRef("finish"))
	t.Label("channel")
	t.MOVQ(step(unsafe.Offsetof(steps.Rows)), p.rows)
	t.Label("row")
	t.MOVQ(step(unsafe.Offsetof(steps.Cols)), p.cols)
	t.Label("col")
	p.products(w)
	p.advance(xCol)
	t.ADDQ(wCol, w)
	t.DECQ(p.cols)
	t.JNE(operand.LabelRef("col"))
	p.advance(step(unsafe.Offsetof(steps.RowX)))
	t.ADDQ(step(unsafe.Offsetof(steps.RowW)), w)
	t.DECQ(p.rows)
	t.JNE(operand.LabelRef("row"))
	p.advance(step(unsafe.Offsetof(steps.ChannelX)))
	t.ADDQ(step(unsafe.Offsetof(steps.ChannelW)), w)
	t.DECQ(p.chans)
	t.JNE(operand.LabelRef("channel"))
	t.Label("finish")
	p.epilogue(step)
	t.IMUL3Q(operand.Imm(uint64(pixels)), p.xPixel, p.rows)
	t.ADDQ(p.rows, t.param("x"))
	t.MOVQ(step(unsafe.Offsetof(steps.PixelY)), p.rows)
	t.IMUL3Q(operand.Imm(uint64(pixels)), p.rows, p.rows)
	t.ADDQ(p.rows, t.param("y"))
	t.DECQ(t.param("n"))
	t.JNE(operand.LabelRef("tile"))
	t.end()
}

// thirds sets the pointers after the first to every third pixel.
func (p *pixelTile) thirds(at []reg.GPVirtual, step reg.Register) {
	for i := 1; i < len(at); i++ {
		p.LEAQ(operand.Mem{Base: at[i-1], Index: step, Scale: 2}, at[i])
		p.ADDQ(step, at[i])
	}
}

func (p *pixelTile) advance(step operand.Op) {
	for _, x := range p.x {
		p.ADDQ(step, x)
	}
}

// pixel is pixel i of those that at points to.
func pixel(at []reg.GPVirtual, step reg.Register, i int) operand.Mem {
	m := operand.Mem{Base: at[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = step, uint8(i%3)
	}
	return m
}

// products adds the products of one tap, holding the shorter side of the tile in registers.
func (p *pixelTile) products(w reg.Register) {
	x := func(i int, d reg.VecPhysical) { p.VMOVUPS(pixel(p.x, p.xPixel, i), d) }
	factor := func(f int, d reg.VecPhysical) { p.broadcast(operand.Mem{Base: w, Disp: 4 * f}, d) }
	if p.pixels == 1 && p.mask == opmask {
		x(0, p.spare(0))
		for f := range p.filters {
			p.VFMADD231PS_BCST(operand.Mem{Base: w, Disp: 4 * f}, p.spare(0), p.acc(f, 0))
		}
		return
	}
	held, streamed, hold, stream := p.pixels, p.filters, x, factor
	acc := func(h, s int) reg.VecPhysical { return p.acc(s, h) }
	if held > streamed {
		held, streamed, hold, stream, acc = streamed, held, factor, x, p.acc
	}
	for h := range held {
		hold(h, p.spare(h))
	}
	turns := min(len(p.regs)-p.filters*p.pixels-held, 4)
	for s := range streamed {
		v := p.spare(held + s%turns)
		stream(s, v)
		for h := range held {
			p.fma(v, p.spare(h), acc(h, s))
		}
	}
}

// epilogue stores the accumulators: added to the old values, with bias, rectified, as flags say.
func (p *pixelTile) epilogue(step func(uintptr) operand.Mem) {
	v, next := p.spare(0), p.cols
	p.y = []reg.GPVirtual{p.chans, p.rows}[:len(p.x)]
	p.MOVQ(step(unsafe.Offsetof(steps.PixelY)), next)
	eachY := func(visit func(f, i int, m operand.Mem)) {
		p.Load(p.Param("y"), p.y[0])
		p.thirds(p.y, next)
		for f := range p.filters {
			for i := range p.pixels {
				visit(f, i, pixel(p.y, next, i))
			}
			for _, y := range p.y {
				if f < p.filters-1 {
					p.ADDQ(step(unsafe.Offsetof(steps.FilterY)), y)
				}
			}
		}
	}
	p.when(abi.FlagAdd, "add", func() {
		eachY(func(f, i int, m operand.Mem) { p.VADDPS(m, p.acc(f, i), p.acc(f, i)) })
	})
	p.when(abi.FlagRowBias, "bias", func() {
		p.Load(p.Param("bias"), p.y[0])
		for f := range p.filters {
			p.broadcast(operand.Mem{Base: p.y[0], Disp: 4 * f}, v)
			for i := range p.pixels {
				p.VADDPS(v, p.acc(f, i), p.acc(f, i))
			}
		}
	})
	p.when(abi.FlagReLU, "relu", func() {
		p.zero(v)
		for i := range p.filters * p.pixels {
			p.VMAXPS(p.regs[i], v, p.regs[i]) // in this order a NaN stays
		}
	})
	eachY(func(f, i int, m operand.Mem) { p.VMOVUPS(p.acc(f, i), m) })
}

// pixelGrad adds to sums the products of some filters' dy and x at some taps, over rows and cols of
// pixels.
func (t *target) pixelGrad(filters, taps int) {
	t.begin(fmt.Sprintf("grad%dx%d%s", filters, taps, t.name),
		fmt.Sprintf("adds to sums the products of %d channels of dy and x at %d taps.", filters, taps),
		"rows, cols int, s *int, dy, x *float32, taps *int, sums *float32")
	acc := func(f, i int) reg.VecPhysical { return t.regs[f*taps+i] }
	spare := func(i int) reg.VecPhysical { return t.regs[filters*taps+i] }
	s, at, left, dyFilter := t.arg("s"), t.GP64(), t.GP64(), t.GP64()
	step := func(offset uintptr) operand.Mem { return operand.Mem{Base: s, Disp: int(offset)} }
	dy := []reg.GPVirtual{t.arg("dy")}
	if filters > 3 {
		dy = append(dy, t.GP64())
	}
	t.MOVQ(step(unsafe.Offsetof(gradSteps.FilterDy)), dyFilter)
	p := &pixelTile{target: t}
	p.thirds(dy, dyFilter)
	tap := func(i int, offset uintptr) operand.Mem {
		return operand.Mem{Base: at, Disp: i*int(unsafe.Sizeof(gradTap)) + int(offset)}
	}
	var x []reg.GPVirtual
	t.Load(t.Param("taps"), at)
	for i := range taps {
		x = append(x, t.arg("x"))
		t.ADDQ(tap(i, unsafe.Offsetof(gradTap.X)), x[i])
	}
	for i := range filters * taps {
		t.zero(t.regs[i])
	}
	t.XORQ(at, at)
	t.Label("row")
	t.Load(t.Param("cols"), left)
	t.Label("pixel")
	loadDy := func(f int, d reg.VecPhysical) { t.VMOVUPS(pixel(dy, dyFilter, f), d) }
	loadX := func(i int, d reg.VecPhysical) {
		t.VMOVUPS(operand.Mem{Base: x[i], Index: at, Scale: 1}, d)
	}
	held, streamed, hold, stream, sum := filters, taps, loadDy, loadX, acc
	if held > streamed {
		held, streamed, hold, stream = taps, filters, loadX, loadDy
		sum = func(h, s int) reg.VecPhysical { return acc(s, h) }
	}
	for h := range held {
		hold(h, spare(h))
	}
	turns := min(len(t.regs)-filters*taps-held, 4)
	for i := range streamed {
		v := spare(held + i%turns)
		stream(i, v)
		for h := range held {
			t.fma(v, spare(h), sum(h, i))
		}
	}
	t.ADDQ(step(unsafe.Offsetof(gradSteps.ColX)), at)
	for _, d := range dy {
		t.ADDQ(operand.Imm(abi.PixelBytes), d)
	}
	t.DECQ(left)
	t.JNE(operand.LabelRef("pixel"))
	t.ADDQ(step(unsafe.Offsetof(gradSteps.RowX)), at)
	for _, d := range dy {
		t.ADDQ(step(unsafe.Offsetof(gradSteps.RowDy)), d)
	}
	t.DECQ(t.param("rows"))
	t.JNE(operand.LabelRef("row"))
	t.Load(t.Param("taps"), at)
	for i := range taps {
		t.MOVQ(tap(i, unsafe.Offsetof(gradTap.Sums)), x[i])
	}
	t.Load(t.Param("sums"), at)
	for f := range filters {
		for i := range taps {
			m := operand.Mem{Base: at, Index: x[i], Scale: 1}
			t.VADDPS(m, acc(f, i), acc(f, i))
			t.VMOVUPS(acc(f, i), m)
		}
		if f < filters-1 {
			t.ADDQ(step(unsafe.Offsetof(gradSteps.FilterSums)), at)
		}
	}
	t.end()
}

// pixelTotal sets the first n numbers of sums to the totals of n pixels, each the sum of as many as
// there are parts.
func (t *target) pixelTotal() {
	t.begin("total"+t.name, "sets sums[i] to the total of the lanes of its pixel i and those of the other parts, stride bytes apart.",
		"n, parts, stride int, sums *float32")
	n, parts, stride, sums, at, left := t.arg("n"), t.arg("parts"), t.arg("stride"), t.arg("sums"), t.GP64(), t.GP64()
	to := t.arg("sums")
	v, half := t.regs[0], t.regs[1]
	t.Label("pixel")
	t.zero(v)
	t.MOVQ(sums, at)
	t.MOVQ(parts, left)
	t.Label("part")
	for i := 0; i < abi.PixelBytes; i += t.size {
		t.VADDPS(operand.Mem{Base: at, Disp: i}, v, v)
	}
	t.ADDQ(stride, at)
	t.DECQ(left)
	t.JNE(operand.LabelRef("part"))
	if t.size == 64 {
		t.VEXTRACTF64X4(operand.Imm(1), v, half.AsY())
		t.VADDPS(half.AsY(), v.AsY(), v.AsY())
		t.VEXTRACTF32X4(operand.Imm(1), v.AsY(), half.AsX())
	} else {
		t.VEXTRACTF128(operand.Imm(1), v, half.AsX())
	}
	t.VADDPS(half.AsX(), v.AsX(), v.AsX())
	t.VPERMILPS(operand.Imm(0x0e), v.AsX(), half.AsX())
	t.VADDPS(half.AsX(), v.AsX(), v.AsX())
	t.VPERMILPS(operand.Imm(1), v.AsX(), half.AsX())
	t.VADDSS(half.AsX(), v.AsX(), v.AsX())
	t.VMOVSS(v.AsX(), operand.Mem{Base: to})
	t.ADDQ(operand.Imm(4), to)
	t.ADDQ(operand.Imm(abi.PixelBytes), sums)
	t.DECQ(n)
	t.JNE(operand.LabelRef("pixel"))
	t.end()
}
