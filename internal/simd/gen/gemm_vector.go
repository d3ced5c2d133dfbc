package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemvs writes the kernels of products of a vector and a matrix, which only memory limits.
func gemvs(t *target) {
	for _, t.elem = range []int{4, 8} {
		t.dots()
		t.rows(1)
		t.rows(8)
	}
	t.elem = 4
}

// dots multiplies a vector by four rows at a time, two vectors of each in a turn.
func (t *target) dots() {
	const columns, deep = 4, 2
	f := "*" + t.goType()
	t.begin(fmt.Sprintf("dots%sf%d", t.name, 8*t.elem),
		"sets sums[j], or with more adds to it, the product of a and row j of b, of k elements, for j < n rounded up to 4; rows from n on are read as row n-1. bs is in bytes.",
		"n, k int, a, b "+f+", bs int, sums "+f+", more int")
	n, row, bs, out := t.arg("n"), t.arg("b"), t.arg("bs"), t.arg("sums")
	var p [columns]reg.GPVirtual
	for i := range p {
		p[i] = t.GP64()
	}
	a, k := t.GP64(), t.GP64()
	acc := func(i, u int) reg.VecPhysical { return t.regs[u*columns+i] }
	x := t.regs[columns*deep:]

	t.Label("four")
	t.MOVQ(row, p[0])
	for i := 1; i < columns; i++ {
		t.MOVQ(p[i-1], p[i])
		t.CMPQ(n, operand.Imm(uint64(i)))
		t.JLE(operand.LabelRef(fmt.Sprintf("row%d", i)))
		t.ADDQ(bs, p[i])
		t.Label(fmt.Sprintf("row%d", i))
	}
	t.Load(t.Param("a"), a)
	t.Load(t.Param("k"), k)
	for _, r := range t.regs[:columns*deep] {
		t.zero(r)
	}
	turn := func(vectors int) {
		for u := range vectors {
			t.load(operand.Mem{Base: a, Disp: u * t.size}, x[u], false)
			for i := range p {
				t.fma(operand.Mem{Base: p[i], Disp: u * t.size}, x[u], acc(i, u))
			}
		}
		for _, r := range append([]reg.GPVirtual{a}, p[:]...) {
			t.ADDQ(operand.U32(uint32(vectors*t.size)), r)
		}
	}
	t.along("wide", k, deep, "narrow", func() { turn(deep) })
	t.along("narrow", k, 1, "rest", func() { turn(1) })
	t.Label("rest")
	t.TESTQ(k, k)
	t.JE(operand.LabelRef("total"))
	t.setMask(k)
	t.load(operand.Mem{Base: a}, x[0], true)
	for i := range p {
		t.load(operand.Mem{Base: p[i]}, x[1], true)
		t.fma(x[1], x[0], acc(i, 0))
	}
	t.Label("total")
	var lanes [columns]reg.VecPhysical
	for i := range lanes {
		t.add(acc(i, 1), acc(i, 0), acc(i, 0))
		lanes[i] = acc(i, 0)
	}
	t.quarter(lanes[:])
	t.CMPQ(t.param("more"), operand.Imm(0))
	t.JE(operand.LabelRef("store"))
	t.add(operand.Mem{Base: out}, t.firstFour(), t.firstFour())
	t.Label("store")
	t.VMOVUPS(t.firstFour(), operand.Mem{Base: out})

	t.LEAQ(operand.Mem{Base: row, Index: bs, Scale: 4}, row)
	t.ADDQ(operand.Imm(uint64(columns*t.elem)), out)
	t.SUBQ(operand.Imm(columns), n)
	t.JG(operand.LabelRef("four"))
	t.end()
}

// along emits a loop that takes vectors at a time off counter while it can, then goes to next.
func (t *target) along(label string, counter reg.Register, vectors int, next string, body func()) {
	step := operand.U32(uint32(vectors * t.width()))
	t.Label(label)
	t.CMPQ(counter, step)
	t.JL(operand.LabelRef(next))
	body()
	t.SUBQ(step, counter)
	t.JMP(operand.LabelRef(label))
}

// firstFour is the register that holds four elements.
func (t *target) firstFour() reg.Register {
	if t.elem == 4 {
		return reg.X0
	}
	return reg.Y0
}

// quarter sums the lanes of four registers, which become the elements of firstFour.
func (t *target) quarter(r []reg.VecPhysical) {
	for i, v := range r {
		if t.size == 64 {
			t.VEXTRACTF64X4(operand.Imm(1), v, t.regs[4].AsY())
			t.add(t.regs[4].AsY(), v.AsY(), v.AsY())
		}
		if i < 4 && t.elem == 4 {
			t.VEXTRACTF128(operand.Imm(1), v.AsY(), reg.X4)
			t.add(reg.X4, v.AsX(), v.AsX())
		}
	}
	if t.elem == 4 {
		t.VHADDPS(r[1].AsX(), r[0].AsX(), reg.X0)
		t.VHADDPS(r[3].AsX(), r[2].AsX(), reg.X2)
		t.VHADDPS(reg.X2, reg.X0, reg.X0)
		return
	}
	// Pairs within lanes, then the two lanes of both results.
	t.VHADDPD(r[1].AsY(), r[0].AsY(), reg.Y0)
	t.VHADDPD(r[3].AsY(), r[2].AsY(), reg.Y2)
	t.VPERM2F128(operand.Imm(0x20), reg.Y2, reg.Y0, reg.Y1)
	t.VPERM2F128(operand.Imm(0x31), reg.Y2, reg.Y0, reg.Y3)
	t.VADDPD(reg.Y3, reg.Y1, reg.Y0)
}

// rows adds multiples of some rows of b to y, or sets y to their sum.
func (t *target) rows(count int) {
	f := "*" + t.goType()
	t.begin(fmt.Sprintf("rows%d%sf%d", count, t.name, 8*t.elem),
		fmt.Sprintf("sets y, or with more adds to it, x[0] times row 0 of b and so on for %d rows of n elements. bs is in bytes.", count),
		"n int, x, b "+f+", bs int, y "+f+", more int")
	n, x, y, bs := t.arg("n"), t.arg("x"), t.arg("y"), t.arg("bs")
	base := []reg.GPVirtual{t.arg("b")}
	for i := 3; i < count; i += 3 {
		r := t.GP64()
		t.LEAQ(operand.Mem{Base: base[len(base)-1], Index: bs, Scale: 2}, r)
		t.ADDQ(bs, r)
		base = append(base, r)
	}
	row := func(i int) operand.Mem {
		m := operand.Mem{Base: base[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = bs, uint8(i%3)
		}
		return m
	}
	factor, sum := t.regs[4:], t.regs[:2]
	for i := range count {
		t.broadcast(operand.Mem{Base: x, Disp: i * t.elem}, factor[i])
	}
	turn := func(label string, masked bool) {
		t.zero(sum[0])
		t.zero(sum[1])
		t.CMPQ(t.param("more"), operand.Imm(0))
		t.JE(operand.LabelRef(label + "_set"))
		t.load(operand.Mem{Base: y}, sum[0], masked)
		t.Label(label + "_set")
		for i := range count {
			if masked {
				t.load(row(i), t.regs[2], true)
				t.fma(t.regs[2], factor[i], sum[i%2])
			} else {
				t.fma(row(i), factor[i], sum[i%2])
			}
		}
		t.add(sum[1], sum[0], sum[0])
		t.store(sum[0], operand.Mem{Base: y}, masked)
	}
	t.along("vectors", n, 1, "rest", func() {
		turn("vectors", false)
		for _, r := range append(base, y) {
			t.ADDQ(operand.Imm(uint64(t.size)), r)
		}
	})
	t.Label("rest")
	t.TESTQ(n, n)
	t.JE(operand.LabelRef("done"))
	t.setMask(n)
	turn("rest", true)
	t.Label("done")
	t.end()
}
