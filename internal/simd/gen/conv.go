package main

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// convolution writes the micro-kernels of direct convolutions and of their gradients, and their
// table.
func convolution(t *target) string {
	tiles, grads := convs(t), convGrads(t)
	panels := gradPanels(t)
	return fmt.Sprintf("\nvar %s = Kernels{\n\tvector: true,\n\tvecs: %d,\n\tlanes: %d,\n\ttile: []tileFunc{%s},\n\tgradTaps: %d,\n\tgrad: []gradFunc{%s},\n\tgradPanels: %s,\n}\n",
		t.level(), len(t.heights())-1, t.width(), t.byNumber("tile", tiles), gradTaps, t.byNumber("grad", grads), panels)
}

// byNumber lists functions of that name with the numbers 1 to n, as elements of a slice.
func (t *target) byNumber(name string, n int) string {
	var s strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&s, "\n%d: %s%d%s,", i, name, i, t.name)
	}
	return s.String() + "\n"
}

// convs writes the micro-kernels of convolutions with stride 1 along rows, and returns the most
// filters of one.
func convs(t *target) (tallest int) {
	vecs := len(t.heights()) - 1
	tallest = t.heights()[vecs]
	for rows := 1; rows <= tallest; rows++ {
		t.conv(rows, vecs)
	}
	return tallest
}

// conv computes, for rows filters, vecs vectors of output columns at a time. It is a tile of the
// product of the filters and a matrix whose rows are pieces of the image, found by a table.
func (t *target) conv(rows, vecs int) {
	t.begin(fmt.Sprintf("tile%d%s", rows, t.name),
		fmt.Sprintf("computes n panels of %d vectors of the output for %d filters.", vecs, rows),
		"n, k int, a *float32, ars int, taps *int, b *float32, bps int, c *float32, cs, cps int, vectors *int, bias *float32, flags int")
	p := &convTile{target: t, rows: rows, vecs: vecs}
	p.ars, p.c, p.cs = t.arg("ars"), t.arg("c"), t.arg("cs")
	p.taps, p.tap, p.left, p.row = t.GP64(), t.GP64(), t.GP64(), t.GP64()
	for range (rows + 2) / 3 {
		p.a = append(p.a, t.GP64())
	}
	for range vecs {
		p.b = append(p.b, t.GP64())
	}
	p.masks()

	t.Label("panel")
	p.rewind()
	t.TESTQ(operand.U32(abi.FlagMasked), t.param("flags"))
	t.JNE(operand.LabelRef("masked"))
	p.products("full", false)
	t.JMP(operand.LabelRef("finish"))
	t.Label("masked")
	p.products("partial", true)
	t.Label("finish")
	p.epilogue()
	t.ADDQ(t.param("cps"), p.c)
	p.advance()
	t.DECQ(t.param("n"))
	t.JNE(operand.LabelRef("panel"))
	t.end()
}

type convTile struct {
	*target
	rows, vecs int

	ars, c, cs           reg.Register
	a, b                 []reg.Register // every third filter; the vectors of the panel
	taps, tap, left, row reg.Register
}

func (p *convTile) acc(i, v int) reg.VecPhysical { return p.regs[i*p.vecs+v] }
func (p *convTile) spare(i int) reg.VecPhysical  { return p.regs[p.rows*p.vecs+i] }

// vector has the places of the fields of a vector, which a panel's vectors follow each other in.
var vector abi.ConvVector

// field is the field of vector v at that offset.
func (p *convTile) field(v int, offset uintptr) operand.Mem {
	return operand.Mem{Base: p.arg("vectors"), Disp: v*int(unsafe.Sizeof(vector)) + int(offset)}
}

// opmasks hold the lanes of the vectors.
var opmasks = []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4}

// masks loads K1 and so on with the lanes of each vector. AVX2 has no registers to spare: there
// mask loads the mask when it is needed.
func (p *convTile) masks() {
	if p.mask != opmask {
		return
	}
	ones := p.GP64()
	for v := range p.vecs {
		p.MOVQ(operand.I32(-1), ones)
		p.BZHIQ(p.lanesOf(v), ones, ones)
		p.KMOVW(ones.As32(), opmasks[v])
	}
}

func (p *convTile) lanesOf(v int) reg.GPVirtual {
	n := p.GP64()
	p.MOVQ(p.field(v, unsafe.Offsetof(vector.Lanes)), n)
	return n
}

// vload and vstore use the mask of vector v.
func (p *convTile) vload(v int, m operand.Mem, d reg.Register) {
	if p.mask == opmask {
		p.VMOVUPS_Z(m, opmasks[v], d)
		return
	}
	p.setMask(p.lanesOf(v))
	p.VMASKMOVPS(m, p.maskReg(), d)
}

func (p *convTile) vstore(v int, s reg.Register, m operand.Mem) {
	if p.mask == opmask {
		p.VMOVUPS(s, opmasks[v], m)
		return
	}
	p.setMask(p.lanesOf(v))
	p.VMASKMOVPS(s, p.maskReg(), m)
}

func (p *convTile) rewind() {
	p.Load(p.Param("a"), p.a[0])
	for i := 1; i < len(p.a); i++ {
		p.LEAQ(operand.Mem{Base: p.a[i-1], Index: p.ars, Scale: 2}, p.a[i])
		p.ADDQ(p.ars, p.a[i])
	}
	for v, r := range p.b {
		p.Load(p.Param("b"), r)
		p.ADDQ(p.field(v, unsafe.Offsetof(vector.B)), r)
	}
	p.Load(p.Param("taps"), p.taps)
	p.Load(p.Param("k"), p.left)
	for i := range p.rows * p.vecs {
		p.zero(p.regs[i])
	}
}

// advance moves b to the next panel.
func (p *convTile) advance() {
	p.Load(p.Param("bps"), p.row)
	p.ADDQ(p.row, p.param("b"))
}

func (p *convTile) products(label string, masked bool) {
	p.Label(label)
	p.MOVQ(operand.Mem{Base: p.taps}, p.tap)
	p.ADDQ(operand.Imm(8), p.taps)
	for v, b := range p.b {
		m := operand.Mem{Base: b, Index: p.tap, Scale: 1}
		if masked {
			p.vload(v, m, p.spare(v))
		} else {
			p.load(m, p.spare(v), false)
		}
	}
	for i := range p.rows {
		m := operand.Mem{Base: p.a[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = p.ars, uint8(i%3)
		}
		x := p.spare(p.vecs)
		p.broadcast(m, x)
		for v := range p.vecs {
			p.fma(p.spare(v), x, p.acc(i, v))
		}
	}
	for _, r := range p.a {
		p.ADDQ(operand.Imm(4), r)
	}
	p.DECQ(p.left)
	p.JNE(operand.LabelRef(label))
}

func (p *convTile) epilogue() {
	x := p.spare(0)
	p.when(abi.FlagAdd, "add", func() {
		p.eachC(func(i, v int, c operand.Mem) {
			p.vload(v, c, x)
			p.add(x, p.acc(i, v), p.acc(i, v))
		})
	})
	p.when(abi.FlagRowBias, "bias", func() {
		p.Load(p.Param("bias"), p.row)
		for i := range p.rows {
			p.broadcast(operand.Mem{Base: p.row, Disp: i * p.elem}, x)
			for v := range p.vecs {
				p.add(x, p.acc(i, v), p.acc(i, v))
			}
		}
	})
	p.when(abi.FlagReLU, "relu", func() {
		p.zero(x)
		for i := range p.rows * p.vecs {
			p.max(p.regs[i], x, p.regs[i]) // in this order a NaN stays
		}
	})
	p.eachC(func(i, v int, c operand.Mem) { p.vstore(v, p.acc(i, v), c) })
}

// eachC visits the vectors of the panel in the output.
func (p *convTile) eachC(visit func(i, v int, c operand.Mem)) {
	for v := range p.vecs {
		p.MOVQ(p.c, p.row)
		p.ADDQ(p.field(v, unsafe.Offsetof(vector.C)), p.row)
		for i := range p.rows {
			visit(i, v, operand.Mem{Base: p.row})
			if i < p.rows-1 {
				p.ADDQ(p.cs, p.row)
			}
		}
	}
}
