package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// runTotal is a kernel that folds each of several rows into one number.
type runTotal struct {
	name, doc string
	in        []string // pointers read along with a row, besides x
	centred   bool     // x less a number of the row
	best      bool     // a maximum or minimum, exact
}

var runTotals = []runTotal{
	{name: "sum", doc: "the sum of x"},
	{name: "squares", doc: "the sum of (x-c)²", centred: true},
	{name: "dots", doc: "the sum of x*z", in: []string{"z"}},
	{name: "products", doc: "the sum of z*(x-c)", in: []string{"z"}, centred: true},
	{name: "productsBy", doc: "the sum of z*w*(x-c)", in: []string{"z", "w"}, centred: true},
	{name: "maximum", doc: "the maximum of x, NaN if there is one, a zero of either sign", best: true},
	{name: "minimum", doc: "the minimum of x, NaN if there is one, a zero of either sign", best: true},
}

// runMap is a kernel that computes a run from others.
type runMap struct {
	name, doc string
	in        []string // pointers read
	scalars   []string
	live      int // vectors that a vector of the result takes
	body      func(e *runTurn, u int) reg.VecPhysical
}

var runMaps = []runMap{
	{"scale", "(x-c)*a + b", []string{"x"}, []string{"c", "a", "b"}, 1, func(e *runTurn, u int) reg.VecPhysical {
		return e.horner(e.centred(u, "x", e.scalar["c"]), e.scalar["a"], e.scalar["b"])
	}},
	{"scaleBy", "(x-c)*a*p + q", []string{"x", "p", "q"}, []string{"c", "a"}, 3, func(e *runTurn, u int) reg.VecPhysical {
		d := e.times(e.centred(u, "x", e.scalar["c"]), e.scalar["a"])
		return e.horner(d, e.of(u, "p"), e.of(u, "q"))
	}},
	{"blend", "z*a + (x-c)*b + d", []string{"x", "z"}, []string{"c", "a", "b", "d"}, 2, func(e *runTurn, u int) reg.VecPhysical {
		d := e.horner(e.centred(u, "x", e.scalar["c"]), e.scalar["b"], e.scalar["d"])
		return e.plus(d, e.of(u, "z"), e.scalar["a"])
	}},
	{"blendBy", "z*p*a + (x-c)*b + d", []string{"x", "z", "p"}, []string{"c", "a", "b", "d"}, 3, func(e *runTurn, u int) reg.VecPhysical {
		d := e.horner(e.centred(u, "x", e.scalar["c"]), e.scalar["b"], e.scalar["d"])
		return e.plus(d, e.times(e.of(u, "z"), e.of(u, "p")), e.scalar["a"])
	}},
	{"weigh", "dst + z*(x-c)*a", []string{"dst", "x", "z"}, []string{"c", "a"}, 3, func(e *runTurn, u int) reg.VecPhysical {
		return e.plus(e.of(u, "dst"), e.times(e.centred(u, "x", e.scalar["c"]), e.scalar["a"]), e.of(u, "z"))
	}},
	{"add", "dst + x", []string{"dst", "x"}, nil, 2, func(e *runTurn, u int) reg.VecPhysical {
		e.add(e.of(u, "x"), e.of(u, "dst"), e.of(u, "dst"))
		return e.of(u, "dst")
	}},
	{"addSquares", "dst + (x-p)²", []string{"dst", "x", "p"}, nil, 3, func(e *runTurn, u int) reg.VecPhysical {
		d := e.centred(u, "x", e.of(u, "p"))
		return e.plus(e.of(u, "dst"), d, d)
	}},
	{"addProducts", "dst + z*(x-p)", []string{"dst", "x", "z", "p"}, nil, 4, func(e *runTurn, u int) reg.VecPhysical {
		return e.plus(e.of(u, "dst"), e.centred(u, "x", e.of(u, "p")), e.of(u, "z"))
	}},
	{"scaleEach", "(x-p)*q + r", []string{"x", "p", "q", "r"}, nil, 4, func(e *runTurn, u int) reg.VecPhysical {
		return e.horner(e.centred(u, "x", e.of(u, "p")), e.of(u, "q"), e.of(u, "r"))
	}},
	{"blendEach", "z*q + (x-p)*r + s", []string{"x", "z", "p", "q", "r", "s"}, nil, 6, func(e *runTurn, u int) reg.VecPhysical {
		d := e.horner(e.centred(u, "x", e.of(u, "p")), e.of(u, "r"), e.of(u, "s"))
		return e.plus(d, e.of(u, "z"), e.of(u, "q"))
	}},
}

// rowMaps is how many of the first maps have a kernel for several rows too.
const rowMaps = 5

// alongRuns writes the kernels along runs, for both element types, and their table.
func alongRuns(t *target) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar %s = Kernels{\n\twidth: %d,\n", t.level(), t.width())
	for _, t.elem = range []int{4, 8} {
		fmt.Fprintf(&s, "\tf%d: table[%s]{\n\t\ttotals: [...]totalFunc[%s]{\n", 8*t.elem, t.goType(), t.goType())
		for _, k := range runTotals {
			k.emit(t)
			fmt.Fprintf(&s, "\t\t\t%s: %s,\n", strings.ToUpper(k.name[:1])+k.name[1:], t.runName(k.name))
		}
		fmt.Fprintf(&s, "\t\t},\n\t\tmaps: [...]mapFunc[%s]{\n", t.goType())
		for _, k := range runMaps {
			k.emit(t)
			fmt.Fprintf(&s, "\t\t\t%s: %s,\n", strings.ToUpper(k.name[:1])+k.name[1:], t.runName(k.name))
		}
		fmt.Fprintf(&s, "\t\t},\n\t\trows: [...]rowsFunc[%s]{\n", t.goType())
		for _, k := range runMaps[:rowMaps] {
			k.emitRows(t)
			fmt.Fprintf(&s, "\t\t\t%s: %s,\n", strings.ToUpper(k.name[:1])+k.name[1:], t.runName(k.name+"Rows"))
		}
		t.sumLines()
		fmt.Fprintf(&s, "\t\t},\n\t\tlines: %s,\n\t\tcolumns: %s,\n", t.runName("lines"), columnSums(t))
		fmt.Fprintf(&s, "\t\tboth: %s,\n\t\tbothBy: %s,\n\t},\n", bothTotals(t, false), bothTotals(t, true))
	}
	t.elem = 4
	s.WriteString("}\n")
	return s.String()
}

func (t *target) runName(name string) string { return fmt.Sprintf("%s%sf%d", name, t.name, 8*t.elem) }

// runTurn emits one turn of a kernel along runs.
type runTurn struct {
	*target
	ptr    map[string]reg.GPVirtual
	scalar map[string]reg.VecPhysical
	loaded map[string][]reg.VecPhysical
	free   []reg.VecPhysical
	masked bool
}

// fetch loads the next n vectors of each of the pointers.
func (e *runTurn) fetch(in []string, n int, masked bool) {
	e.loaded, e.masked = map[string][]reg.VecPhysical{}, masked
	next := 0
	for _, p := range in {
		for u := range n {
			v := e.free[next]
			next++
			e.load(operand.Mem{Base: e.ptr[p], Disp: u * e.size}, v, masked)
			e.loaded[p] = append(e.loaded[p], v)
		}
	}
}

// advance moves the pointers on.
func (e *runTurn) advance(names []string, bytes int) {
	for _, p := range names {
		e.ADDQ(operand.U32(uint32(bytes)), e.ptr[p])
	}
}

func (e *runTurn) of(u int, p string) reg.VecPhysical { return e.loaded[p][u] }

// centred is a vector of p less c, in its place.
func (e *runTurn) centred(u int, p string, c reg.VecPhysical) reg.VecPhysical {
	d := e.of(u, p)
	e.ps(e.VSUBPS, e.VSUBPD)(c, d, d)
	return d
}

// times is d*x, horner d*x + y, and plus d + x*y, in the place of d.
func (e *runTurn) times(d, x reg.VecPhysical) reg.VecPhysical {
	e.ps(e.VMULPS, e.VMULPD)(x, d, d)
	return d
}

func (e *runTurn) horner(d, x, y reg.VecPhysical) reg.VecPhysical {
	e.ps(e.VFMADD213PS, e.VFMADD213PD)(y, x, d)
	return d
}

func (e *runTurn) plus(d, x, y reg.VecPhysical) reg.VecPhysical {
	e.fma(x, y, d)
	return d
}

// emit writes a map.
func (k runMap) emit(t *target) {
	f := "*" + t.goType()
	t.begin(t.runName(k.name), "sets n > 0 elements of dst to "+k.doc+".", "n int, dst, x, z, p, q, r, s "+f+", a, b, c, d "+t.goType())
	e := &runTurn{target: t, ptr: map[string]reg.GPVirtual{}, scalar: map[string]reg.VecPhysical{}}
	n := t.arg("n")
	pointers := []string{"dst"}
	e.ptr["dst"] = t.arg("dst")
	for _, p := range k.in {
		if p != "dst" {
			e.ptr[p], pointers = t.arg(p), append(pointers, p)
		}
	}
	limit := len(t.regs)
	if t.mask == vecmask {
		limit--
	}
	for _, s := range k.scalars {
		limit--
		e.scalar[s] = t.regs[limit]
		t.broadcast(t.param(s), t.regs[limit])
	}
	e.free = t.regs[:limit]
	unroll := min(4, limit/k.live)
	turn := func(n int, masked bool) {
		e.fetch(k.in, n, masked)
		for u := range n {
			t.store(k.body(e, u), operand.Mem{Base: e.ptr["dst"], Disp: u * t.size}, masked)
		}
	}
	e.turns(n, []int{unroll, 1}, pointers, func(n int) { turn(n, false) })
	t.TESTQ(n, n)
	t.JE(operand.LabelRef("done"))
	t.setMask(n)
	turn(1, true)
	t.Label("done")
	t.end()
}

// emitRows writes a map of several rows: dst, x and z have rows of their own, each of which has its numbers,
// and all share p and q.
func (k runMap) emitRows(t *target) {
	f := "*" + t.goType()
	t.begin(t.runName(k.name+"Rows"), "sets rows > 0 rows of n > 0 elements of dst to "+k.doc+". The numbers of rows follow each other.",
		"rows, n int, dst "+f+", dstRow int, x "+f+", xRow int, z "+f+", zRow int, p, q, a, b, c, d "+f)
	e := &runTurn{target: t, ptr: map[string]reg.GPVirtual{"dst": t.GP64()}, scalar: map[string]reg.VecPhysical{}}
	pointers := []string{"dst"}
	for _, p := range k.in {
		if p != "dst" {
			e.ptr[p], pointers = t.GP64(), append(pointers, p)
		}
	}
	n, number := t.GP64(), t.GP64()
	limit := len(t.regs)
	if t.mask == vecmask {
		limit--
	}
	for _, s := range k.scalars {
		limit--
		e.scalar[s] = t.regs[limit]
	}
	e.free = t.regs[:limit]
	turn := func(n int, masked bool) {
		e.fetch(k.in, n, masked)
		for u := range n {
			t.store(k.body(e, u), operand.Mem{Base: e.ptr["dst"], Disp: u * t.size}, masked)
		}
	}
	t.Load(t.Param("n"), n)
	t.ANDQ(operand.U8(uint8(t.width()-1)), n)
	t.JE(operand.LabelRef("row"))
	t.setMask(n)
	t.Label("row")
	for _, p := range pointers {
		t.Load(t.Param(p), e.ptr[p])
	}
	for _, s := range k.scalars {
		t.Load(t.Param(s), number)
		t.broadcast(operand.Mem{Base: number}, e.scalar[s])
		t.ADDQ(operand.U8(uint8(t.elem)), t.param(s))
	}
	t.Load(t.Param("n"), n)
	e.turns(n, []int{min(4, limit/k.live), 1}, pointers, func(n int) { turn(n, false) })
	t.TESTQ(n, n)
	t.JE(operand.LabelRef("next"))
	turn(1, true)
	t.Label("next")
	for _, p := range pointers {
		if p == "dst" || p == "x" || p == "z" {
			t.Load(t.Param(p+"Row"), number)
			t.ADDQ(number, t.param(p))
		}
	}
	t.DECQ(t.param("rows"))
	t.JNE(operand.LabelRef("row"))
	t.end()
}

// turns emits loops over so many vectors at a time, until fewer than one are left of n elements.
func (e *runTurn) turns(n reg.GPVirtual, vectors []int, pointers []string, turn func(n int)) {
	for _, v := range vectors {
		here, next := fmt.Sprintf("by%d", v), fmt.Sprintf("after%d", v)
		e.Label(here)
		e.CMPQ(n, operand.U32(uint32(v*e.width())))
		e.JL(operand.LabelRef(next))
		turn(v)
		e.advance(pointers, v*e.size)
		e.SUBQ(operand.U32(uint32(v*e.width())), n)
		e.JMP(operand.LabelRef(here))
		e.Label(next)
	}
}

// runSums is how many vectors a total is kept in.
const runSums = 4

// totalTurn emits a total.
type totalTurn struct {
	runTurn
	runTotal
	acc, nan [runSums]reg.VecPhysical // nan: lanes that saw one
	edge     reg.VecPhysical          // what no element is beyond
}

// emit writes a total.
func (k runTotal) emit(t *target) {
	f := "*" + t.goType()
	begin := t.begin
	if k.best {
		begin = t.declare
	}
	begin(t.runName(k.name), "sets y to "+k.doc+", for each of rows > 0 rows of n > 0 elements. Rows of x are xRow bytes apart, those of z zRow.",
		"rows, n int, y, x "+f+", xRow int, z "+f+", zRow int, w, c "+f)
	e := &totalTurn{runTurn: runTurn{target: t, ptr: map[string]reg.GPVirtual{}, scalar: map[string]reg.VecPhysical{}}, runTotal: k}
	e.registers()
	rows, n, left, y := t.arg("rows"), t.arg("n"), t.GP64(), t.arg("y")
	inputs := append([]string{"x"}, k.in...)
	row := map[string]reg.GPVirtual{}
	for _, p := range inputs {
		row[p], e.ptr[p] = t.arg(p), t.GP64()
	}
	var c reg.GPVirtual
	if k.centred {
		c = t.arg("c")
	}
	t.MOVQ(n, left)
	t.ANDQ(operand.U8(uint8(t.width()-1)), left)
	t.JE(operand.LabelRef("row"))
	t.setMask(left)
	t.Label("row")
	e.start(c)
	for _, p := range inputs {
		t.MOVQ(row[p], e.ptr[p])
	}
	t.MOVQ(n, left)
	e.turns(left, []int{min(runSums, len(e.free)/len(inputs)), 1}, inputs, func(n int) { e.turn(inputs, n, false) })
	t.TESTQ(left, left)
	t.JE(operand.LabelRef("fold"))
	e.turn(inputs, 1, true)
	t.Label("fold")
	e.fold(operand.Mem{Base: y})
	t.ADDQ(operand.U8(uint8(t.elem)), y)
	for _, p := range inputs {
		if p != "w" { // the same for all rows
			t.ADDQ(t.param(p+"Row"), row[p])
		}
	}
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.end()
}

// registers shares out the vectors.
func (e *totalTurn) registers() {
	next := 0
	take := func() reg.VecPhysical { next++; return e.regs[next-1] }
	for i := range e.acc {
		e.acc[i] = take()
	}
	if e.best {
		if e.mask == vecmask {
			for i := range e.nan {
				e.nan[i] = take()
			}
		}
		e.edge = take()
		bits := uint32(0xff800000) // -Inf
		if e.name == "minimum" {
			bits = 0x7f800000
		}
		e.VMOVUPS(e.infinity(bits), e.edge)
	}
	if e.runTotal.centred {
		e.scalar["c"] = take()
	}
	e.free = e.regs[next:]
	if e.target.mask == vecmask {
		e.free = e.free[:len(e.free)-1]
	}
}

// infinity is a vector of one, of which bits are the upper ones of float32.
func (e *totalTurn) infinity(bits uint32) operand.Mem {
	words := repeat(e.size/4, bits)
	if e.elem == 8 {
		for i := range words {
			words[i] = 0
			if i%2 == 1 {
				words[i] = bits&0x80000000 | 0x7ff00000
			}
		}
	}
	name := fmt.Sprintf("inf%08xf%d", bits, 8*e.elem)
	if m, ok := e.constants[name]; ok {
		return m
	}
	e.constants[name] = e.data(name, words)
	return e.constants[name]
}

// start sets the accumulators for a row.
func (e *totalTurn) start(c reg.GPVirtual) {
	for i, a := range e.acc {
		switch {
		case !e.best:
			e.zero(a)
		default:
			e.VMOVUPS(e.edge, a)
			if e.nan[i] != nil {
				e.zero(e.nan[i])
			}
		}
	}
	if e.best && e.mask == opmask {
		e.KXORW(reg.K3, reg.K3, reg.K3)
	}
	if e.runTotal.centred {
		e.broadcast(operand.Mem{Base: c}, e.scalar["c"])
		e.ADDQ(operand.U8(uint8(e.elem)), c)
	}
}

// turn takes in n vectors.
func (e *totalTurn) turn(inputs []string, n int, masked bool) {
	e.fetch(inputs, n, masked)
	for u := range n {
		x := e.of(u, "x")
		switch e.runTotal.name {
		case "sum":
			e.add(x, e.acc[u], e.acc[u])
		case "squares":
			d := e.centredIn(u)
			e.fma(d, d, e.acc[u])
		case "dots":
			e.fma(x, e.of(u, "z"), e.acc[u])
		case "products":
			e.fma(e.centredIn(u), e.of(u, "z"), e.acc[u])
		case "productsBy":
			e.fma(e.centredIn(u), e.times(e.of(u, "z"), e.of(u, "w")), e.acc[u])
		default:
			e.better(u, x)
		}
	}
}

// centredIn is x less c, 0 in lanes that are left out.
func (e *totalTurn) centredIn(u int) reg.VecPhysical {
	d := e.runTurn.centred(u, "x", e.scalar["c"])
	switch {
	case !e.masked:
	case e.mask == opmask:
		e.ps(e.VMOVUPS_R3, e.VMOVUPD_R3)(d, reg.K1, d)
	default:
		e.VANDPS(e.maskReg(), d, d)
	}
	return d
}

func (t *target) VMOVUPS_R3(o ...operand.Op) { t.VMOVUPS_Z(o[0], o[1], o[2]) }
func (t *target) VMOVUPD_R3(o ...operand.Op) { t.VMOVUPD_Z(o[0], o[1], o[2]) }

// better keeps the better of x and what there is, and whether x is NaN.
func (e *totalTurn) better(u int, x reg.VecPhysical) {
	if e.masked {
		if e.mask == opmask {
			e.ps(e.VBLENDMPS, e.VBLENDMPD)(x, e.edge, reg.K1, x)
		} else {
			e.VBLENDVPS(e.maskReg(), x, e.edge, x) // of whole elements of either size
		}
	}
	e.betterOf(x, e.acc[u], e.acc[u])
	if e.mask == opmask {
		e.ps(e.VCMPPS, e.VCMPPD)(operand.Imm(unordered), x, x, reg.K2)
		e.KORW(reg.K2, reg.K3, reg.K3)
		return
	}
	e.ps(e.VCMPPS, e.VCMPPD)(operand.Imm(unordered), x, x, x)
	e.VORPS(x, e.nan[u], e.nan[u])
}

func (e *totalTurn) betterOf(a, b, d operand.Op) {
	if e.runTotal.name == "minimum" {
		e.ps(e.VMINPS, e.VMINPD)(a, b, d)
	} else {
		e.ps(e.VMAXPS, e.VMAXPD)(a, b, d)
	}
}

// fold stores the total of a row, whose accumulators it joins in a fixed order.
func (e *totalTurn) fold(y operand.Mem) {
	join := e.add
	if e.best {
		join = e.betterOf
	}
	a := e.acc
	join(a[1], a[0], a[0])
	join(a[3], a[2], a[2])
	join(a[2], a[0], a[0])
	if e.size == 64 {
		e.VEXTRACTF64X4(operand.Imm(1), a[0], a[1].AsY())
		join(a[1].AsY(), a[0].AsY(), a[0].AsY())
	}
	lo, hi := reg.X0, reg.X1
	e.VEXTRACTF128(operand.Imm(1), a[0].AsY(), hi)
	join(hi, lo, lo)
	if e.elem == 4 {
		e.VMOVHLPS(lo, lo, hi)
		join(hi, lo, lo)
		e.VPSHUFD(operand.Imm(1), lo, hi)
	} else {
		e.VPERMILPD(operand.Imm(1), lo, hi)
	}
	join(hi, lo, lo)
	if e.best {
		e.orNaN(lo)
	}
	e.ps(e.VMOVSS, e.VMOVSD)(lo, y)
}

// orNaN sets lo to NaN if a lane saw one.
func (e *totalTurn) orNaN(lo reg.VecPhysical) {
	if e.mask == opmask {
		e.KORTESTW(reg.K3, reg.K3)
	} else {
		n := e.nan
		e.VORPS(n[1], n[0], n[0])
		e.VORPS(n[3], n[2], n[2])
		e.VORPS(n[2], n[0], n[0])
		e.VPTEST(n[0], n[0])
	}
	e.JE(operand.LabelRef("number"))
	e.VPCMPEQD(lo, lo, lo) // all bits set: a NaN
	e.Label("number")
}

// sumLines writes the kernel that adds lines up, for several rows.
func (t *target) sumLines() {
	f := "*" + t.goType()
	t.begin(t.runName("lines"), "sets each of rows of n elements of dst to the sum of so many lines of x. Rows are dstRow and xRow bytes apart, lines xLine.",
		"rows, n, lines int, dst "+f+", dstRow int, x "+f+", xRow, xLine int")
	rows, dst0, x0, xLine := t.arg("rows"), t.arg("dst"), t.arg("x"), t.arg("xLine")
	dst, x, left, at, lines := t.GP64(), t.GP64(), t.GP64(), t.GP64(), t.GP64()
	turn := func(label string, vectors int, masked bool) {
		for i := range vectors {
			t.load(operand.Mem{Base: x, Disp: i * t.size}, t.regs[i], masked)
		}
		t.MOVQ(x, at)
		t.Load(t.Param("lines"), lines)
		t.Label(label + "line")
		t.DECQ(lines)
		t.JE(operand.LabelRef(label + "lines"))
		t.ADDQ(xLine, at)
		for i := range vectors {
			next := t.regs[vectors+i]
			t.load(operand.Mem{Base: at, Disp: i * t.size}, next, masked)
			t.add(next, t.regs[i], t.regs[i])
		}
		t.JMP(operand.LabelRef(label + "line"))
		t.Label(label + "lines")
		for i := range vectors {
			t.store(t.regs[i], operand.Mem{Base: dst, Disp: i * t.size}, masked)
		}
		t.ADDQ(operand.U32(uint32(vectors*t.size)), x)
		t.ADDQ(operand.U32(uint32(vectors*t.size)), dst)
	}
	t.Label("row")
	t.MOVQ(x0, x)
	t.MOVQ(dst0, dst)
	t.Load(t.Param("n"), left)
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprint("by", vectors)
		t.along(label, left, vectors, "behind"+label, func() { turn(label, vectors, false) })
		t.Label("behind" + label)
	}
	t.TESTQ(left, left)
	t.JE(operand.LabelRef("next"))
	t.setMask(left)
	turn("masked", 1, true)
	t.Label("next")
	t.ADDQ(t.param("xRow"), x0)
	t.ADDQ(t.param("dstRow"), dst0)
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.end()
}
