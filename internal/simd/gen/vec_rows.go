package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sides are the pointers of a copy.
var sides = []string{"src", "dst"}

// alongRow goes over a row of left elements, by four vectors, then by one, then over the rest, the lanes of the mask. turn does
// so many vectors, behind which the pointers at move on; its label is of no other turn.
func (t *target) alongRow(left, rest reg.GPVirtual, at []reg.GPVirtual, turn func(label string, vectors int, masked bool)) {
	for i, vectors := range []int{4, 1} {
		here, next := fmt.Sprintf("by%d", i), fmt.Sprintf("by%d", i+1)
		t.along(here, left, vectors, next, func() {
			turn(here, vectors, false)
			for _, p := range at {
				t.ADDQ(operand.U32(uint32(vectors*t.size)), p)
			}
		})
	}
	t.Label("by2")
	t.TESTQ(rest, rest)
	t.JE(operand.LabelRef("next"))
	turn("rest", 1, true)
	t.Label("next")
}

// rowCopy writes the kernel that copies planes of rows.
func rowCopy(t *target) {
	t.function("copyPlanes"+t.name, "copies planes > 0 of rows > 0 of n > 0 elements. Strides are in bytes.",
		"func(planes, rows, n int, dst *float32, dstPlane, dstRow int, src *float32, srcPlane, srcRow int)")
	n, rest, left, rows := t.arg("n"), t.GP64(), t.GP64(), t.GP64()
	plane := map[string]reg.GPVirtual{"dst": t.arg("dst"), "src": t.arg("src")}
	row := map[string]reg.GPVirtual{"dst": t.GP64(), "src": t.GP64()}
	at := map[string]reg.GPVirtual{"dst": t.GP64(), "src": t.GP64()}
	t.MOVQ(n, rest)
	t.ANDQ(operand.U32(uint32(t.width()-1)), rest)
	t.setMask(rest) // of no lanes where rows are whole vectors
	t.Label("plane")
	t.Load(t.Param("rows"), rows)
	for _, p := range sides {
		t.MOVQ(plane[p], row[p])
	}
	t.Label("row")
	for _, p := range sides {
		t.MOVQ(row[p], at[p])
	}
	t.MOVQ(n, left)
	t.alongRow(left, rest, []reg.GPVirtual{at["src"], at["dst"]}, func(_ string, vectors int, masked bool) {
		for u := range vectors {
			t.load(operand.Mem{Base: at["src"], Disp: u * t.size}, t.regs[u], masked)
		}
		for u := range vectors {
			t.store(t.regs[u], operand.Mem{Base: at["dst"], Disp: u * t.size}, masked)
		}
	})
	t.ADDQ(t.param("dstRow"), row["dst"])
	t.ADDQ(t.param("srcRow"), row["src"])
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.ADDQ(t.param("dstPlane"), plane["dst"])
	t.ADDQ(t.param("srcPlane"), plane["src"])
	t.DECQ(t.param("planes"))
	t.JNE(operand.LabelRef("plane"))
	t.VZEROUPPER()
	t.RET()
}

// byRows are the functions of a vector and a number that have a kernel for rows, of which each has a
// number of its own.
var byRows = []string{"add", "sub", "mul", "div"}

// mapsByRows writes these kernels, and their table.
func mapsByRows(t *target) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\tbyRows%s: [opCount]rowsFunc[%s]{\n", t.suffix(), t.goType())
	for _, op := range byRows {
		name := op + "Rows" + t.suffix() + t.name
		mapByRows(t, op, name)
		fmt.Fprintf(&s, "\t\t%s: %s,\n", strings.ToUpper(op[:1])+op[1:], name)
	}
	s.WriteString("\t},\n")
	return s.String()
}

func mapByRows(t *target, op, name string) {
	sign := map[string]string{"add": "+", "sub": "-", "mul": "*", "div": "/"}[op]
	params := strings.ReplaceAll("rows, n int, dst, x, c *T, stride int", "T", t.goType())
	doc := "sets rows > 0 adjoining rows of n > 0 elements of dst to x " + sign + " c, of c's elements stride bytes apart."
	if t.elem == 4 {
		t.begin(name, doc, params)
	} else {
		t.declare(name, doc, params)
	}
	compute := map[string]func(...operand.Op){
		"add": t.ps(t.VADDPS, t.VADDPD), "sub": t.ps(t.VSUBPS, t.VSUBPD), "mul": t.ps(t.VMULPS, t.VMULPD), "div": t.ps(t.VDIVPS, t.VDIVPD),
	}[op]
	rows, n, dst, x, c, stride := t.arg("rows"), t.arg("n"), t.arg("dst"), t.arg("x"), t.arg("c"), t.arg("stride")
	rest, left := t.GP64(), t.GP64()
	t.MOVQ(n, rest)
	t.ANDQ(operand.U32(uint32(t.width()-1)), rest)
	t.setMask(rest) // of no lanes where rows are whole vectors
	number := t.regs[4]
	t.Label("row")
	t.broadcast(operand.Mem{Base: c}, number)
	t.ADDQ(stride, c)
	t.MOVQ(n, left)
	t.alongRow(left, rest, []reg.GPVirtual{x, dst}, func(_ string, vectors int, masked bool) {
		for u := range vectors {
			t.load(operand.Mem{Base: x, Disp: u * t.size}, t.regs[u], masked)
			compute(number, t.regs[u], t.regs[u])
		}
		for u := range vectors {
			t.store(t.regs[u], operand.Mem{Base: dst, Disp: u * t.size}, masked)
		}
		if masked {
			t.LEAQ(operand.Mem{Base: x, Index: rest, Scale: uint8(t.elem)}, x)
			t.LEAQ(operand.Mem{Base: dst, Index: rest, Scale: uint8(t.elem)}, dst)
		}
	})
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.end()
}

// mixRows writes the kernel of rows that are weighted sums of rows, and returns its name.
func mixRows(t *target) string {
	name := "mixRows" + t.suffix() + t.name
	params := strings.ReplaceAll("rows, n int, dst, x *T, starts, ids *int32, w *T", "T", t.goType())
	doc := "sets rows > 0 adjoining rows of n > 0 elements of dst: row i to the sum of w[l] times row ids[l] of x, for l from starts[i] to starts[i+1]."
	if t.elem == 4 {
		t.begin(name, doc, params)
	} else {
		t.declare(name, doc, params)
	}
	dst, x, starts, ids, w := t.arg("dst"), t.arg("x"), t.arg("starts"), t.arg("ids"), t.arg("w")
	rest, left, column, bytes := t.GP64(), t.GP64(), t.GP64(), t.GP64()
	l, end, from := t.GP64(), t.GP64(), t.GP64()
	t.Load(t.Param("n"), rest)
	t.IMUL3Q(operand.Imm(uint64(t.elem)), rest, bytes)
	t.ANDQ(operand.U32(uint32(t.width()-1)), rest)
	t.setMask(rest) // of no lanes where rows are whole vectors
	weight, element := t.regs[4], t.regs[5]
	t.Label("row")
	t.XORQ(column, column)
	t.Load(t.Param("n"), left)
	t.alongRow(left, rest, []reg.GPVirtual{column, dst}, func(label string, vectors int, masked bool) {
		for u := range vectors {
			t.zero(t.regs[u])
		}
		t.MOVLQSX(operand.Mem{Base: starts}, l)
		t.MOVLQSX(operand.Mem{Base: starts, Disp: 4}, end)
		t.Label(label + "tap")
		t.CMPQ(l, end)
		t.JGE(operand.LabelRef(label + "store"))
		t.MOVLQSX(operand.Mem{Base: ids, Index: l, Scale: 4}, from)
		t.IMULQ(bytes, from)
		t.ADDQ(x, from)
		t.ADDQ(column, from)
		t.broadcast(operand.Mem{Base: w, Index: l, Scale: uint8(t.elem)}, weight)
		for u := range vectors {
			t.load(operand.Mem{Base: from, Disp: u * t.size}, element, masked)
			t.fma(element, weight, t.regs[u])
		}
		t.INCQ(l)
		t.JMP(operand.LabelRef(label + "tap"))
		t.Label(label + "store")
		for u := range vectors {
			t.store(t.regs[u], operand.Mem{Base: dst, Disp: u * t.size}, masked)
		}
		if masked {
			t.LEAQ(operand.Mem{Base: dst, Index: rest, Scale: uint8(t.elem)}, dst)
		}
	})
	t.ADDQ(operand.Imm(4), starts)
	t.DECQ(t.param("rows"))
	t.JNE(operand.LabelRef("row"))
	t.end()
	return name
}
