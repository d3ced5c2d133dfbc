package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// smallPanels are the vectors of a panel of small elements, narrow ones first, and smallRows the
// most rows that are multiplied by one at a time.
func (t *target) smallPanels() []int {
	if len(t.regs) == 32 {
		return []int{1, 4}
	}
	return []int{1, 2}
}

const smallRows = 6

// smallType is an element type that is widened as it is read.
type smallType struct {
	name string
	size int // in bytes
}

var smallTypes = []smallType{{"BF16", 2}, {"Int8", 1}}

// smalls writes the kernels of products whose second matrix is in a small type.
func smalls(t *target) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar small%s = smalls{\n", t.name)
	for i, of := range smallTypes {
		fmt.Fprintf(&s, "\t%s: {\n", []string{"BFloat16", "Int8"}[i])
		for _, vecs := range t.smallPanels() {
			t.widen(of, vecs)
			fmt.Fprintf(&s, "\t\t{vecs: %d, widen: widen%[2]sx%[1]d%[3]s, rows: []smallFunc{\n", vecs, of.name, t.name)
			for rows := 1; rows <= smallRows; rows++ {
				t.small(of, rows, vecs)
				fmt.Fprintf(&s, "\t\t\t%d: small%s%dx%d%s,\n", rows, of.name, rows, vecs, t.name)
			}
			s.WriteString("\t\t}},\n")
		}
		s.WriteString("\t},\n")
	}
	s.WriteString("}\n")
	return s.String()
}

// widened reads a vector of float32 from small elements.
func (t *target) widened(of smallType, m operand.Mem, d reg.Register) {
	if of.size == 2 {
		t.VPMOVZXWD(m, d)
		t.VPSLLD(operand.Imm(16), d, d)
		return
	}
	t.VPMOVSXBD(m, d)
	t.VCVTDQ2PS(d, d)
}

// small multiplies rows by a panel. Where there are few sums, several steps in k have sums of their
// own, so that none waits for the one before.
func (t *target) small(of smallType, rows, vecs int) {
	t.begin(fmt.Sprintf("small%s%dx%d%s", of.name, rows, vecs, t.name), fmt.Sprintf("is a smallFunc for %d rows and %d vectors.", rows, vecs),
		"k int, a *float32, as int, b *byte, sums *float32, more int")
	k, b, sums, as := t.arg("k"), t.arg("b"), t.arg("sums"), t.arg("as")
	base := []reg.GPVirtual{t.arg("a")}
	for i := 3; i < rows; i += 3 {
		r := t.GP64()
		t.LEAQ(operand.Mem{Base: base[len(base)-1], Index: as, Scale: 2}, r)
		t.ADDQ(as, r)
		base = append(base, r)
	}
	element := func(i, step int) operand.Mem {
		m := operand.Mem{Base: base[i/3], Disp: 4 * step}
		if i%3 > 0 {
			m.Index, m.Scale = as, uint8(i%3)
		}
		return m
	}
	deep := max(1, 8/(rows*vecs))
	if rows*vecs*deep+vecs+1 > len(t.regs) {
		deep = 1
	}
	acc := func(step, i, v int) reg.VecPhysical { return t.regs[(step*rows+i)*vecs+v] }
	row := t.regs[rows*vecs*deep:]
	x := row[vecs]
	for _, r := range t.regs[:rows*vecs*deep] {
		t.zero(r)
	}
	bytes := vecs * t.width() * of.size
	turn := func(steps int) {
		for s := range steps {
			for v := range vecs {
				t.widened(of, operand.Mem{Base: b, Disp: s*bytes + v*t.width()*of.size}, row[v])
			}
			for i := range rows {
				t.broadcast(element(i, s), x)
				for v := range vecs {
					t.fma(row[v], x, acc(s, i, v))
				}
			}
		}
		for line := 0; line < steps*bytes; line += 64 {
			t.PREFETCHT0(operand.Mem{Base: b, Disp: smallAhead + line})
		}
		t.ADDQ(operand.U32(uint32(steps*bytes)), b)
		for _, r := range base {
			t.ADDQ(operand.Imm(uint64(4*steps)), r)
		}
	}
	t.steps("deep", k, deep, "one", func() { turn(deep) })
	if deep > 1 {
		t.steps("one", k, 1, "total", func() { turn(1) })
	}
	t.Label(map[bool]string{true: "total", false: "one"}[deep > 1])
	t.smallSums(rows, vecs, deep, sums, acc)
}

// smallAhead is how far ahead of what is read memory is asked for.
const smallAhead = 4096

// steps emits a loop that takes so many off counter while it can, then goes to next.
func (t *target) steps(label string, counter reg.Register, steps int, next string, body func()) {
	t.Label(label)
	t.CMPQ(counter, operand.Imm(uint64(steps)))
	t.JL(operand.LabelRef(next))
	body()
	t.SUBQ(operand.Imm(uint64(steps)), counter)
	t.JMP(operand.LabelRef(label))
}

// smallSums adds up what the steps have, and stores it, or adds it to what is there.
func (t *target) smallSums(rows, vecs, deep int, sums reg.GPVirtual, acc func(step, i, v int) reg.VecPhysical) {
	each := func(visit func(i, v int, m operand.Mem)) {
		for i := range rows {
			for v := range vecs {
				visit(i, v, operand.Mem{Base: sums, Disp: (i*vecs + v) * t.size})
			}
		}
	}
	for half := deep / 2; half > 0; half /= 2 {
		for s := range half {
			each(func(i, v int, _ operand.Mem) { t.add(acc(s+half, i, v), acc(s, i, v), acc(s, i, v)) })
		}
	}
	t.CMPQ(t.param("more"), operand.Imm(0))
	t.JE(operand.LabelRef("store"))
	each(func(i, v int, m operand.Mem) { t.add(m, acc(0, i, v), acc(0, i, v)) })
	t.Label("store")
	each(func(i, v int, m operand.Mem) { t.store(acc(0, i, v), m, false) })
	t.end()
}

// widen writes a panel in float32.
func (t *target) widen(of smallType, vecs int) {
	t.begin(fmt.Sprintf("widen%sx%d%s", of.name, vecs, t.name), fmt.Sprintf("is a widenFunc for %d vectors.", vecs), "k int, b *byte, scale, dst *float32")
	k, b, dst := t.arg("k"), t.arg("b"), t.arg("dst")
	scale := t.regs[vecs:]
	if of.size == 1 {
		from := t.arg("scale")
		for v := range vecs {
			t.load(operand.Mem{Base: from, Disp: v * t.size}, scale[v], false)
		}
	}
	bytes := vecs * t.width() * of.size
	t.Label("row")
	for v := range vecs {
		t.widened(of, operand.Mem{Base: b, Disp: v * t.width() * of.size}, t.regs[v])
		if of.size == 1 {
			t.VMULPS(scale[v], t.regs[v], t.regs[v])
		}
		t.store(t.regs[v], operand.Mem{Base: dst, Disp: v * t.size}, false)
	}
	for line := 0; line < bytes; line += 64 {
		t.PREFETCHT0(operand.Mem{Base: b, Disp: smallAhead + line})
	}
	t.ADDQ(operand.U32(uint32(bytes)), b)
	t.ADDQ(operand.U32(uint32(vecs*t.size)), dst)
	t.DECQ(k)
	t.JNE(operand.LabelRef("row"))
	t.end()
}
