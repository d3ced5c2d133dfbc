package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/operand"
)

// gates writes the steps of recurrent cells, and their table.
func gates(t *target) string {
	var s strings.Builder
	s.WriteString("\tgateKernels: gateKernels{\n")
	for _, l := range gateLoops() {
		l.emit(t)
		fmt.Fprintf(&s, "\t\t%s: %s%s,\n", l.name, l.name, t.name)
	}
	s.WriteString("\t},\n")
	return s.String()
}

// gateLoops go along the units of a row. Their bodies load and store by themselves: planes of a pointer
// are stride bytes apart, and those of pre pitch.
func gateLoops() []*loop {
	forward := slices.Concat(expConsts, tanhConsts)
	all := []*loop{
		{name: "lstm", doc: "sets planes to c, i, f, g and o, and h.", out: []string{"pre", "x", "prev", "planes", "h"}, live: 6, consts: forward, body: (*lanes).lstm},
		{name: "gru", doc: "sets planes to h, r, z, n and q.", out: []string{"pre", "x", "prev", "planes"}, live: 6, consts: forward, body: (*lanes).gru},
		{name: "lstmGrad", doc: "sets out to the adjoints of i, f, g and o before their functions, and carry to that of prev. planes are c, i, f, g and o.",
			out: []string{"dh", "dy", "dc", "planes", "prev", "carry", "out"}, live: 6, consts: forward, body: (*lanes).lstmGrad},
		{name: "gruGrad", doc: "sets out to the adjoints of n, r and z before their functions and of q, and carry to a part of that of prev. planes are h, r, z, n and q.",
			out: []string{"dh", "dy", "planes", "prev", "carry", "out"}, live: 6, consts: []constant{f(1)}, body: (*lanes).gruGrad},
	}
	for _, l := range all {
		l.planes, l.unroll = true, 2
		if l.params = "n, stride int, "; l.out[0] == "pre" {
			l.params = "n, stride, pitch int, "
		}
		l.params += strings.Join(l.out, ", ") + " *float32"
	}
	return all
}

// at is plane k of p, up to the fifth, for vector i of a turn.
func (e *lanes) at(p string, k, i int) operand.Mem {
	m, stride := operand.Mem{Base: e.ptr[p], Disp: i * e.size}, e.stride
	if p == "pre" {
		stride = e.pitch
	}
	switch k {
	case 1, 2, 4:
		m.Index, m.Scale = stride[1], uint8(k)
	case 3:
		m.Index, m.Scale = stride[3], 1
	}
	return m
}

func (e *lanes) get(d values, p string, k int) {
	e.each(func(i int) { e.load(e.at(p, k, i), register(d[i]), e.masked) })
}

func (e *lanes) put(v values, p string, k int) {
	e.each(func(i int) { e.store(register(v[i]), e.at(p, k, i), e.masked) })
}

// gate sets d to the sum of planes k of pre and j of x.
func (e *lanes) gate(d, t values, k, j int) {
	e.get(d, "pre", k)
	e.get(t, "x", j)
	e.sum(d, d, t)
}

// rest sets d to 1 - x.
func (e *lanes) rest(d, x values) {
	e.set(d, f(1))
	e.sub(d, d, x)
}

func (e *lanes) lstm() []values {
	x, y, a, n, c, o := e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.gate(x, y, 2, 2)
	e.hyperbolic(c, x, y, n)
	e.put(c, "planes", 3)
	e.gate(x, y, 0, 0)
	e.sigmoid(y, x, a, n)
	e.put(y, "planes", 1)
	e.mul(c, c, y)
	e.gate(x, y, 1, 1)
	e.sigmoid(y, x, a, n)
	e.put(y, "planes", 2)
	e.get(x, "prev", 0)
	e.addmul(c, x, y)
	e.put(c, "planes", 0)
	e.gate(x, y, 3, 3)
	e.sigmoid(o, x, a, n)
	e.put(o, "planes", 4)
	e.hyperbolic(a, c, y, n)
	e.mul(o, o, a)
	e.put(o, "h", 0)
	return nil
}

func (e *lanes) gru() []values {
	x, y, a, n, c := e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.gate(x, y, 0, 0)
	e.sigmoid(y, x, a, n)
	e.put(y, "planes", 1)
	e.get(c, "pre", 2)
	e.put(c, "planes", 4)
	e.get(x, "x", 2)
	e.addmul(x, c, y)
	e.hyperbolic(c, x, y, n)
	e.put(c, "planes", 3)
	e.gate(x, y, 1, 1)
	e.sigmoid(y, x, a, n)
	e.put(y, "planes", 2)
	e.get(x, "prev", 0)
	e.sub(x, x, c)
	e.addmul(c, x, y)
	e.put(c, "planes", 0)
	return nil
}

// slope multiplies d, the adjoint of a sigmoid y, by y*(1-y).
func (e *lanes) slope(d, y, t values) {
	e.mul(d, d, y)
	e.rest(t, y)
	e.mul(d, d, t)
}

// slopeTanh multiplies d, the adjoint of a hyperbolic tangent y, by 1-y*y.
func (e *lanes) slopeTanh(d, y, t values) {
	e.set(t, f(1))
	e.submul(t, y, y)
	e.mul(d, d, t)
}

func (e *lanes) lstmGrad() []values {
	x, y, a, n, dh, t := e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	e.get(x, "planes", 0)
	e.hyperbolic(a, x, y, n)
	e.get(dh, "dh", 0)
	e.get(x, "dy", 0)
	e.sum(dh, dh, x)

	o := x
	e.get(o, "planes", 4)
	e.mul(y, dh, a)
	e.slope(y, o, n)
	e.put(y, "out", 3)
	dc := dh
	e.mul(dc, dh, o)
	e.slopeTanh(dc, a, n)
	e.get(x, "carry", 0)
	e.sum(dc, dc, x)
	e.get(x, "dc", 0)
	e.sum(dc, dc, x)

	i, g := a, n
	e.get(i, "planes", 1)
	e.get(g, "planes", 3)
	e.mul(y, dc, g)
	e.slope(y, i, x)
	e.put(y, "out", 0)
	e.mul(y, dc, i)
	e.slopeTanh(y, g, x)
	e.put(y, "out", 2)
	e.get(x, "planes", 2)
	e.get(y, "prev", 0)
	e.mul(y, y, dc)
	e.slope(y, x, t)
	e.put(y, "out", 1)
	e.mul(dc, dc, x)
	e.put(dc, "carry", 0)
	return nil
}

func (e *lanes) gruGrad() []values {
	x, y, n, z, dh, t := e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp(), e.tmp()
	for k, p := range []string{"dh", "dy", "carry"} {
		to := x
		if k == 0 {
			to = dh
		}
		if e.get(to, p, 0); k > 0 {
			e.sum(dh, dh, x)
		}
	}
	e.get(n, "planes", 3)
	e.get(z, "planes", 2)
	e.get(y, "prev", 0)
	e.sub(y, y, n)
	e.mul(y, y, dh)
	e.slope(y, z, t)
	e.put(y, "out", 2)
	e.rest(y, z)
	e.mul(y, y, dh)
	e.slopeTanh(y, n, t)
	e.put(y, "out", 0)
	e.mul(dh, dh, z)
	e.put(dh, "carry", 0)

	r := n
	e.get(r, "planes", 1)
	e.mul(x, y, r)
	e.put(x, "out", 3)
	e.get(x, "planes", 4)
	e.mul(y, y, x)
	e.slope(y, r, t)
	e.put(y, "out", 1)
	return nil
}
