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
		{name: "ordinary", doc: "returns how many x are positive, normal and finite, beside a y that is finite.", params: "n int, x, y *float32",
			in: []string{"x", "y"}, live: 4, consts: []constant{0, f(1), smallest, infinity},
			body: func(e *lanes) []values {
				x, y, zero, t := e.val("x"), e.val("y"), e.tmp(), e.tmp()
				e.set(zero, 0)
				e.mul(y, y, zero) // NaN where y is not finite
				e.sum(x, x, y)
				e.where(less, y, x, e.c(infinity), e.c(f(1)), zero, t)
				e.where(less, y, x, e.c(smallest), zero, y, t)
				e.sum(e.acc, e.acc, y)
				return nil
			}},
	}
	for _, l := range all {
		l.unroll, l.accumulate = sums, true
	}
	return all
}

// rowSums adds rows of n elements to each other.
func rowSums() *loop {
	return &loop{name: "sum8", doc: "sets dst to the sum of eight rows by halves: four from x on, and four from y on.",
		params: "n int, dst, x, y *float32, stride int", in: []string{"x", "y"}, out: []string{"dst"}, strided: true, live: 4,
		body: func(e *lanes) []values {
			x, y, t, u := e.val("x"), e.val("y"), e.tmp(), e.tmp()
			e.four("x", x, t, u)
			e.four("y", y, t, u)
			e.sum(x, x, y)
			return []values{x}
		}}
}

// fold adds up the accumulators in a fixed order and returns the total.
func (e *lanes) fold() {
	a := e.accumulators
	e.add(a[1], a[0], a[0])
	e.add(a[3], a[2], a[2])
	e.add(a[2], a[0], a[0])
	y, x := a[0].AsY(), a[1].AsY()
	if e.size == 64 {
		e.VEXTRACTF64X4(operand.Imm(1), a[0], x)
		e.add(x, y, y)
	}
	// The halves of what remains, down to one lane, in registers that need no EVEX prefix.
	lo, hi := reg.X0, reg.X1
	e.VMOVUPS(y, reg.Y0)
	e.VEXTRACTF128(operand.Imm(1), reg.Y0, hi)
	e.add(hi, lo, lo)
	e.VMOVHLPS(lo, lo, hi)
	e.add(hi, lo, lo)
	if e.elem == 8 {
		e.VMOVSD(lo, e.address(e.Return("total")))
		return
	}
	e.VPSHUFD(operand.Imm(1), lo, hi)
	e.VADDSS(hi, lo, lo)
	e.VMOVSS(lo, e.address(e.Return("total")))
}
