package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// peak writes the loop that nothing beats: independent multiply-adds on registers.
func peak(t *target) {
	const sums = 12 // two units, four or five cycles long
	t.Function("fmaLoop" + t.name)
	t.Doc("fmaLoop" + t.name + " does n times 12 multiply-adds of vectors of float32.")
	t.Attributes(attr.NOSPLIT)
	t.SignatureExpr("func(n int)")
	n := t.arg("n")
	for _, r := range t.regs[:sums+2] {
		t.zero(r)
	}
	t.Label("loop")
	for _, r := range t.regs[:sums] {
		t.fma(t.regs[sums], t.regs[sums+1], r)
	}
	t.SUBQ(operand.Imm(1), n)
	t.JG(operand.LabelRef("loop"))
	t.VZEROUPPER()
	t.RET()
}
