package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Bit of the flags of a convolution tile, beside those of a product.
const flagMasked = 1 << 8

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
	t.begin(fmt.Sprintf("conv%d%s", rows, t.name),
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
	t.TESTQ(operand.U32(flagMasked), t.param("flags"))
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

// Fields of a convVector, in bytes.
const vectorB, vectorC, vectorLanes, vectorSize = 0, 8, 16, 24

// field is a field of vector v.
func (p *convTile) field(v, offset int) operand.Mem {
	return operand.Mem{Base: p.arg("vectors"), Disp: v*vectorSize + offset}
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
	p.MOVQ(p.field(v, vectorLanes), n)
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
		p.ADDQ(p.field(v, vectorB), r)
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
	p.when(flagAdd, "add", func() {
		p.eachC(func(i, v int, c operand.Mem) {
			p.vload(v, c, x)
			p.add(x, p.acc(i, v), p.acc(i, v))
		})
	})
	p.when(flagRowBias, "bias", func() {
		p.Load(p.Param("bias"), p.row)
		for i := range p.rows {
			p.broadcast(operand.Mem{Base: p.row, Disp: i * p.elem}, x)
			for v := range p.vecs {
				p.add(x, p.acc(i, v), p.acc(i, v))
			}
		}
	})
	p.when(flagReLU, "relu", func() {
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
		p.ADDQ(p.field(v, vectorC), p.row)
		for i := range p.rows {
			visit(i, v, operand.Mem{Base: p.row})
			if i < p.rows-1 {
				p.ADDQ(p.cs, p.row)
			}
		}
	}
}
