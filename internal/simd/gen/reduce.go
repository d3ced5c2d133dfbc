package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums is how many vectors a reduction accumulates side by side.
const sums = 4

// reductions are the kernels that fold vectors into one value.
func reductions() []*loop {
	all := []*loop{
		{name: "sum", doc: "returns the sum of x.", params: "n int, x, y *float32", in: []string{"x"}, live: 1,
			body: func(e *lanes) []values {
				e.sum(e.acc, e.acc, e.val("x"))
				return nil
			}},
		{name: "dot", doc: "returns the sum of x*y.", params: "n int, x, y *float32", in: []string{"x", "y"}, live: 2,
			body: func(e *lanes) []values {
				e.addmul(e.acc, e.val("x"), e.val("y"))
				return nil
			}},
	}
	for _, l := range all {
		l.unroll, l.accumulate = sums, true
	}
	return all
}

// fold adds up the accumulators in a fixed order and returns the total.
func (e *lanes) fold() {
	a := e.accumulators
	e.VADDPS(a[1], a[0], a[0])
	e.VADDPS(a[3], a[2], a[2])
	e.VADDPS(a[2], a[0], a[0])
	y, x := a[0].AsY(), a[1].AsY()
	if e.size == 64 {
		e.VEXTRACTF64X4(operand.Imm(1), a[0], x)
		e.VADDPS(x, y, y)
	}
	// The halves of what remains, down to one lane, in registers that need no EVEX prefix.
	lo, hi := reg.X0, reg.X1
	e.VMOVUPS(y, reg.Y0)
	e.VEXTRACTF128(operand.Imm(1), reg.Y0, hi)
	e.VADDPS(hi, lo, lo)
	e.VMOVHLPS(lo, lo, hi)
	e.VADDPS(hi, lo, lo)
	e.VPSHUFD(operand.Imm(1), lo, hi)
	e.VADDSS(hi, lo, lo)
	e.VMOVSS(lo, e.address(e.Return("total")))
}
