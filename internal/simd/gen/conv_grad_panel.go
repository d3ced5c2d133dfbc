package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panelRows is how many elements of a filter a panel's kernel computes, by vectors of filters. Each
// takes a pointer.
func (t *target) panelRows() []int {
	if len(t.regs) == 32 {
		return []int{1: 8, 2: 8, 3: 8, 4: 6}
	}
	return []int{1: 6, 2: 6}
}

// gradPanels writes the micro-kernels of a convolution's filter gradient with filters in lanes, and
// returns their table.
func gradPanels(t *target) string {
	var kernels, rows []string
	for vecs, n := range t.panelRows() {
		rows = append(rows, fmt.Sprint(n))
		if n == 0 {
			kernels = append(kernels, "nil")
			continue
		}
		t.gradPanel(n, vecs)
		kernels = append(kernels, fmt.Sprintf("gradPanel%d%s", vecs, t.name))
	}
	return fmt.Sprintf("gradPanels{gradPanel: []gradPanelFunc{%s}, panelRows: []int{%s}}",
		strings.Join(kernels, ", "), strings.Join(rows, ", "))
}

// gradPanel is a tile of the product of rows lines of pixels, found by a table, and of dy with its
// channels together.
func (t *target) gradPanel(rows, vecs int) {
	t.begin(fmt.Sprintf("gradPanel%d%s", vecs, t.name),
		fmt.Sprintf("adds to %d vectors of sums for each of %d taps the products of x there and dy.", vecs, rows),
		"lines, width int, x *float32, xRow int, taps *int, dy *float32, ds int, sums *float32, stride int")
	var x []reg.GPVirtual
	taps := t.arg("taps")
	for i := range rows {
		r := t.arg("x")
		t.ADDQ(operand.Mem{Base: taps, Disp: 8 * i}, r)
		x = append(x, r)
	}
	at, line, left, dy, ds := t.GP64(), t.GP64(), t.GP64(), t.arg("dy"), t.arg("ds")
	acc := func(i, v int) reg.VecPhysical { return t.regs[i*vecs+v] }
	spare := func(i int) reg.VecPhysical { return t.regs[rows*vecs+i] }
	for i := range rows * vecs {
		t.zero(t.regs[i])
	}
	t.XORQ(line, line)
	t.Label("line")
	t.MOVQ(line, at)
	t.Load(t.Param("width"), left)
	t.Label("pixel")
	for v := range vecs {
		t.VMOVUPS(operand.Mem{Base: dy, Disp: v * t.size}, spare(v))
	}
	t.ADDQ(ds, dy)
	for i := range rows {
		e := spare(vecs + i%2)
		if t.mask == vecmask {
			e = spare(vecs)
		}
		t.broadcast(operand.Mem{Base: x[i], Index: at, Scale: 1}, e)
		for v := range vecs {
			t.fma(spare(v), e, acc(i, v))
		}
	}
	t.ADDQ(operand.Imm(4), at)
	t.DECQ(left)
	t.JNE(operand.LabelRef("pixel"))
	t.ADDQ(t.param("xRow"), line)
	t.DECQ(t.param("lines"))
	t.JNE(operand.LabelRef("line"))
	t.Load(t.Param("sums"), dy)
	for i := range rows {
		for v := range vecs {
			m := operand.Mem{Base: dy, Disp: v * t.size}
			t.VADDPS(m, acc(i, v), acc(i, v))
			t.VMOVUPS(acc(i, v), m)
		}
		if i < rows-1 {
			t.ADDQ(t.param("stride"), dy)
		}
	}
	t.end()
}
