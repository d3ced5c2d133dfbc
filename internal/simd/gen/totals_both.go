package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bothTotals writes the kernel of the sums of z*(x-c) and of z, or of z*w in the place of z, and returns its name.
func bothTotals(t *target, weighted bool) (name string) {
	k := runTotal{name: "both", in: []string{"z"}, centred: true}
	doc := "sets y to the sum of z*(x-c), and sums to that of z"
	if weighted {
		k.name, k.in, doc = "bothBy", []string{"z", "w"}, "sets y to the sum of z*w*(x-c), and sums to that of z*w"
	}
	name = t.runName(k.name)
	f := "*" + t.goType()
	t.begin(name, doc+", for each of rows > 0 rows of n > 0 elements. Rows of x are xRow bytes apart, those of z zRow.",
		"rows, n int, y, sums, x "+f+", xRow int, z "+f+", zRow int, w, c "+f)
	e := &totalTurn{runTurn: runTurn{target: t, ptr: map[string]reg.GPVirtual{}, scalar: map[string]reg.VecPhysical{}}, runTotal: k}
	e.registers()
	other := e.free[:len(e.acc)]
	e.free = e.free[len(e.acc):]
	n, left, y, sums, c := t.arg("n"), t.GP64(), t.arg("y"), t.arg("sums"), t.arg("c")
	inputs := append([]string{"x"}, k.in...)
	row := map[string]reg.GPVirtual{}
	for _, p := range inputs {
		e.ptr[p] = t.GP64()
		if p != "w" { // the same for all rows
			row[p] = t.arg(p)
		}
	}
	t.MOVQ(n, left)
	t.ANDQ(operand.U8(uint8(t.width()-1)), left)
	t.setMask(left) // of no lanes where rows are whole vectors
	turn := func(n int, masked bool) {
		e.fetch(inputs, n, masked)
		for u := range n {
			z := e.of(u, "z")
			if weighted {
				z = e.times(z, e.of(u, "w"))
			}
			e.fma(e.centredIn(u), z, e.acc[u])
			e.add(z, other[u], other[u])
		}
	}
	t.Label("row")
	e.start(c)
	for _, r := range other {
		t.zero(r)
	}
	for _, p := range inputs {
		if p == "w" {
			t.Load(t.Param(p), e.ptr[p])
		} else {
			t.MOVQ(row[p], e.ptr[p])
		}
	}
	t.MOVQ(n, left)
	e.turns(left, []int{min(len(e.acc), len(e.free)/len(inputs)), 1}, inputs, func(n int) { turn(n, false) })
	t.TESTQ(left, left)
	t.JE(operand.LabelRef("fold"))
	turn(1, true)
	t.Label("fold")
	e.fold(operand.Mem{Base: y})
	for i, r := range other {
		t.VMOVUPS(r, e.acc[i])
	}
	e.fold(operand.Mem{Base: sums})
	for _, p := range []reg.GPVirtual{y, sums} {
		t.ADDQ(operand.U8(uint8(t.elem)), p)
	}
	for _, p := range []string{"x", "z"} {
		t.ADDQ(t.param(p+"Row"), row[p])
	}
	t.DECQ(t.param("rows"))
	t.JNE(operand.LabelRef("row"))
	t.end()
	return name
}
