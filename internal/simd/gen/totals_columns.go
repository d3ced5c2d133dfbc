package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnSums writes the kernel that adds up rows with each other, plane by plane, and returns its name.
func columnSums(t *target) (name string) {
	name = t.runName("columns")
	f := "*" + t.goType()
	t.begin(name, "sets each of planes > 0 rows of n > 0 elements of dst to the sum of rows > 0 rows of x. Strides are in bytes.",
		"planes, rows, n int, dst "+f+", dstPlane int, x "+f+", xPlane, xRow int")
	e := &columnTurn{target: t, dst: t.arg("dst"), src: t.arg("x"), left: t.GP64(), to: t.GP64(), from: t.GP64(), at: t.GP64(), rows: t.GP64()}
	e.steps[1] = t.arg("xRow")
	for _, k := range []int{3, 5, 7} { // that many rows
		e.steps[k] = t.GP64()
		t.LEAQ(operand.Mem{Base: e.steps[max(k-2, 1)], Index: e.steps[1], Scale: 2}, e.steps[k])
	}
	rest := t.arg("n")
	t.ANDQ(operand.U32(uint32(t.width()-1)), rest)
	t.setMask(rest) // of no lanes where rows are whole vectors
	t.Label("plane")
	t.MOVQ(e.dst, e.to)
	t.MOVQ(e.src, e.from)
	t.MOVQ(t.param("n"), e.left)
	widths := []int{4, 2, 1}
	if len(t.regs) == 32 {
		widths = []int{8, 4, 2, 1}
	}
	for i, vectors := range widths {
		here, next := fmt.Sprintf("by%d", i), fmt.Sprintf("by%d", i+1)
		t.Label(here)
		t.CMPQ(e.left, operand.U32(uint32(vectors*t.width())))
		t.JL(operand.LabelRef(next))
		e.block(here, vectors, false)
		t.ADDQ(operand.U32(uint32(vectors*t.size)), e.to)
		t.ADDQ(operand.U32(uint32(vectors*t.size)), e.from)
		t.SUBQ(operand.U32(uint32(vectors*t.width())), e.left)
		t.JMP(operand.LabelRef(here))
	}
	t.Label(fmt.Sprintf("by%d", len(widths)))
	t.TESTQ(e.left, e.left)
	t.JE(operand.LabelRef("next"))
	e.block("rest", 1, true)
	t.Label("next")
	t.ADDQ(t.param("dstPlane"), e.dst)
	t.ADDQ(t.param("xPlane"), e.src)
	t.DECQ(t.param("planes"))
	t.JNE(operand.LabelRef("plane"))
	t.end()
	return name
}

// columnTurn emits the sums of some columns.
type columnTurn struct {
	*target
	dst, src       reg.GPVirtual    // of the plane
	to, from, left reg.GPVirtual    // of the columns, and how many are left
	at, rows       reg.GPVirtual    // of the row, and how many are left
	steps          [8]reg.GPVirtual // bytes to the first, third, fifth and seventh row from one on
}

// mem is a vector of the k-th row from the present one on.
func (e *columnTurn) mem(k, u int) operand.Mem {
	m := operand.Mem{Base: e.at, Disp: u * e.size}
	switch k {
	case 0:
	case 1, 3, 5, 7:
		m.Index, m.Scale = e.steps[k], 1
	case 2, 4:
		m.Index, m.Scale = e.steps[1], uint8(k)
	case 6:
		m.Index, m.Scale = e.steps[3], 2
	}
	return m
}

// sum returns the sum of vector u of n rows, a power of two, by halves. free are registers to use.
func (e *columnTurn) sum(n, first, u int, masked bool, free []reg.VecPhysical) reg.VecPhysical {
	switch {
	case n == 1:
		e.load(e.mem(first, u), free[0], masked)
		return free[0]
	case n == 2 && !masked:
		e.load(e.mem(first, u), free[0], false)
		e.add(e.mem(first+1, u), free[0], free[0])
		return free[0]
	}
	a := e.sum(n/2, first, u, masked, free)
	b := e.sum(n/2, first+n/2, u, masked, free[1:])
	e.add(b, a, a)
	return a
}

// block emits the sums of so many vectors of columns: those of eight rows by halves, one after the other, and then
// what is left.
func (e *columnTurn) block(label string, vectors int, masked bool) {
	acc, free := e.regs[:vectors], e.regs[vectors:]
	for _, r := range acc {
		e.zero(r)
	}
	e.MOVQ(e.from, e.at)
	e.MOVQ(e.param("rows"), e.rows)
	rows := func(n int) {
		for u, r := range acc {
			e.add(e.sum(n, 0, u, masked, free), r, r)
		}
	}
	e.Label(label + "_8")
	e.CMPQ(e.rows, operand.Imm(8))
	e.JL(operand.LabelRef(label + "_4"))
	rows(8)
	e.LEAQ(operand.Mem{Base: e.at, Index: e.steps[1], Scale: 8}, e.at)
	e.SUBQ(operand.Imm(8), e.rows)
	e.JMP(operand.LabelRef(label + "_8"))
	for n := 4; n > 0; n /= 2 {
		next := fmt.Sprintf("%s_%d", label, n/2)
		e.Label(fmt.Sprintf("%s_%d", label, n))
		e.TESTQ(operand.U32(uint32(n)), e.rows)
		e.JE(operand.LabelRef(next))
		rows(n)
		e.LEAQ(operand.Mem{Base: e.at, Index: e.steps[1], Scale: uint8(n)}, e.at)
	}
	e.Label(label + "_0")
	for u, r := range acc {
		e.store(r, operand.Mem{Base: e.to, Disp: u * e.size}, masked)
	}
}
