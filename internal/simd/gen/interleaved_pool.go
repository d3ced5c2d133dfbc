package main

import (
	"unsafe"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// window has the places of the distances within and between windows.
var window abi.WindowSteps

// squareWindow is the window that has kernels without loops.
const squareWindow = 2

// pixelPool emits pooling of n windows side by side, each of rows×cols elements, or of a fixed
// square.
type pixelPool struct {
	*pool
	square int
	s      reg.GPVirtual
}

func (p *pixelPool) step(offset uintptr) operand.Mem {
	return operand.Mem{Base: p.s, Disp: int(offset)}
}

// pixelPools writes the kernels of pooling. Those of maxima move elements as they are, denormals
// too.
func (t *target) pixelPools() {
	for _, square := range []int{0, squareWindow} {
		t.pixelMax(square)
		t.pixelScatter(square)
	}
	t.pixelMean()
	t.pixelMeanGrad()
}

func (t *target) pixelPool(name, doc, params string, square int) *pixelPool {
	if square > 0 {
		name += "Square"
		doc = "is for windows of 2×2 what the kernel without Square is for others."
	}
	t.Function(name + t.name)
	t.Doc(name + t.name + " " + doc)
	t.Attributes(attr.NOSPLIT)
	t.Pragma("noescape")
	t.SignatureExpr("func(" + params + ")")
	return &pixelPool{pool: &pool{target: t}, square: square, s: t.arg("s")}
}

// elements visits the elements of a window, of which at points to the first; more moves along with
// at.
func (p *pixelPool) elements(label string, visit func(i int), at ...reg.Register) {
	advance := func(offset uintptr) {
		for _, r := range at {
			p.ADDQ(p.step(offset), r)
		}
	}
	if p.square > 0 {
		for i := range p.square * p.square {
			visit(i)
			if i < p.square*p.square-1 {
				advance(unsafe.Offsetof(window.Col))
			}
			if i%p.square == p.square-1 && i < p.square*p.square-1 {
				advance(unsafe.Offsetof(window.Row))
			}
		}
		return
	}
	rows, cols := p.arg("rows"), p.GP64()
	p.Label(label + "row")
	p.Load(p.Param("cols"), cols)
	p.Label(label + "col")
	visit(1)
	advance(unsafe.Offsetof(window.Col))
	p.DECQ(cols)
	p.JNE(operand.LabelRef(label + "col"))
	advance(unsafe.Offsetof(window.Row))
	p.DECQ(rows)
	p.JNE(operand.LabelRef(label + "row"))
}

// eachWindow runs body for n windows: x moves on to the next window, y to the next result.
func (p *pixelPool) eachWindow(body func(), x []string, y ...string) {
	p.Label("window")
	body()
	next := p.GP64()
	p.MOVQ(p.step(unsafe.Offsetof(window.Next)), next)
	for _, name := range x {
		p.ADDQ(next, p.param(name))
	}
	for _, name := range y {
		p.ADDQ(operand.Imm(abi.PixelBytes), p.param(name))
	}
	p.DECQ(p.param("n"))
	p.JNE(operand.LabelRef("window"))
}

const windowParams = "n, rows, cols int, s *int, "

func (t *target) pixelMax(square int) {
	p := t.pixelPool("max", "sets y to the largest element of each of n windows of rows by cols elements.", windowParams+"x, y *float32", square)
	if square > 0 {
		p.maxOfFour()
		return
	}
	best, v, a, b := t.regs[0], t.regs[1], t.regs[2], t.regs[3]
	p.eachWindow(func() {
		x, y := t.arg("x"), t.arg("y")
		t.VMOVUPS(operand.Mem{Base: x}, best)
		p.elements("", func(int) {
			t.VMOVUPS(operand.Mem{Base: x}, v)
			p.beats(v, best, a, b)
			p.keep(v, best, a)
		}, x)
		t.VMOVUPS(best, operand.Mem{Base: y})
	}, []string{"x"}, "y")
	t.VZEROUPPER()
	t.RET()
}

// maxOfFour emits maxima of windows of 2×2. The instruction for a maximum gives its last operand where both are
// equal, or where either is NaN: then the first NaN is looked for.
func (p *pixelPool) maxOfFour() {
	t := p.target
	n, x, y := t.arg("n"), t.arg("x"), t.arg("y")
	col, third, fourth, next := t.GP64(), t.GP64(), t.GP64(), t.GP64() // distances from the first element
	t.MOVQ(p.step(unsafe.Offsetof(window.Col)), col)
	t.MOVQ(p.step(unsafe.Offsetof(window.Row)), third)
	t.LEAQ(operand.Mem{Base: third, Index: col, Scale: 2}, third)
	t.LEAQ(operand.Mem{Base: third, Index: col, Scale: 1}, fourth)
	t.MOVQ(p.step(unsafe.Offsetof(window.Next)), next)
	v, best, other, a, b := t.regs[:4], t.regs[4], t.regs[5], t.regs[6], t.regs[7]
	t.Label("window")
	t.VMOVUPS(operand.Mem{Base: x}, v[0])
	for i, at := range []reg.Register{col, third, fourth} {
		t.VMOVUPS(operand.Mem{Base: x, Index: at, Scale: 1}, v[i+1])
	}
	t.VMAXPS(v[0], v[1], best)
	t.VMAXPS(v[2], v[3], other)
	t.VMAXPS(best, other, best)
	if p.mask == opmask {
		t.VCMPPS(operand.Imm(unordered), v[0], v[1], reg.K2)
		t.VCMPPS(operand.Imm(unordered), v[2], v[3], reg.K3)
		t.KORTESTW(reg.K2, reg.K3)
	} else {
		t.VCMPPS(operand.Imm(unordered), v[0], v[1], a)
		t.VCMPPS(operand.Imm(unordered), v[2], v[3], b)
		t.VORPS(a, b, a)
		t.VPTEST(a, a)
	}
	t.JNE(operand.LabelRef("nan"))
	t.Label("store")
	t.VMOVUPS(best, operand.Mem{Base: y})
	t.ADDQ(next, x)
	t.ADDQ(operand.Imm(abi.PixelBytes), y)
	t.DECQ(n)
	t.JNE(operand.LabelRef("window"))
	t.VZEROUPPER()
	t.RET()

	t.Label("nan")
	t.VMOVAPS(v[0], best)
	for _, v := range v[1:] {
		p.beats(v, best, a, b)
		p.keep(v, best, a)
	}
	t.JMP(operand.LabelRef("store"))
}

// pixelScatter finds the place of each maximum first, and then goes through the window again.
func (t *target) pixelScatter(square int) {
	p := t.pixelPool("scatter", "adds dy to dx, laid out like x, at the place of the largest element of each of n windows; or sets dx, where windows are apart.",
		windowParams+"x, dy, dx *float32, flags int", square)
	best, v, a, b, d := t.regs[0], t.regs[1], t.regs[2], t.regs[3], t.regs[4]
	place, candidate, one := t.regs[5], t.regs[6], t.regs[7]
	t.VMOVUPS(t.table("one", repeat(t.width(), 1)), one)
	p.eachWindow(func() {
		x := t.arg("x")
		t.VMOVUPS(operand.Mem{Base: x}, best)
		t.zero(place)
		t.zero(candidate)
		p.elements("find", func(i int) {
			if i > 0 {
				t.VMOVUPS(operand.Mem{Base: x}, v)
				if p.square > 0 {
					t.VPADDD(one, candidate, candidate)
				}
				p.beats(v, best, a, b)
				p.keep(v, best, a)
				p.keep(candidate, place, a)
			}
			if p.square == 0 {
				t.VPADDD(one, candidate, candidate)
			}
		}, x)
		dy, dx := t.arg("dy"), t.arg("dx")
		t.VMOVUPS(operand.Mem{Base: dy}, d)
		t.when(abi.FlagRectify, "relu", func() {
			t.zero(v)
			p.compare(func(to ...operand.Op) {
				t.VCMPPS(append([]operand.Op{operand.Imm(notLessQuiet), v, best}, to...)...)
			}, a)
			p.select0(d, d, a)
		})
		give := func(label string, apart bool) {
			t.zero(candidate)
			p.elements(label, func(i int) {
				if p.mask == opmask {
					t.VPCMPEQD(candidate, place, reg.K2)
				} else {
					t.VPCMPEQD(candidate, place, a)
				}
				p.select0(d, v, a)
				if !apart {
					t.VADDPS(operand.Mem{Base: dx}, v, v)
				}
				t.VMOVUPS(v, operand.Mem{Base: dx})
				t.VPADDD(one, candidate, candidate)
			}, dx)
		}
		t.TESTQ(operand.U32(abi.FlagApart), t.param("flags"))
		t.JNE(operand.LabelRef("apart"))
		give("add", false)
		t.JMP(operand.LabelRef("given"))
		t.Label("apart")
		give("set", true)
		t.Label("given")
	}, []string{"x", "dx"}, "dy")
	t.VZEROUPPER()
	t.RET()
}

// compare leaves a mask in K2, or t.
func (p *pool) compare(cmp func(to ...operand.Op), t reg.VecPhysical) {
	if p.mask == opmask {
		cmp(reg.K2)
		return
	}
	cmp(t)
}

// select0 sets d to v where the mask in K2, or t, is set, and to 0 elsewhere.
func (p *pool) select0(v, d, t reg.VecPhysical) {
	if p.mask == opmask {
		p.VMOVAPS_Z(v, reg.K2, d)
		return
	}
	p.VANDPS(t, v, d)
}

func (t *target) pixelMean() {
	t.begin("mean"+t.name, "sets y to the sums of n windows of rows by cols elements, divided by count.", windowParams+"x, y *float32, count float32")
	p := &pixelPool{pool: &pool{target: t}, s: t.arg("s")}
	sum, count := t.regs[0], t.regs[1]
	t.broadcast(t.param("count"), count)
	p.eachWindow(func() {
		x, y := t.arg("x"), t.arg("y")
		t.zero(sum)
		p.elements("", func(int) { t.VADDPS(operand.Mem{Base: x}, sum, sum) }, x)
		t.VDIVPS(count, sum, sum)
		t.VMOVUPS(sum, operand.Mem{Base: y})
	}, []string{"x"}, "y")
	t.end()
}

func (t *target) pixelMeanGrad() {
	t.begin("meanGrad"+t.name, "adds dy, divided by count, to dx in each of n windows of rows by cols elements.", windowParams+"dx, dy *float32, count float32")
	p := &pixelPool{pool: &pool{target: t}, s: t.arg("s")}
	v, d, count := t.regs[0], t.regs[1], t.regs[2]
	t.broadcast(t.param("count"), count)
	p.eachWindow(func() {
		dx, dy := t.arg("dx"), t.arg("dy")
		t.VMOVUPS(operand.Mem{Base: dy}, d)
		t.VDIVPS(count, d, d)
		p.elements("", func(int) {
			t.VADDPS(operand.Mem{Base: dx}, d, v)
			t.VMOVUPS(v, operand.Mem{Base: dx})
		}, dx)
	}, []string{"dx"}, "dy")
	t.end()
}
