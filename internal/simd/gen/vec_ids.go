package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// idsBeyond writes the kernel that looks for numbers that are no index: the sign of one that is negative, or of what
// it lacks to the last index, is kept in one of four vectors.
func idsBeyond(t *target) (name string) {
	name = "idsBeyond" + t.name
	t.function(name, "returns 0 if all of n > 0 ids are from 0 to last.", "func(n int, ids *int32, last int32) (beyond uint32)")
	n, ids := t.arg("n"), t.arg("ids")
	last, seen, id, rest := t.regs[0], t.regs[1:5], t.regs[5:9], t.regs[9:13]
	t.broadcast(t.param("last"), last)
	for _, r := range seen {
		t.zero(r)
	}
	look := func(i int, masked bool) {
		t.load(operand.Mem{Base: ids, Disp: i * t.size}, id[i], masked)
		t.VPSUBD(id[i], last, rest[i])
		t.VORPS(id[i], seen[i], seen[i])
		t.VORPS(rest[i], seen[i], seen[i])
	}
	turn := func(vectors int) {
		for u := range vectors {
			look(u, false)
		}
		t.ADDQ(operand.U32(uint32(vectors*t.size)), ids)
	}
	t.along("wide", n, 4, "narrow", func() { turn(4) })
	t.along("narrow", n, 1, "rest", func() { turn(1) })
	t.Label("rest")
	t.TESTQ(n, n)
	t.JE(operand.LabelRef("done"))
	t.setMask(n)
	look(0, true)
	t.Label("done")
	for _, r := range seen[1:] {
		t.VORPS(r, seen[0], seen[0])
	}
	low := seen[0].AsY()
	if t.size == 64 {
		t.VEXTRACTF64X4(operand.Imm(1), seen[0], reg.Y0)
		t.VORPS(reg.Y0, low, low)
	}
	found := t.GP32()
	t.VMOVMSKPS(low, found)
	t.Store(found, t.Return("beyond"))
	t.VZEROUPPER()
	t.RET()
	return name
}
