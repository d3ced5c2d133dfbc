package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// attentions writes the kernels on rows of scores, for both element types, and their table.
func attentions(t *target) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar %s = table{\n", t.level())
	for _, t.elem = range []int{4, 8} {
		t.softmaxRows()
		t.scoreGrads()
		t.scaleRows()
		fmt.Fprintf(&s, "\tf%[1]d: kernels[%[2]s]{%[3]s, %[4]s, %[5]s},\n", 8*t.elem, t.goType(), t.runName("softmax"), t.runName("scoreGrads"), t.runName("scaleRows"))
	}
	t.elem = 4
	s.WriteString("}\n")
	return s.String()
}

// scoreRow emits passes over a row of scores. The first four registers accumulate.
type scoreRow struct {
	*lanes
	row  map[string]reg.GPVirtual // where the row begins
	left reg.GPVirtual
	one  reg.VecPhysical // the same number for the row
}

// scoreSums is how many vectors a row is folded in.
const scoreSums = 4

// newScoreRow begins a kernel whose passes need so many vectors for each of a turn.
func newScoreRow(t *target, name, doc, params string, live int, consts []constant, pointers ...string) *scoreRow {
	t.begin(t.runName(name), doc, params)
	l := &loop{name: name, consts: consts, live: live + scoreSums, in: pointers}
	e := &lanes{target: t, loop: l, ptr: map[string]reg.Register{}, scalar: map[string]reg.Register{}, pinned: map[constant]reg.Register{}}
	r := &scoreRow{lanes: e, row: map[string]reg.GPVirtual{}, left: t.GP64()}
	for _, p := range pointers {
		r.row[p], e.ptr[p] = t.arg(p), t.GP64()
	}
	e.limit = len(e.regs)
	if e.mask == vecmask {
		e.limit--
	}
	e.limit--
	r.one = e.regs[e.limit]
	for _, c := range consts {
		if e.limit <= scoreSums+r.most()*live {
			break
		}
		e.limit--
		e.pinned[c] = e.regs[e.limit]
		t.VMOVUPS(t.memory(c), e.regs[e.limit])
	}
	return r
}

// most is how many vectors a turn takes at most.
func (r *scoreRow) most() int {
	if r.mask == opmask {
		return scoreSums
	}
	return scoreSums / 2
}

// pass goes along the row of n elements. turn is given accumulators.
func (r *scoreRow) pass(label string, n reg.GPVirtual, turn func(acc values)) {
	for _, p := range r.in {
		r.MOVQ(r.row[p], r.ptr[p])
	}
	r.MOVQ(n, r.left)
	emit := func(vectors int, masked bool) {
		r.n, r.masked, r.next = vectors, masked, scoreSums
		acc := make(values, vectors)
		for i := range acc {
			acc[i] = r.regs[i]
		}
		turn(acc)
	}
	for _, vectors := range []int{r.most(), 1} {
		here, next := fmt.Sprintf("%s_by%d", label, vectors), fmt.Sprintf("%s_after%d", label, vectors)
		r.Label(here)
		r.CMPQ(r.left, operand.U32(uint32(vectors*r.width())))
		r.JL(operand.LabelRef(next))
		emit(vectors, false)
		for _, p := range r.in {
			r.ADDQ(operand.U32(uint32(vectors*r.size)), r.ptr[p])
		}
		r.SUBQ(operand.U32(uint32(vectors*r.width())), r.left)
		r.JMP(operand.LabelRef(here))
		r.Label(next)
	}
	r.TESTQ(r.left, r.left)
	r.JE(operand.LabelRef(label + "_done"))
	r.setMask(r.left)
	emit(1, true)
	r.Label(label + "_done")
}

// read loads the vectors of a turn, 0 beyond the row.
func (r *scoreRow) read(p string) values {
	v := r.tmp()
	r.each(func(i int) {
		r.load(operand.Mem{Base: r.ptr[p], Disp: i * r.size}, v[i].(reg.Register), r.masked)
	})
	return v
}

func (r *scoreRow) write(p string, v values) {
	r.each(func(i int) {
		r.store(v[i].(reg.Register), operand.Mem{Base: r.ptr[p], Disp: i * r.size}, r.masked)
	})
}

// start sets the accumulators to a constant.
func (r *scoreRow) start(c constant) {
	for _, a := range r.regs[:scoreSums] {
		if c == 0 {
			r.zero(a)
		} else {
			r.VMOVUPS(r.memory(c), a)
		}
	}
}

// total joins the accumulators in a fixed order, in the first lane of the first.
func (r *scoreRow) total(join func(a, b, d operand.Op)) {
	a := r.regs
	join(a[1], a[0], a[0])
	join(a[3], a[2], a[2])
	join(a[2], a[0], a[0])
	if r.size == 64 {
		r.VEXTRACTF64X4(operand.Imm(1), a[0], a[1].AsY())
		join(a[1].AsY(), a[0].AsY(), a[0].AsY())
	}
	lo, hi := reg.X0, reg.X1
	r.VEXTRACTF128(operand.Imm(1), a[0].AsY(), hi)
	join(hi, lo, lo)
	if r.elem == 4 {
		r.VMOVHLPS(lo, lo, hi)
		join(hi, lo, lo)
		r.VPSHUFD(operand.Imm(1), lo, hi)
	} else {
		r.VPERMILPD(operand.Imm(1), lo, hi)
	}
	join(hi, lo, lo)
}

// spread sets one to the first lane of the first register.
func (r *scoreRow) spread() { r.ps(r.VBROADCASTSS, r.VBROADCASTSD)(reg.X0, r.one) }

// outside sets the lanes of a last turn that are beyond the row, to 0 or to fill.
func (r *scoreRow) outside(v values, fill reg.VecPhysical) {
	if !r.masked {
		return
	}
	x := v[0].(reg.Register)
	switch {
	case r.mask == opmask && fill == nil:
		r.ps(r.VMOVUPS_R3, r.VMOVUPD_R3)(x, reg.K1, x)
	case r.mask == opmask:
		r.ps(r.VBLENDMPS, r.VBLENDMPD)(x, fill, reg.K1, x)
	case fill == nil:
		r.VANDPS(r.maskReg(), x, x)
	default:
		r.VBLENDVPS(r.maskReg(), x, fill, x) // of whole elements of either size
	}
}

// nextRow moves on, and to the label while rows are left.
func (r *scoreRow) nextRow(rows reg.GPVirtual, label string) {
	for _, p := range r.in {
		r.ADDQ(r.param("stride"), r.row[p])
	}
	r.DECQ(rows)
	r.JNE(operand.LabelRef(label))
}

// The exponential of numbers that are not above 0 needs one factor 2^n, which is 0 where the result
// would be denormal. n is rounded, and has the bias of exponents, by a sum of which it is the last bits.
var (
	lowest          = f(-88) // of which n is -127
	bias            = f(0x1.8p23 + 127)
	belowZeroConsts = append([]constant{lowest, bias, log2e, ln2High, ln2Low, f(1)}, expPoly...)
)

// expBelowZero sets p to e to the x; x and n are scratch from there on. NaN stays; a number above 0
// gives any.
func (r *scoreRow) expBelowZero(p, x, n values) {
	r.set(n, lowest)
	r.larger(x, n, x)
	r.set(n, log2e)
	r.horner(n, x, r.c(bias))
	r.sub(p, n, r.c(bias))
	r.submul(x, p, r.c(ln2High))
	r.submul(x, p, r.c(ln2Low))
	r.poly(p, x, expPoly)
	r.horner(p, x, r.c(f(1)))
	r.horner(p, x, r.c(f(1)))
	r.lanes.left(n, n, 23)
	r.mul(p, p, n)
}

// softmaxRows emits exponentials of scores less their maximum, and their sums.
func (t *target) softmaxRows() {
	f := "*" + t.goType()
	live, consts, least := 3, belowZeroConsts, negInfinity
	if t.elem == 8 {
		live, consts, least = 4, expConsts64, d(math.Inf(-1))
	}
	r := newScoreRow(t, "softmax", "replaces each of rows > 0 rows by the exponentials of its n > 0 elements less their maximum, and sets sums to their sums. "+
		"Rows are stride bytes apart, and each is grow elements longer than the one before.",
		"rows, n, grow int, x "+f+", stride int, sums "+f, live, consts, "x")
	rows, n, sums := t.arg("rows"), t.arg("n"), t.arg("sums")
	t.Label("row")
	r.start(least)
	edge := r.regs[scoreSums+r.most()*live-1]
	t.VMOVUPS(t.memory(least), edge)
	r.pass("max", n, func(acc values) {
		x := r.read("x")
		r.outside(x, edge)
		r.larger(acc, acc, x)
	})
	r.total(func(a, b, d operand.Op) { t.max(a, b, d) })
	r.spread()
	r.start(0)
	r.pass("exp", n, func(acc values) {
		x := r.read("x")
		r.sub(x, x, r.all(r.one))
		y := r.tmp()
		if t.elem == 8 {
			r.exp64(y, x, r.tmp(), r.tmp(), expPoly64)
		} else {
			r.expBelowZero(y, x, r.tmp())
		}
		r.write("x", y)
		r.outside(y, nil)
		r.sum(acc, acc, y)
	})
	r.total(func(a, b, d operand.Op) { t.add(a, b, d) })
	t.ps(t.VMOVSS, t.VMOVSD)(reg.X0, operand.Mem{Base: sums})
	t.ADDQ(operand.U8(uint8(t.elem)), sums)
	t.ADDQ(t.param("grow"), n)
	r.nextRow(rows, "row")
	t.end()
}

// scoreGrads emits the gradients of scores.
func (t *target) scoreGrads() {
	f := "*" + t.goType()
	r := newScoreRow(t, "scoreGrads", "multiplies each row of p, of n > 0 elements, by a number of by, and sets d, the gradients of the row, to scale*p*(d - the sum of p*d). "+
		"Rows of both are stride bytes apart, and each is grow elements longer than the one before.",
		"rows, n, grow int, p, d "+f+", stride int, by "+f+", scale "+t.goType(), 2, nil, "p", "d")
	rows, n, by := t.arg("rows"), t.arg("n"), t.arg("by")
	scale := r.regs[r.limit-1]
	r.limit--
	t.broadcast(t.param("scale"), scale)
	t.Label("row")
	t.broadcast(operand.Mem{Base: by}, r.one)
	r.start(0)
	r.pass("sum", n, func(acc values) {
		p, d := r.read("p"), r.read("d")
		r.mul(p, p, r.all(r.one))
		r.write("p", p)
		r.addmul(acc, p, d)
	})
	r.total(func(a, b, d operand.Op) { t.add(a, b, d) })
	r.spread()
	r.pass("set", n, func(values) {
		p, d := r.read("p"), r.read("d")
		r.sub(d, d, r.all(r.one))
		r.mul(p, p, r.all(scale))
		r.mul(d, d, p)
		r.write("d", d)
	})
	t.ADDQ(operand.U8(uint8(t.elem)), by)
	t.ADDQ(t.param("grow"), n)
	r.nextRow(rows, "row")
	t.end()
}

// scaleRows emits products of rows and numbers.
func (t *target) scaleRows() {
	f := "*" + t.goType()
	r := newScoreRow(t, "scaleRows", "sets each of rows > 0 rows of n > 0 elements of dst to a row of x times a number of by. "+
		"Rows of both are stride bytes apart, numbers of by are step.",
		"rows, n int, dst, x "+f+", stride int, by "+f+", step int", 1, nil, "dst", "x")
	rows, n, by := t.arg("rows"), t.arg("n"), t.arg("by")
	t.Label("row")
	t.broadcast(operand.Mem{Base: by}, r.one)
	r.pass("set", n, func(values) {
		x := r.read("x")
		r.mul(x, x, r.all(r.one))
		r.write("dst", x)
	})
	t.ADDQ(t.param("step"), by)
	r.nextRow(rows, "row")
	t.end()
}
