package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// loop describes a kernel that goes along vectors of float32, or of float64 for a target of such
// elements.
type loop struct {
	name, doc string
	in        []string   // pointers read
	strided   bool       // body reads x's further rows as well, "stride" elements after each other
	planes    bool       // pointers have planes, "stride" bytes after each other
	out       []string   // pointers written; one may be read as well
	scalars   []string   // float32 arguments, the same for all elements
	params    string     // the signature
	consts    []constant // kept in registers where there is room
	live      int        // vectors of in and of temporaries that body needs at once
	unroll    int        // 0 means 4

	piecewise *piecewise // a function by polynomials that body picks; kept in registers where there is room

	// accumulate says that body adds to acc, and that the kernel returns the total.
	accumulate bool

	// exact says that body computes nothing that denormals could slow down, and sees them as they
	// are.
	exact bool

	// narrow says that body computes in float64 what is float32 in memory.
	narrow bool

	body func(e *lanes) []values
}

// constant is the bits of an element.
type constant uint64

// f is a float32 constant.
func f(x float64) constant { return constant(math.Float32bits(float32(x))) }

// d is a float64 constant.
func d(x float64) constant { return constant(math.Float64bits(x)) }

// values are operands of instructions that go in parallel, one for each unrolled vector.
type values []operand.Op

// lanes emits one turn of a loop.
type lanes struct {
	*target
	*loop
	n            int // vectors in a turn
	masked       bool
	next         int // first free register
	limit        int // first pinned register
	ptr          map[string]reg.Register
	scalar       map[string]reg.Register
	pinned       map[constant]reg.Register
	coefficients [16]reg.Register // the rows of piecewise that are in registers
	loaded       map[string]values
	counter      reg.Register
	stride       [4]reg.Register // that many times: 1 and 3
	pitch        [4]reg.Register // likewise

	accumulators []reg.VecPhysical
	acc          values // of this turn
}

// emit writes the kernel.
func (l *loop) emit(t *target) {
	e := &lanes{target: t, loop: l, ptr: map[string]reg.Register{}, scalar: map[string]reg.Register{}, pinned: map[constant]reg.Register{}}
	switch {
	case l.accumulate:
		t.begin(l.name+t.name, l.doc, l.params, "total "+t.goType())
	case l.exact:
		t.declare(l.name+t.name, l.doc, l.params)
	default:
		t.begin(l.name+t.name, l.doc, l.params)
	}
	e.counter = t.arg("n")
	for _, p := range l.pointers() {
		e.ptr[p] = t.arg(p)
	}
	if l.strided || l.planes {
		e.stride = t.multiples("stride")
	}
	if l.planes && slices.Contains(l.out, "pre") {
		e.pitch = t.multiples("pitch")
	}
	e.pin()
	unroll := l.unroll
	if unroll == 0 {
		unroll = 4
	}
	for unroll*l.live > e.limit {
		unroll--
	}
	if unroll > 1 {
		e.turns("wide", unroll, "narrow")
	}
	e.turns("narrow", 1, "rest")
	t.Label("rest")
	t.TESTQ(e.counter, e.counter)
	t.JE(operand.LabelRef("done"))
	of := *t
	if l.narrow {
		of.elem /= 2
	}
	of.setMask(e.counter.(reg.GPVirtual))
	e.turn(1, true)
	t.Label("done")
	if l.accumulate {
		e.fold()
	}
	t.end()
}

// multiples loads an argument, and three times it.
func (t *target) multiples(arg string) (m [4]reg.Register) {
	m[1], m[3] = t.arg(arg), t.GP64()
	t.LEAQ(operand.Mem{Base: m[1], Index: m[1], Scale: 2}, m[3])
	return m
}

// pointers are the pointers read or written.
func (l *loop) pointers() []string {
	all := slices.Clone(l.out)
	for _, p := range l.in {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// pin gives registers to the mask, the scalars and as many constants as fit.
func (e *lanes) pin() {
	e.limit = len(e.regs)
	if e.mask == vecmask {
		e.limit--
	}
	if e.accumulate {
		e.limit -= sums
		e.accumulators = e.regs[e.limit:][:sums]
		for _, r := range e.accumulators {
			e.zero(r)
		}
	}
	for _, s := range e.scalars {
		e.limit--
		e.scalar[s] = e.regs[e.limit]
		e.broadcast(e.param(s), e.scalar[s])
	}
	if e.piecewise != nil {
		for i := range e.piecewise.rows {
			e.coefficients[i] = e.pinOne(e.piecewise.memory(e.target, i))
		}
	}
	for _, c := range e.consts {
		if r := e.pinOne(e.memory(c)); r != nil {
			e.pinned[c] = r
		}
	}
}

// pinOne gives a register to what is in memory, if there is one left.
func (e *lanes) pinOne(m operand.Mem) reg.Register {
	if e.limit <= 4*e.live {
		return nil
	}
	e.limit--
	e.VMOVUPS(m, e.regs[e.limit])
	return e.regs[e.limit]
}

// memory is a vector full of c.
func (t *target) memory(c constant) operand.Mem {
	name, words := fmt.Sprintf("c%08x", uint32(c)), repeat(t.size/4, uint32(c))
	if t.elem == 8 {
		name = fmt.Sprintf("d%016x", uint64(c))
		for i := 1; i < len(words); i += 2 {
			words[i] = uint32(c >> 32)
		}
	}
	if m, ok := t.constants[name]; ok {
		return m
	}
	m := t.data(name, words)
	t.constants[name] = m
	return m
}

// turns emits the loop over n vectors at a time; what is left goes on at next.
func (e *lanes) turns(label string, n int, next string) {
	e.Label(label)
	e.CMPQ(e.counter, operand.U32(uint32(n*e.width())))
	e.JL(operand.LabelRef(next))
	e.turn(n, false)
	for _, p := range e.pointers() {
		e.ADDQ(operand.U32(uint32(n*e.step())), e.ptr[p])
	}
	e.SUBQ(operand.U32(uint32(n*e.width())), e.counter)
	e.JMP(operand.LabelRef(label))
}

func (e *lanes) turn(n int, masked bool) {
	e.n, e.masked, e.next, e.loaded, e.acc = n, masked, 0, map[string]values{}, nil
	for i := 0; i < n && e.accumulate; i++ {
		e.acc = append(e.acc, e.accumulators[i])
	}
	for _, p := range e.in {
		v := e.tmp()
		for i := range v {
			e.read(operand.Mem{Base: e.ptr[p], Disp: i * e.step()}, v[i].(reg.VecPhysical))
		}
		e.loaded[p] = v
	}
	for o, v := range e.body(e) {
		for i := range v {
			e.write(v[i].(reg.VecPhysical), operand.Mem{Base: e.ptr[e.out[o]], Disp: i * e.step()})
		}
	}
}

// step is how many bytes a vector takes in memory.
func (e *lanes) step() int {
	if e.narrow {
		return e.size / 2
	}
	return e.size
}

// half is the lower half of a vector.
func (e *lanes) half(v reg.VecPhysical) reg.VecPhysical {
	if e.size == 64 {
		return v.AsY().(reg.VecPhysical)
	}
	return v.AsX().(reg.VecPhysical)
}

// read loads a vector, or of the last one what is there.
func (e *lanes) read(m operand.Mem, v reg.VecPhysical) {
	switch {
	case !e.narrow:
		e.load(m, v, e.masked)
	case !e.masked:
		e.VCVTPS2PD(m, v)
	case e.mask == opmask:
		e.VCVTPS2PD_Z(m, reg.K1, v)
	default:
		e.VMASKMOVPS(m, e.half(e.maskReg().(reg.VecPhysical)), e.half(v))
		e.VCVTPS2PD(e.half(v), v)
	}
}

// write stores one.
func (e *lanes) write(v reg.VecPhysical, m operand.Mem) {
	if !e.narrow {
		e.store(v, m, e.masked)
		return
	}
	if e.mask == opmask {
		e.VCVTPD2PS(v, e.half(v))
	} else {
		e.VCVTPD2PSY(v, e.half(v))
	}
	switch {
	case !e.masked:
		e.VMOVUPS(e.half(v), m)
	case e.mask == opmask:
		e.VMOVUPS(e.half(v), reg.K1, m)
	default:
		e.VMASKMOVPS(e.half(v), e.half(e.maskReg().(reg.VecPhysical)), m)
	}
}

// row loads the vectors of the i-th row from that of p on, up to the third, into d.
func (e *lanes) row(d values, p string, i int) {
	index, scale := e.stride[i], uint8(4)
	if i == 2 {
		index, scale = e.stride[1], 8 // twice as far
	}
	e.each(func(k int) {
		e.load(operand.Mem{Base: e.ptr[p], Disp: k * e.size, Index: index, Scale: scale}, d[k].(reg.Register), e.masked)
	})
}

// four adds to x, a row of p, the three rows after it.
func (e *lanes) four(p string, x, t, u values) {
	e.row(t, p, 1)
	e.sum(x, x, t)
	e.row(t, p, 2)
	e.row(u, p, 3)
	e.sum(t, t, u)
	e.sum(x, x, t)
}

// tmp takes registers until the end of the turn.
func (e *lanes) tmp() values {
	v := make(values, e.n)
	for i := range v {
		v[i] = e.regs[e.next]
		e.next++
	}
	if e.next > e.limit || e.next > e.n*e.live {
		panic(fmt.Sprintf("%s%s: %d registers for %d vectors", e.loop.name, e.target.name, e.next, e.n))
	}
	return v
}

// val is an operand: a vector read, or a scalar.
func (e *lanes) val(name string) values {
	if v, ok := e.loaded[name]; ok {
		return v
	}
	return e.all(e.scalar[name])
}

// register is a value that is not in memory.
func register(o operand.Op) reg.Register { return o.(reg.Register) }

func (e *lanes) all(o operand.Op) values {
	v := make(values, e.n)
	for i := range v {
		v[i] = o
	}
	return v
}

// c is a constant as the operand that may be memory: the last one of each method below.
func (e *lanes) c(c constant) values {
	if r, ok := e.pinned[c]; ok {
		return e.all(r)
	}
	return e.all(e.target.memory(c))
}

// set fills a register with a constant.
func (e *lanes) set(d values, c constant) {
	e.each(func(i int) { e.VMOVUPS(e.c(c)[i], d[i]) })
}

func (e *lanes) each(emit func(i int)) {
	for i := range e.n {
		emit(i)
	}
}

type instruction = func(...operand.Op)

// two emits d = op(x, y).
func (e *lanes) two(op instruction, d, x, y values) {
	e.each(func(i int) { op(y[i], x[i], d[i]) })
}

func (e *lanes) sum(d, x, y values)  { e.two(e.ps(e.VADDPS, e.VADDPD), d, x, y) }
func (e *lanes) sub(d, x, y values)  { e.two(e.ps(e.VSUBPS, e.VSUBPD), d, x, y) }
func (e *lanes) mul(d, x, y values)  { e.two(e.ps(e.VMULPS, e.VMULPD), d, x, y) }
func (e *lanes) div(d, x, y values)  { e.two(e.ps(e.VDIVPS, e.VDIVPD), d, x, y) }
func (e *lanes) and(d, x, y values)  { e.two(e.VANDPS, d, x, y) }
func (e *lanes) xor(d, x, y values)  { e.two(e.VXORPS, d, x, y) }
func (e *lanes) or(d, x, y values)   { e.two(e.VORPS, d, x, y) }
func (e *lanes) addi(d, x, y values) { e.two(e.ps(e.VPADDD, e.VPADDQ), d, x, y) }
func (e *lanes) subi(d, x, y values) { e.two(e.ps(e.VPSUBD, e.VPSUBQ), d, x, y) }

// larger and smaller return y where an operand is NaN.
func (e *lanes) larger(d, x, y values)  { e.two(e.ps(e.VMAXPS, e.VMAXPD), d, x, y) }
func (e *lanes) smaller(d, x, y values) { e.two(e.ps(e.VMINPS, e.VMINPD), d, x, y) }

// addmul is d += x*y, submul d -= x*y, and horner d = d*x + y.
func (e *lanes) addmul(d, x, y values) { e.two(e.ps(e.VFMADD231PS, e.VFMADD231PD), d, x, y) }
func (e *lanes) submul(d, x, y values) { e.two(e.ps(e.VFNMADD231PS, e.VFNMADD231PD), d, x, y) }
func (e *lanes) horner(d, x, y values) { e.two(e.ps(e.VFMADD213PS, e.VFMADD213PD), d, x, y) }

func (e *lanes) sqrt(d, x values) { e.each(func(i int) { e.ps(e.VSQRTPS, e.VSQRTPD)(x[i], d[i]) }) }

// Modes of rounding to integers: ties to even, or down.
const (
	nearest   = 8
	downwards = 9
)

// round is an integer as a float.
func (e *lanes) round(d, x values, mode uint64) {
	e.each(func(i int) {
		switch {
		case e.mask == opmask:
			e.ps(e.VRNDSCALEPS, e.VRNDSCALEPD)(operand.Imm(mode), x[i], d[i])
		case e.elem == 4:
			e.VROUNDPS(operand.Imm(mode), x[i], d[i])
		default:
			e.VROUNDPD(operand.Imm(mode), x[i], d[i])
		}
	})
}

func (e *lanes) toInt(d, x values)   { e.each(func(i int) { e.VCVTPS2DQ(x[i], d[i]) }) }
func (e *lanes) toFloat(d, x values) { e.each(func(i int) { e.VCVTDQ2PS(x[i], d[i]) }) }

func (e *lanes) left(d, x values, n uint64) {
	e.each(func(i int) { e.ps(e.VPSLLD, e.VPSLLQ)(operand.Imm(n), x[i], d[i]) })
}

// right fills with the sign; there is no such shift of 64 bits in AVX2. logicalRight fills with
// zeros.
func (e *lanes) right(d, x values, n uint64) {
	e.each(func(i int) { e.VPSRAD(operand.Imm(n), x[i], d[i]) })
}

func (e *lanes) logicalRight(d, x values, n uint64) {
	e.each(func(i int) { e.ps(e.VPSRLD, e.VPSRLQ)(operand.Imm(n), x[i], d[i]) })
}

// Predicates of comparisons. All but the last two are false for NaN.
const (
	less         = 0x11
	lessEqual    = 0x12
	greater      = 0x1e
	unordered    = 0x03
	notLessEqual = 0x16
)

// where is d = x cmp y ? a : b. t is scratch; it may be d.
func (e *lanes) where(cmp uint64, d, x, y, a, b, t values) {
	e.each(func(i int) {
		if e.mask == opmask {
			e.ps(e.VCMPPS, e.VCMPPD)(operand.Imm(cmp), y[i], x[i], reg.K2)
			e.ps(e.VBLENDMPS, e.VBLENDMPD)(a[i], b[i], reg.K2, d[i])
			return
		}
		e.ps(e.VCMPPS, e.VCMPPD)(operand.Imm(cmp), y[i], x[i], t[i])
		if e.elem == 4 {
			e.VBLENDVPS(t[i], a[i], b[i], d[i])
		} else {
			e.VBLENDVPD(t[i], a[i], b[i], d[i])
		}
	})
}
