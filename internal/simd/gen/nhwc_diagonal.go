package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// diagonals writes the products of windows of groups of fewer channels than a vector has. It returns the Go text of their
// table, by channels of a group and windows.
func (t *target) diagonals() string {
	var table strings.Builder
	table.WriteString("[][]diagonalFunc{")
	for group := 2; group < t.width(); group *= 2 {
		fmt.Fprintf(&table, "%d: {", group)
		for rows := 1; rows <= len(t.regs)*3/4/group; rows++ {
			t.diagonal(rows, group)
			fmt.Fprintf(&table, "%d: diagonal%dx%d%s, ", rows, rows, group, t.name)
		}
		table.WriteString("}, ")
	}
	return table.String() + "}"
}

// diagonal holds what a kernel of diagonals keeps in registers: of each window a sum for each diagonal. The element of a
// window in a lane goes to the result whose lane differs from it by the bits of the number of the diagonal, so that nothing
// is moved between lanes until the sums are whole.
type diagonal struct {
	*target
	rows, group int // windows, and channels of a group

	ars, cs        reg.Register
	x, w, c, bias  reg.Register   // of a vector of channels
	a              []reg.Register // every third window
	at, left, vecs reg.Register
}

// diagonal is m times so many windows, by n > 0 vectors of channels, of which the last one has last channels.
func (t *target) diagonal(rows, group int) {
	t.begin(fmt.Sprintf("diagonal%dx%d%s", rows, group, t.name), fmt.Sprintf("is %d windows of groups of %d channels, m times below each other.", rows, group),
		"m, n, k int, at *int, a *float32, as, ars int, b *float32, c *float32, ys, cs int, bias *float32, flags, last int")
	d := &diagonal{target: t, rows: rows, group: group, ars: t.arg("ars"), cs: t.arg("cs")}
	d.x, d.w, d.c, d.bias = t.GP64(), t.GP64(), t.GP64(), t.GP64()
	d.at, d.left, d.vecs = t.GP64(), t.GP64(), t.GP64()
	for i := 0; i < rows; i += 3 {
		d.a = append(d.a, t.GP64())
	}
	d.emit()
}

func (d *diagonal) emit() {
	d.Label("below")
	for _, p := range []struct {
		name string
		r    reg.Register
	}{{"a", d.x}, {"b", d.w}, {"c", d.c}, {"bias", d.bias}, {"n", d.vecs}} {
		d.Load(d.Param(p.name), p.r)
	}
	d.Label("vector")
	d.products()
	for s := d.group / 2; s > 0; s /= 2 {
		d.fold(s)
	}
	d.CMPQ(d.vecs, operand.Imm(1))
	d.JNE(operand.LabelRef("whole"))
	d.CMPQ(d.param("last"), operand.Imm(uint64(d.width())))
	d.JE(operand.LabelRef("whole"))
	d.setMask(d.arg("last"))
	d.finish("part", true)
	d.JMP(operand.LabelRef("next"))
	d.Label("whole")
	d.finish("whole", false)
	for _, r := range []reg.Register{d.x, d.c, d.bias} {
		d.ADDQ(operand.Imm(uint64(d.target.size)), r)
	}
	d.DECQ(d.vecs)
	d.JNE(operand.LabelRef("vector"))
	d.Label("next")
	for _, p := range [][2]string{{"as", "a"}, {"ys", "c"}} {
		d.Load(d.Param(p[0]), d.left)
		d.ADDQ(d.left, d.param(p[1]))
	}
	d.DECQ(d.param("m"))
	d.JNE(operand.LabelRef("below"))
	d.end()
}

// sum is the sum of window i and diagonal r, and spare a register that has no sum and no mask.
func (d *diagonal) sum(i, r int) reg.VecPhysical { return d.regs[i*d.group+r] }
func (d *diagonal) spare(i int) reg.VecPhysical  { return d.regs[d.rows*d.group+i] }

// held is how many diagonals of a tap are in registers beside an element of a window.
func (d *diagonal) held() int { return min(len(d.regs)-2-d.rows*d.group, d.group, 4) }

// products multiplies the elements of the windows, which the table places, by the diagonals of each tap.
func (d *diagonal) products() {
	for _, r := range d.regs[:d.rows*d.group] {
		d.zero(r)
	}
	d.Load(d.Param("at"), d.at)
	d.Load(d.Param("k"), d.left)
	d.Label("tap")
	d.MOVQ(operand.Mem{Base: d.at}, d.a[0])
	d.ADDQ(d.x, d.a[0])
	d.ADDQ(operand.Imm(8), d.at)
	for i := 1; i < len(d.a); i++ {
		d.LEAQ(operand.Mem{Base: d.a[i-1], Index: d.ars, Scale: 2}, d.a[i])
		d.ADDQ(d.ars, d.a[i])
	}
	for first := 0; first < d.group; first += d.held() {
		d.multiply(first, min(first+d.held(), d.group))
	}
	d.ADDQ(operand.U32(uint32(d.group*d.target.size)), d.w)
	d.DECQ(d.left)
	d.JNE(operand.LabelRef("tap"))
}

// multiply multiplies a tap of the windows by diagonals from first to end.
func (d *diagonal) multiply(first, end int) {
	for r := first; r < end; r++ {
		d.load(operand.Mem{Base: d.w, Disp: r * d.target.size}, d.spare(r-first), false)
	}
	x := d.spare(end - first)
	for i := range d.rows {
		m := operand.Mem{Base: d.a[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = d.ars, uint8(i%3)
		}
		d.load(m, x, false)
		for r := first; r < end; r++ {
			d.fma(d.spare(r-first), x, d.sum(i, r))
		}
	}
}

// fold adds the sums of diagonals s to 2s-1 to those of 0 to s-1, with lanes exchanged that are s apart.
func (d *diagonal) fold(s int) {
	x := d.spare(0)
	for i := range d.rows {
		for r := range s {
			from := d.sum(i, r+s)
			switch s {
			case 1:
				d.VPERMILPS(operand.Imm(0b10_11_00_01), from, x)
			case 2:
				d.VPERMILPS(operand.Imm(0b01_00_11_10), from, x)
			case 4:
				d.VSHUFF32X4(operand.Imm(0b10_11_00_01), from, from, x)
			}
			d.add(x, d.sum(i, r), d.sum(i, r))
		}
	}
}

// finish turns the sums of the first diagonal into results.
func (d *diagonal) finish(label string, masked bool) {
	x := d.spare(0)
	var sums []reg.VecPhysical
	for i := range d.rows {
		sums = append(sums, d.sum(i, 0))
	}
	d.when(abi.FlagAdd, label+"add", func() {
		d.eachResult(func(i int, c operand.Mem) {
			d.load(c, x, masked)
			d.add(x, sums[i], sums[i])
		})
	})
	d.when(abi.FlagColBias, label+"bias", func() {
		d.load(operand.Mem{Base: d.bias}, x, masked)
		for _, s := range sums {
			d.add(x, s, s)
		}
	})
	d.rectify(label, x, sums)
	d.eachResult(func(i int, c operand.Mem) { d.store(sums[i], c, masked) })
}

// eachResult visits the vectors of the windows' results.
func (d *diagonal) eachResult(visit func(i int, c operand.Mem)) {
	d.MOVQ(d.c, d.at)
	for i := range d.rows {
		visit(i, operand.Mem{Base: d.at})
		if i < d.rows-1 {
			d.ADDQ(d.cs, d.at)
		}
	}
}
