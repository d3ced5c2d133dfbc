package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// heights is the tallest tile for a panel of so many vectors: accumulators, one row of B and
// a broadcast element of A share the registers.
func (t *target) heights() []int {
	if len(t.regs) == 32 {
		return []int{1: 12, 2: 12, 3: 8, 4: 6}
	}
	return []int{1: 6, 2: 6}
}

// gemm writes the micro-kernels for both element types.
func gemm(t *target) string {
	for _, t.elem = range []int{4, 8} {
		for vecs, tallest := range t.heights() {
			for rows := 1; rows <= tallest; rows++ {
				t.tile(rows, vecs)
			}
		}
	}
	transposes(t)
	t.elem = 4
	t.fetch()
	gemvs(t)
	return smalls(t) + t.tileTable()
}

// tileTable is the Go text of the tables of micro-kernels, by rows and vectors.
func (t *target) tileTable() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar %s = table{f32: tiles%[2]sf32, f64: tiles%[2]sf64, small: small%[2]s}\n", t.level(), t.name)
	for _, bits := range []int{32, 64} {
		fmt.Fprintf(&s, `
var tiles%[1]sf%[2]d = Tiles[float%[2]d]{
	Width: %[3]d,
	transpose: transpose%[1]sf%[2]d,
	Fetch: fetch%[1]s,
	dots: dots%[1]sf%[2]d,
	rows1: rows1%[1]sf%[2]d,
	rows8: rows8%[1]sf%[2]d,
	Kernel: [][]tileFunc[float%[2]d]{
`, t.name, bits, 8*t.size/bits)
		for vecs, tallest := range t.heights() {
			if vecs == 0 {
				continue
			}
			fmt.Fprintf(&s, "\t\t%d: {\n", vecs)
			for rows := 1; rows <= tallest; rows++ {
				fmt.Fprintf(&s, "\t\t\t%d: gemm%dx%d%sf%d,\n", rows, rows, vecs, t.name, bits)
			}
			s.WriteString("\t\t},\n")
		}
		s.WriteString("\t},\n}\n")
	}
	return s.String()
}

// tile computes rows x (vecs*width) elements of C, for n panels side by side, and m times, below each other. The rank-1
// update has one row of the B panel and one broadcast element of A in flight; the other
// registers accumulate. With rows*vecs near 24 (AVX2: 12) there is less than one load for two
// multiplications, so unrolling would gain nothing.
func (t *target) tile(rows, vecs int) {
	name := fmt.Sprintf("gemm%dx%d%sf%d", rows, vecs, t.name, 8*t.elem)
	f := "*" + t.goType()
	t.begin(name, fmt.Sprintf("is a tile of %d rows by %d vectors.", rows, vecs),
		"m, n, k int, a "+f+", ars, aks int, b "+f+", bks, bps int, c "+f+", cs int, bias "+f+", flags, last int")
	newTile(t, rows, vecs, false).emit()
}

// emit is the body of a kernel.
func (p *tile) emit() {
	last := p.arg("last")
	p.CMPQ(last, operand.Imm(uint64(p.width())))
	p.JNE(operand.LabelRef("partial"))
	p.panels("full", false)
	p.JMP(operand.LabelRef("done"))
	p.Label("partial")
	p.setMask(last)
	p.panels("masked", true)
	p.Label("done")
	p.end()
}

// tile holds what a micro-kernel keeps in registers.
type tile struct {
	*target
	rows, vecs int

	ars, aks, bks, cs reg.Register   // strides in bytes
	panel, c, bias    reg.Register   // where the current panel begins
	a                 []reg.Register // every third row of A
	at                reg.Register   // the current element of the table of places in A; nil where they are aks apart
	ahead             reg.Register   // how far the next panel is, to be fetched meanwhile; may be nil
	b, left, row      reg.Register   // the current row of B, of how many; the current row of C
	panelsLeft        operand.Mem    // how many panels are left
}

// newTile begins a tile, of which a table places the elements of A if gathers is set.
func newTile(t *target, rows, vecs int, gathers bool) *tile {
	p := &tile{target: t, rows: rows, vecs: vecs}
	p.ars = p.arg("ars")
	if gathers {
		p.at = p.GP64()
	} else {
		p.aks = p.arg("aks")
	}
	p.panel, p.bks = p.arg("b"), p.arg("bks")
	p.c, p.cs = p.arg("c"), p.arg("cs")
	p.bias = p.arg("bias")
	p.panelsLeft = p.param("last") // which emit has read
	p.b, p.left, p.row = p.GP64(), p.GP64(), p.GP64()
	if !gathers && t.mask == opmask && rows <= 6 && rows*vecs > 8 { // where loads are few and a register is free
		p.ahead = p.arg("bps")
	}
	for i := 0; i < rows; i += 3 {
		p.a = append(p.a, p.GP64())
	}
	return p
}

func (p *tile) acc(i, v int) reg.VecPhysical { return p.regs[i*p.vecs+v] }

// spare is the i-th register that does not accumulate.
func (p *tile) spare(i int) reg.VecPhysical { return p.regs[p.rows*p.vecs+i] }

// aRow is element (i, current k) of A.
func (p *tile) aRow(i int) operand.Mem {
	m := operand.Mem{Base: p.a[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = p.ars, uint8(i%3)
	}
	return m
}

// lastOf reports whether vector v is the one that a mask applies to.
func (p *tile) lastOf(v int, masked bool) bool { return masked && v == p.vecs-1 }

func (p *tile) panels(label string, masked bool) {
	p.Label(label)
	p.Load(p.Param("n"), p.left)
	p.MOVQ(p.left, p.panelsLeft)
	p.Label(label + "_panel")
	p.rewind()
	p.products(label, masked)
	p.epilogue(label, masked)
	p.ADDQ(p.param("bps"), p.panel)
	p.ADDQ(operand.I32(int32(p.vecs*p.size)), p.c)
	p.ADDQ(operand.I32(int32(p.vecs*p.size)), p.bias)
	p.DECQ(p.panelsLeft)
	p.JNE(operand.LabelRef(label + "_panel"))
	p.below(label)
}

// below goes on with the next tile below, if one is left.
func (p *tile) below(label string) {
	p.DECQ(p.param("m"))
	p.JE(operand.LabelRef(label + "_end"))
	for _, m := range []struct {
		at, given string       // where the tile begins, and the parameter that says how far the next one is
		row       reg.Register // the distance of rows, which says it where none is given
	}{{"a", "as", p.ars}, {"c", "ys", p.cs}} {
		if p.at == nil {
			p.IMUL3Q(operand.Imm(uint64(p.rows)), m.row, p.left)
		} else {
			p.Load(p.Param(m.given), p.left)
		}
		p.ADDQ(p.left, p.param(m.at))
	}
	p.Load(p.Param("c"), p.c)
	p.Load(p.Param("b"), p.panel)
	p.Load(p.Param("bias"), p.bias)
	p.JMP(operand.LabelRef(label))
	p.Label(label + "_end")
}

func (p *tile) rewind() {
	if p.at == nil {
		p.Load(p.Param("a"), p.a[0])
		p.thirds()
	} else {
		p.Load(p.Param("at"), p.at)
	}
	p.MOVQ(p.panel, p.b)
	for i := range p.rows * p.vecs {
		p.zero(p.regs[i])
	}
}

// thirds points to every third row, given the first one.
func (p *tile) thirds() {
	for i := 1; i < len(p.a); i++ {
		p.LEAQ(operand.Mem{Base: p.a[i-1], Index: p.ars, Scale: 2}, p.a[i])
		p.ADDQ(p.ars, p.a[i])
	}
}

// gather points to the rows' next elements, which the table places.
func (p *tile) gather() {
	p.MOVQ(operand.Mem{Base: p.at}, p.a[0])
	p.ADDQ(p.param("a"), p.a[0])
	p.ADDQ(operand.Imm(8), p.at)
	p.thirds()
}

func (p *tile) products(label string, masked bool) {
	p.Load(p.Param("k"), p.left)
	p.TESTQ(p.left, p.left)
	p.JE(operand.LabelRef(label + "_sum"))
	p.Label(label + "_k")
	if p.at != nil {
		p.gather()
	}
	for v := range p.vecs {
		p.load(operand.Mem{Base: p.b, Disp: v * p.size}, p.spare(v), p.lastOf(v, masked))
	}
	if p.ahead != nil {
		for v := range p.vecs {
			p.PREFETCHT0(operand.Mem{Base: p.b, Index: p.ahead, Scale: 1, Disp: v * p.size})
		}
	}
	p.ADDQ(p.bks, p.b)
	for i := range p.rows {
		if p.vecs == 1 && p.mask == opmask { // each element is of use once, and comes with the multiplication
			p.fmaOf(p.aRow(i), p.spare(0), p.acc(i, 0))
			continue
		}
		x := p.spare(p.vecs + i%p.broadcasts())
		p.broadcast(p.aRow(i), x)
		for v := range p.vecs {
			p.fma(p.spare(v), x, p.acc(i, v))
		}
	}
	if p.at == nil {
		for _, r := range p.a {
			p.ADDQ(p.aks, r)
		}
	}
	p.DECQ(p.left)
	p.JNE(operand.LabelRef(label + "_k"))
	p.Label(label + "_sum")
}

// broadcasts is the number of registers that take elements of A in turn.
func (p *tile) broadcasts() int {
	free := len(p.regs) - (p.rows+1)*p.vecs
	if p.mask == vecmask {
		free--
	}
	return min(free, 4)
}

// epilogue turns the accumulators into C: C += or C =, plus bias, rectified.
func (p *tile) epilogue(label string, masked bool) {
	x := p.spare(0)
	p.when(abi.FlagAdd, label+"_add", func() {
		p.eachC(func(i, v int, c operand.Mem) {
			p.load(c, x, p.lastOf(v, masked))
			p.add(x, p.acc(i, v), p.acc(i, v))
		})
	})
	p.when(abi.FlagColBias, label+"_col", func() {
		for v := range p.vecs {
			p.load(operand.Mem{Base: p.bias, Disp: v * p.size}, x, p.lastOf(v, masked))
			for i := range p.rows {
				p.add(x, p.acc(i, v), p.acc(i, v))
			}
		}
	})
	p.when(abi.FlagRowBias, label+"_row", func() {
		p.Load(p.Param("bias"), p.row)
		for i := range p.rows {
			p.broadcast(operand.Mem{Base: p.row, Disp: i * p.elem}, x)
			for v := range p.vecs {
				p.add(x, p.acc(i, v), p.acc(i, v))
			}
		}
	})
	p.rectify(label, x, p.regs[:p.rows*p.vecs])
	p.eachC(func(i, v int, c operand.Mem) { p.store(p.acc(i, v), c, p.lastOf(v, masked)) })
}

// rectify applies the activation that the flags say to values, with the help of x.
func (t *target) rectify(label string, x reg.VecPhysical, values []reg.VecPhysical) {
	t.when(abi.FlagReLU, label+"relu", func() {
		t.zero(x)
		for _, v := range values {
			t.max(v, x, v) // in this order a NaN stays
		}
		t.when(abi.FlagReLU6, label+"relu6", func() {
			for _, v := range values {
				t.add(x, v, v) // -0 becomes 0
			}
			t.broadcast(t.six(), x)
			for _, v := range values {
				t.min(v, x, v)
			}
		})
	})
}

// six is the number 6 in memory.
func (t *target) six() operand.Mem {
	if t.elem == 4 {
		return t.table("six", []uint32{math.Float32bits(6)})
	}
	return t.table("six64", []uint32{0, uint32(math.Float64bits(6) >> 32)})
}

// when emits body under a test of a flag.
func (t *target) when(flag uint32, label string, body func()) {
	t.TESTQ(operand.U32(flag), t.param("flags"))
	t.JE(operand.LabelRef(label))
	body()
	t.Label(label)
}

// eachC visits the vectors of the tile in C.
func (p *tile) eachC(visit func(i, v int, c operand.Mem)) {
	p.MOVQ(p.c, p.row)
	for i := range p.rows {
		for v := range p.vecs {
			visit(i, v, operand.Mem{Base: p.row, Disp: v * p.size})
		}
		if i < p.rows-1 {
			p.ADDQ(p.cs, p.row)
		}
	}
}

// fetch asks for lines of memory that will be needed. It computes nothing, so that the mode of
// floating point stays as it is: changing it twice took longer than the work.
func (t *target) fetch() {
	t.function("fetch"+t.name, "prefetches rows > 0 rows of lines > 0 cache lines each into the second-level cache. stride is in bytes.",
		"func(rows, lines int, src *byte, stride int)")
	rows, src, stride := t.arg("rows"), t.arg("src"), t.arg("stride")
	line, left := t.GP64(), t.GP64()
	t.Label("row")
	t.MOVQ(src, line)
	t.Load(t.Param("lines"), left)
	t.Label("line")
	t.PREFETCHT1(operand.Mem{Base: line})
	t.ADDQ(operand.Imm(64), line)
	t.DECQ(left)
	t.JNE(operand.LabelRef("line"))
	t.ADDQ(stride, src)
	t.DECQ(rows)
	t.JNE(operand.LabelRef("row"))
	t.RET()
}
