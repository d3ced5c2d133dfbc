package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowRepeat writes the kernel that fills each of some rows with one element, and returns its name.
func rowRepeat(t *target) (name string) {
	name = "repeat" + t.suffix() + t.name
	t.function(name, "sets each of rows of n elements to an element of x, stride bytes apart.",
		"func(rows, n int, dst, x *"+t.goType()+", stride int)")
	rows, n, dst, x, stride := t.arg("rows"), t.arg("n"), t.arg("dst"), t.arg("x"), t.arg("stride")
	rest, left := t.GP64(), t.GP64()
	t.MOVQ(n, rest)
	t.ANDQ(operand.U32(uint32(t.width()-1)), rest)
	t.setMask(rest) // of no lanes where rows are whole vectors
	v := t.regs[0]
	t.Label("row")
	t.broadcast(operand.Mem{Base: x}, v)
	t.ADDQ(stride, x)
	t.MOVQ(n, left)
	for _, vectors := range []int{4, 1} {
		label, next := map[int]string{4: "wide", 1: "narrow"}[vectors], map[int]string{4: "narrow", 1: "rest"}[vectors]
		t.fillTurns(label, next, vectors, v, dst, left)
	}
	t.Label("rest")
	t.TESTQ(rest, rest)
	t.JE(operand.LabelRef("next"))
	t.store(v, operand.Mem{Base: dst}, true)
	t.LEAQ(operand.Mem{Base: dst, Index: rest, Scale: uint8(t.elem)}, dst)
	t.Label("next")
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.VZEROUPPER()
	t.RET()
	return name
}

// fillTurns stores v to so many vectors at a time, while as many are left.
func (t *target) fillTurns(label, next string, vectors int, v reg.Register, dst, left reg.GPVirtual) {
	t.Label(label)
	t.CMPQ(left, operand.U32(uint32(vectors*t.width())))
	t.JL(operand.LabelRef(next))
	for i := range vectors {
		t.store(v, operand.Mem{Base: dst, Disp: i * t.size}, false)
	}
	t.ADDQ(operand.U32(uint32(vectors*t.size)), dst)
	t.SUBQ(operand.U32(uint32(vectors*t.width())), left)
	t.JMP(operand.LabelRef(label))
}
