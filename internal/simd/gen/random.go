package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011).
const (
	philoxRounds = 10
	philoxM0     = 0xd2511f53
	philoxM1     = 0xcd9e8d57
	philoxW0     = 0x9e3779b9
	philoxW1     = 0xbb67ae85
)

// philox writes the kernel of random numbers, and its table. Each lane of 64 bits holds a word of a
// counter, which may have anything in its upper half. The even lanes are the blocks of the first
// half of a turn, the odd ones those of the second, so that unpacking puts them in order.
func philox(t *target) string {
	name := "uniform" + t.name
	t.begin(name, "sets n groups of dst, each as long as the vectors of two registers, to the uniform numbers of the blocks from block on, below 2^32; high is the upper half of their counters.",
		"n int, dst *float32, block uint64, high uint64, key uint64")
	lanes := t.size / 8
	var first, step []uint32
	for i := range lanes {
		first = append(first, uint32(i/2+i%2*lanes/2), 0)
		step = append(step, uint32(lanes), 0)
	}
	n, dst := t.arg("n"), t.arg("dst")
	high, key := t.arg("high"), t.arg("key")
	word := func(from reg.GPVirtual, i uint64, d reg.VecPhysical) {
		r := t.GP64()
		t.MOVQ(from, r)
		t.SHRQ(operand.Imm(32*i), r)
		t.VMOVD(r.As32(), d.AsX())
		t.VPBROADCASTD(d.AsX(), d)
	}
	r := t.regs
	next, c2, c3, m0, m1, k0, k1 := r[0], r[1], r[2], r[3], r[4], r[5], r[6]
	a, b, c, d, p0, p1 := r[7], r[8], r[9], r[10], r[11], r[12]
	scale := r[13]
	word(t.arg("block"), 0, next)
	t.VPADDQ(t.data("blocks", first), next, next)
	word(high, 0, c2)
	word(high, 1, c3)
	t.VMOVUPS(t.data("m0", repeat(t.size/4, philoxM0)), m0)
	t.VMOVUPS(t.data("m1", repeat(t.size/4, philoxM1)), m1)
	t.VMOVUPS(t.memory(f(0x1p-24)), scale)
	stride := t.data("stride", step)
	weyl0, weyl1 := t.memory(philoxW0), t.memory(philoxW1)

	t.Label("loop")
	t.move(next, a)
	t.zero(b)
	t.move(c2, c)
	t.move(c3, d)
	word(key, 0, k0)
	word(key, 1, k1)
	for range philoxRounds {
		t.VPMULUDQ(m0, a, p0)
		t.VPMULUDQ(m1, c, p1)
		t.VPSRLQ(operand.Imm(32), p1, a)
		t.xori(a, b, a)
		t.xori(a, k0, a)
		t.VPSRLQ(operand.Imm(32), p0, c)
		t.xori(c, d, c)
		t.xori(c, k1, c)
		t.VPADDD(weyl0, k0, k0)
		t.VPADDD(weyl1, k1, k1)
		b, p1 = p1, b // the low halves
		d, p0 = p0, d
	}
	t.pair(a, b)
	t.pair(c, d)
	t.VPUNPCKLQDQ(c, a, p0)
	t.VPUNPCKHQDQ(c, a, p1)
	for i, v := range []reg.VecPhysical{p0, p1} {
		t.VPSRLD(operand.Imm(8), v, v)
		t.VCVTDQ2PS(v, v)
		t.VMULPS(scale, v, v)
		t.VMOVUPS(v, operand.Mem{Base: dst, Disp: i * t.size})
	}
	t.VPADDQ(stride, next, next)
	t.ADDQ(operand.U32(uint32(2*t.size)), dst)
	t.DECQ(n)
	t.JNE(operand.LabelRef("loop"))
	t.end()
	return fmt.Sprintf("\nvar %s = Kernels{uniform: %s, group: %d}\n", t.level(), name, 2*t.width())
}

// move and xori are VMOVDQA and VPXOR, which AVX-512 names after an element.
func (t *target) move(s, d reg.Register) { t.VMOVUPS(s, d) }

func (t *target) xori(x, y, d reg.Register) {
	if t.mask == opmask {
		t.VPXORQ(x, y, d)
		return
	}
	t.VPXOR(x, y, d)
}

// pair puts the low halves of hi's lanes above those of lo's.
func (t *target) pair(lo, hi reg.Register) {
	t.VPSLLQ(operand.Imm(32), lo, lo)
	t.VPSRLQ(operand.Imm(32), lo, lo)
	t.VPSLLQ(operand.Imm(32), hi, hi)
	t.VORPS(hi, lo, lo)
}
