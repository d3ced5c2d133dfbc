package main

import (
	"fmt"
	"unsafe"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// slideSteps are how many pixels are worked on at once: as many as are left, of the largest first. Of
// each, slideVecs vectors or what registers there are for are worked on at once, so that additions
// need not wait for each other.
var slideSteps = []int{8, 4, 2, 1}

const slideVecs = 4

// slideAccs is how many registers accumulate.
func (t *target) slideAccs() int { return len(t.regs)/8*8 - 8 }

// tap has the places of the fields of a tap.
var tap abi.Tap

// slide emits a kernel that goes over the taps of windows, some vectors of channels at a time.
type slide struct {
	*pool
	label        string
	pixels, vecs int
	masked       bool

	xs, x, w, y, bias    reg.GPVirtual
	taps, at, left, next reg.GPVirtual
	rows                 [3]reg.GPVirtual // of every third pixel the tap
}

// slides writes the kernels of channels-last images.
func slides(t *target) string {
	t.slide(t.begin, "depthwise", "sets y to the sums of the products of x and w over taps.", (*slide).multiply)
	t.slide(t.begin, "sum", "sets y to the sums of x over taps, divided by count.", (*slide).sum)
	t.slide(t.declare, "max", "sets y to the largest elements of x over taps: of equal ones the first, and the first NaN.", (*slide).largest)
	t.pieces()
	forms := t.lastWinograd()
	t.depthwiseGrads()
	stems, diagonals := t.stems(), t.diagonals()
	words := 1
	if t.mask == vecmask {
		words = t.width()
	}
	return fmt.Sprintf("\nvar %s = Kernels{width: %d, maskWords: %[4]d, vector: true, tileIn: tileIn%[3]s, forms: %[7]s, copy: copy%[3]s, depthwise: depthwise%[3]s, depthwiseGrad: []depthwiseGradFunc{1: depthwiseGrad1%[3]s, depthwiseGrad2%[3]s, depthwiseGrad3%[3]s}, sum: sum%[3]s, max: max%[3]s, stem: %[5]s, diagonal: %[6]s}\n", t.level(), t.width(), t.name, words, stems, diagonals, forms)
}

// slide emits a kernel for pixels > 0 windows side by side of vectors > 0 vectors of channels, of
// which the last one has last channels. begin starts it.
func (t *target) slide(begin func(name, doc, params string, results ...string), name, doc string, body func(*slide)) {
	begin(name+t.name, doc, slideParams)
	s := &slide{pool: &pool{target: t}, xs: t.arg("xs")}
	s.x, s.w, s.y, s.bias = t.GP64(), t.GP64(), t.GP64(), t.GP64()
	s.taps, s.at, s.left, s.next = t.GP64(), t.GP64(), t.GP64(), t.GP64()
	for i := range s.rows {
		s.rows[i] = t.GP64()
	}
	t.setMask(t.arg("last"))
	for _, s.pixels = range slideSteps {
		s.blocks(body)
	}
	t.end()
}

const slideParams = "pixels, vectors, last, taps int, at *int, x *float32, xs int, w, y *float32, ys int, bias *float32, count float32, flags int"

// blocks goes over blocks of so many pixels while there are as many.
func (s *slide) blocks(body func(*slide)) {
	block := fmt.Sprint("block", s.pixels)
	s.Label(block)
	s.CMPQ(s.param("pixels"), operand.Imm(uint64(s.pixels)))
	s.JLT(operand.LabelRef("behind" + block))
	s.Load(s.Param("x"), s.x)
	s.Load(s.Param("w"), s.w)
	s.Load(s.Param("y"), s.y)
	s.Load(s.Param("bias"), s.bias)
	s.vectors(block, body)
	s.MOVQ(s.xs, s.next)
	s.IMUL3Q(operand.Imm(uint64(s.pixels)), s.next, s.next)
	s.ADDQ(s.next, s.param("x"))
	s.Load(s.Param("ys"), s.next)
	s.IMUL3Q(operand.Imm(uint64(s.pixels)), s.next, s.next)
	s.ADDQ(s.next, s.param("y"))
	s.SUBQ(operand.Imm(uint64(s.pixels)), s.param("pixels"))
	s.JMP(operand.LabelRef(block))
	s.Label("behind" + block)
}

// vectors goes over the whole vectors, and does the last one where it is not whole.
func (s *slide) vectors(block string, body func(*slide)) {
	full := func(label string) { // goes there if the last vector is whole
		s.CMPQ(s.param("last"), operand.Imm(uint64(s.width())))
		s.JE(operand.LabelRef(label))
	}
	s.Load(s.Param("vectors"), s.left)
	full(block + "whole")
	s.DECQ(s.left)
	s.Label(block + "whole")
	s.masked = false
	for s.vecs = min(s.slideAccs()/s.pixels, slideVecs); ; s.vecs = min(s.vecs-1, 2) {
		s.groups(fmt.Sprint(block, "by", s.vecs), body)
		if s.vecs == 1 {
			break
		}
	}
	full(block + "end")
	s.label, s.masked = block+"last", true
	body(s)
	s.Label(block + "end")
}

// groups goes over groups of vectors while there are as many.
func (s *slide) groups(label string, body func(*slide)) {
	s.label = label
	s.CMPQ(s.left, operand.Imm(uint64(s.vecs)))
	s.JLT(operand.LabelRef(label + "end"))
	s.Label(label)
	body(s)
	for _, r := range []reg.GPVirtual{s.x, s.w, s.y, s.bias} {
		s.ADDQ(operand.U32(uint32(s.vecs*s.size)), r)
	}
	s.SUBQ(operand.Imm(uint64(s.vecs)), s.left)
	s.CMPQ(s.left, operand.Imm(uint64(s.vecs)))
	s.JGE(operand.LabelRef(label))
	s.Label(label + "end")
}

// accs are the accumulators: of a vector those of all pixels, then those of the next vector.
func (s *slide) accs() []reg.VecPhysical      { return s.regs[:s.pixels*s.vecs] }
func (s *slide) acc(i, v int) reg.VecPhysical { return s.regs[v*s.pixels+i] }
func (s *slide) spare(i int) reg.VecPhysical  { return s.regs[s.slideAccs()+i] }
func (s *slide) eachAcc(f func(i, v int)) {
	for v := range s.vecs {
		for i := range s.pixels {
			f(i, v)
		}
	}
}

// begins points to the first tap.
func (s *slide) begins() {
	s.Load(s.Param("at"), s.at)
	s.Load(s.Param("taps"), s.taps)
}

// tap moves to the next tap: its pixels are found by pixel.
func (s *slide) tap() {
	s.MOVQ(operand.Mem{Base: s.at, Disp: int(unsafe.Offsetof(tap.X))}, s.rows[0])
	s.ADDQ(s.x, s.rows[0])
	for i := 1; i < (s.pixels+2)/3; i++ {
		s.LEAQ(operand.Mem{Base: s.rows[i-1], Index: s.xs, Scale: 2}, s.rows[i])
		s.ADDQ(s.xs, s.rows[i])
	}
}

// pixel is vector v of pixel i.
func (s *slide) pixel(i, v int) operand.Mem {
	m := operand.Mem{Base: s.rows[i/3], Disp: v * s.size}
	if i%3 > 0 {
		m.Index, m.Scale = s.xs, uint8(i%3)
	}
	return m
}

// each runs f for all taps that are left, and moves on.
func (s *slide) each(f func()) {
	s.Label(s.label + "tap")
	s.tap()
	f()
	s.ADDQ(operand.Imm(uint64(unsafe.Sizeof(tap))), s.at)
	s.DECQ(s.taps)
	s.JNE(operand.LabelRef(s.label + "tap"))
}

func (s *slide) clear() {
	for _, r := range s.accs() {
		s.zero(r)
	}
}

// multiply works with no taps as well.
func (s *slide) multiply() {
	s.begins()
	s.clear()
	s.TESTQ(s.taps, s.taps)
	s.JE(operand.LabelRef(s.label + "sums"))
	s.each(func() {
		s.MOVQ(operand.Mem{Base: s.at, Disp: int(unsafe.Offsetof(tap.W))}, s.next)
		s.eachAcc(func(i, v int) {
			if i == 0 {
				s.load(operand.Mem{Base: s.w, Index: s.next, Scale: 1, Disp: v * s.size}, s.spare(0), s.masked)
			}
			if !s.masked {
				s.fma(s.pixel(i, v), s.spare(0), s.acc(i, v))
				return
			}
			s.load(s.pixel(i, v), s.spare(1), true)
			s.fma(s.spare(1), s.spare(0), s.acc(i, v))
		})
	})
	s.Label(s.label + "sums")
	s.when(abi.FlagColBias, s.label+"bias", func() {
		s.eachAcc(func(i, v int) {
			if i == 0 {
				s.load(operand.Mem{Base: s.bias, Disp: v * s.size}, s.spare(0), s.masked)
			}
			s.add(s.spare(0), s.acc(i, v), s.acc(i, v))
		})
	})
	s.rectify(s.label, s.spare(0), s.accs())
	s.stores()
}

func (s *slide) sum() {
	s.begins()
	s.clear()
	s.each(func() {
		s.eachAcc(func(i, v int) {
			s.load(s.pixel(i, v), s.spare(0), s.masked)
			s.add(s.spare(0), s.acc(i, v), s.acc(i, v))
		})
	})
	s.broadcast(s.param("count"), s.spare(0))
	for _, r := range s.accs() {
		s.VDIVPS(s.spare(0), r, r)
	}
	s.stores()
}

func (s *slide) largest() {
	s.begins()
	s.tap()
	s.eachAcc(func(i, v int) { s.load(s.pixel(i, v), s.acc(i, v), s.masked) })
	s.each(func() { // the first tap again, which changes nothing
		s.eachAcc(func(i, v int) {
			s.load(s.pixel(i, v), s.spare(0), s.masked)
			s.beats(s.spare(0), s.acc(i, v), s.spare(1), s.spare(2))
			s.keep(s.spare(0), s.acc(i, v), s.spare(1))
		})
	})
	s.stores()
}

// stores writes the results.
func (s *slide) stores() {
	s.Load(s.Param("ys"), s.next)
	s.MOVQ(s.y, s.at)
	for i := range s.pixels {
		for v := range s.vecs {
			s.store(s.acc(i, v), operand.Mem{Base: s.at, Disp: v * s.size}, s.masked)
		}
		if i < s.pixels-1 {
			s.ADDQ(s.next, s.at)
		}
	}
}

// pieces copies n > 0 pieces, ss and ds bytes apart, of whole vectors and last more elements.
func (t *target) pieces() {
	t.function("copy"+t.name, "copies n > 0 pieces of whole vectors and last elements.", "func(n, whole, last int, src *float32, ss int, dst *float32, ds int)")
	n, src, ss, dst, ds := t.arg("n"), t.arg("src"), t.arg("ss"), t.arg("dst"), t.arg("ds")
	last, whole, left, at, to := t.arg("last"), t.arg("whole"), t.GP64(), t.GP64(), t.GP64()
	x := t.regs[0]
	t.TESTQ(last, last)
	t.JE(operand.LabelRef("piece"))
	t.setMask(last)
	t.Label("piece")
	t.MOVQ(src, at)
	t.MOVQ(dst, to)
	t.MOVQ(whole, left)
	t.TESTQ(left, left)
	t.JE(operand.LabelRef("rest"))
	t.Label("vector")
	t.load(operand.Mem{Base: at}, x, false)
	t.store(x, operand.Mem{Base: to}, false)
	t.ADDQ(operand.Imm(uint64(t.size)), at)
	t.ADDQ(operand.Imm(uint64(t.size)), to)
	t.DECQ(left)
	t.JNE(operand.LabelRef("vector"))
	t.Label("rest")
	t.TESTQ(last, last)
	t.JE(operand.LabelRef("next"))
	t.load(operand.Mem{Base: at}, x, true)
	t.store(x, operand.Mem{Base: to}, true)
	t.Label("next")
	t.ADDQ(ss, src)
	t.ADDQ(ds, dst)
	t.DECQ(n)
	t.JNE(operand.LabelRef("piece"))
	t.VZEROUPPER()
	t.RET()
}
