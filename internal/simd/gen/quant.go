package main

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// quants writes the kernels of 8-bit integers.
func quants(t *target) string {
	q := &quant{target: t, rows: 6, vecs: 4}
	if t.mask == vecmask {
		q.rows, q.vecs = 4, 2
	}
	if q.deep() {
		order := make([]uint32, 16)
		for i := range order {
			order[i] = uint32(i%4*4 + i/4)
		}
		q.order = t.data("order", order)
	}
	var table strings.Builder
	for vecs := 1; vecs <= q.vecs; vecs++ {
		table.WriteString("{nil")
		for rows := 1; rows <= q.rows; rows++ {
			fmt.Fprintf(&table, ", %s", q.tile(rows, vecs))
		}
		table.WriteString("}, ")
	}
	q.depthwise()
	q.bytes()
	q.largest()
	more := ""
	if q.deep() {
		q.columns()
		more = fmt.Sprintf(", columns: columns%[1]s, apart: apart%[1]s", q.name)
	}
	return fmt.Sprintf("\nvar %s = Kernels{lanes: %d, vecs: %d, rows: %d, wide: %t, vector: true, tiles: [][]tileFunc{nil, %s}, depthwise: depthwise%[7]s, bytes: bytes%[7]s, max: max%[7]s%[8]s}\n",
		t.level(), t.width(), q.vecs, q.rows, t.mask == vecmask, table.String(), t.name, more)
}

// quant emits kernels of 8-bit integers. AVX-512 has the products of four bytes in one instruction.
// With AVX2 that one would saturate, and bytes are widened to 16 bits, even ones and odd ones.
type quant struct {
	*target
	rows, vecs int         // of the largest tile
	order      operand.Mem // see narrowAll

	tail     reg.GPVirtual
	y, ys    reg.GPVirtual
	channels reg.GPVirtual
}

// deep reports whether the target multiplies bytes.
func (q *quant) deep() bool { return q.mask == opmask }

var (
	tailFields  abi.QuantTail
	scaleFields abi.QuantScale
)

// field is the memory of a field of the tail, or the scale.
func (q *quant) field(offset uintptr) operand.Mem {
	return operand.Mem{Base: q.tail, Disp: int(offset)}
}

// all fills a register with a field.
func (q *quant) all(offset uintptr, d reg.Register) { q.VBROADCASTSS(q.field(offset), d) }

// row is element i of a register's rows, ld apart.
func rowOf(base reg.GPVirtual, ld reg.GPVirtual, i int) operand.Mem {
	m := operand.Mem{Base: base}
	if i > 0 {
		m.Index, m.Scale = ld, uint8(i)
	}
	return m
}

const tileParams = "tiles int, x *uint8, pixels *int, runs int, at *int, steps int, w *int8, channels, shifts, tail *float32, y *uint8, ys int, addend *uint8, as int"

// tile emits a kernel for rows windows and vecs vectors of filters, and returns its name.
func (q *quant) tile(rows, vecs int) string {
	name := fmt.Sprintf("tile%dx%d%s", rows, vecs, q.name)
	q.function(name, fmt.Sprintf("is a tileFunc for %d windows and %d vectors.", rows, vecs), "func("+tileParams+")")
	acc := func(i, v int) reg.VecPhysical { return q.regs[i*vecs+v] }
	pixels, at, w, run, step, offset := q.arg("pixels"), q.GP64(), q.GP64(), q.GP64(), q.GP64(), q.GP64()
	row := make([]reg.GPVirtual, rows)
	for i := range row {
		row[i] = q.GP64()
	}
	q.Label("tile")
	q.Load(q.Param("channels"), at)
	for v := range vecs {
		q.VMOVUPS(operand.Mem{Base: at, Disp: v * q.size}, acc(0, v))
		for i := 1; i < rows; i++ {
			q.VMOVAPS(acc(0, v), acc(i, v))
		}
	}
	q.Load(q.Param("at"), at)
	q.Load(q.Param("w"), w)
	q.Load(q.Param("runs"), run)
	if !q.deep() {
		q.VPCMPEQW(q.regs[15], q.regs[15], q.regs[15])
		q.VPSRLW(operand.Imm(8), q.regs[15], q.regs[15])
	}
	q.Label("run")
	q.Load(q.Param("x"), offset)
	q.ADDQ(operand.Mem{Base: at}, offset)
	for i, r := range row {
		q.MOVQ(operand.Mem{Base: pixels, Disp: 8 * i}, r)
		q.ADDQ(offset, r)
	}
	q.Load(q.Param("steps"), step)
	q.SHLQ(operand.Imm(2), step)
	for _, r := range row {
		q.ADDQ(step, r)
	}
	q.NEGQ(step)
	q.Label("step")
	bytes := q.step(rows, vecs, acc, func(i int) operand.Mem { return operand.Mem{Base: row[i], Index: step, Scale: 1} }, w)
	q.ADDQ(operand.U32(uint32(bytes)), w)
	q.ADDQ(operand.Imm(4), step)
	q.JNE(operand.LabelRef("step"))
	q.ADDQ(operand.Imm(8), at)
	q.DECQ(run)
	q.JNE(operand.LabelRef("run"))

	q.tail, q.y, q.ys, q.channels = at, w, run, step
	q.finish(rows, vecs, acc, [3]reg.GPVirtual{offset, row[0], q.GP64()})
	q.ADDQ(operand.U32(uint32(8*rows)), pixels)
	q.DECQ(q.param("tiles"))
	q.JNE(operand.LabelRef("tile"))
	q.VZEROUPPER()
	q.RET()
	return name
}

// step adds the products of four bytes, and returns the bytes of w that it takes.
func (q *quant) step(rows, vecs int, acc func(i, v int) reg.VecPhysical, x func(i int) operand.Mem, w reg.GPVirtual) int {
	free := q.regs[rows*vecs:]
	if q.deep() {
		for v := range vecs {
			q.VMOVUPS(operand.Mem{Base: w, Disp: v * q.size}, free[v])
		}
		for i := range rows {
			q.VPBROADCASTD(x(i), free[vecs])
			for v := range vecs {
				q.VPDPBUSD(free[v], free[vecs], acc(i, v))
			}
		}
		return vecs * q.size
	}
	even, odd, product, low := free[0], free[1], free[2], q.regs[15]
	for i := range rows {
		q.VPBROADCASTD(x(i), odd)
		q.VPAND(low, odd, even)
		q.VPSRLW(operand.Imm(8), odd, odd)
		for v := range vecs {
			for half, bytes := range []reg.VecPhysical{even, odd} {
				q.VPMADDWD(operand.Mem{Base: w, Disp: (2*v + half) * q.size}, bytes, product)
				q.VPADDD(product, acc(i, v), acc(i, v))
			}
		}
	}
	return 2 * vecs * q.size
}

// finish makes results of the sums. It uses the registers behind them.
func (q *quant) finish(rows, vecs int, acc func(i, v int) reg.VecPhysical, use [3]reg.GPVirtual) {
	free := q.regs[rows*vecs:]
	each := func(visit func(i, v int, sum reg.VecPhysical)) {
		for i := range rows {
			for v := range vecs {
				visit(i, v, acc(i, v))
			}
		}
	}
	q.Load(q.Param("tail"), q.tail)
	q.Load(q.Param("channels"), q.channels)
	for v := range vecs {
		q.VMOVUPS(operand.Mem{Base: q.channels, Disp: (vecs + v) * q.size}, free[0])
		for i := range rows {
			q.VCVTDQ2PS(acc(i, v), acc(i, v))
			q.VMULPS(free[0], acc(i, v), acc(i, v))
		}
	}
	flags, shifts := q.field(unsafe.Offsetof(tailFields.Flags)), q.channels
	q.Load(q.Param("shifts"), shifts)
	for v := range vecs {
		q.VMOVUPS(operand.Mem{Base: shifts, Disp: v * q.size}, free[0])
		for i := range rows {
			q.VADDPS(free[0], acc(i, v), acc(i, v))
		}
	}
	q.adds(rows, each, free, use)
	q.clamp(each, free)
	q.Load(q.Param("y"), q.y)
	q.Load(q.Param("ys"), q.ys)
	q.TESTB(operand.Imm(abi.FlagBytes), flags)
	q.JNE(operand.LabelRef("bytes"))
	at := q.places(q.y, q.ys, rows, use)
	each(func(i, v int, sum reg.VecPhysical) { q.VMOVUPS(sum, at(i).Offset(v*q.size)) })
	q.JMP(operand.LabelRef("stored"))
	q.Label("bytes")
	each(func(_, _ int, sum reg.VecPhysical) { q.VCVTPS2DQ(sum, sum) })
	at = q.places(q.y, q.ys, rows, use)
	if q.deep() && vecs == q.vecs {
		q.VMOVUPS(q.order, free[0])
		for i := range rows {
			q.narrowAll([]reg.VecPhysical{acc(i, 0), acc(i, 1), acc(i, 2), acc(i, 3)}, at(i), free[0])
		}
	} else {
		each(func(i, v int, sum reg.VecPhysical) { q.narrow(sum, at(i).Offset(v*q.width()), free) })
	}
	q.Label("stored")
	q.next(q.y, q.ys, rows)
	q.Store(q.y, q.Param("y"))
}

// next moves an address on by so many rows.
func (q *quant) next(at, ld reg.GPVirtual, rows int) {
	q.IMUL3Q(operand.Imm(uint64(rows)), ld, ld)
	q.ADDQ(ld, at)
}

// places returns the addresses of rows, which it takes registers for.
func (q *quant) places(base, ld reg.GPVirtual, rows int, use [3]reg.GPVirtual) func(i int) operand.Mem {
	bases := []reg.GPVirtual{base}
	for i := 3; i < rows; i += 3 {
		r := use[len(bases)-1]
		q.LEAQ(operand.Mem{Base: bases[len(bases)-1], Index: ld, Scale: 2}, r)
		q.ADDQ(ld, r)
		bases = append(bases, r)
	}
	return func(i int) operand.Mem { return rowOf(bases[i/3], ld, i%3) }
}

// adds adds what the tail says.
func (q *quant) adds(rows int, each func(func(i, v int, sum reg.VecPhysical)), free []reg.VecPhysical, use [3]reg.GPVirtual) {
	flags := q.field(unsafe.Offsetof(tailFields.Flags))
	q.TESTB(operand.Imm(abi.FlagAddBytes|abi.FlagAddFloat), flags)
	q.JE(operand.LabelRef("added"))
	q.Load(q.Param("addend"), q.y)
	q.Load(q.Param("as"), q.ys)
	at := q.places(q.y, q.ys, rows, use)
	q.all(unsafe.Offsetof(tailFields.Addend), free[0])
	q.TESTB(operand.Imm(abi.FlagAddFloat), flags)
	q.JNE(operand.LabelRef("addfloat"))
	each(func(i, v int, sum reg.VecPhysical) {
		q.VPMOVZXBD(at(i).Offset(v*q.width()), free[1])
		q.VCVTDQ2PS(free[1], free[1])
		q.VMULPS(free[0], free[1], free[1])
		q.VADDPS(free[1], sum, sum)
	})
	q.JMP(operand.LabelRef("advance"))
	q.Label("addfloat")
	each(func(i, v int, sum reg.VecPhysical) {
		q.VMULPS(at(i).Offset(v*q.size), free[0], free[1])
		q.VADDPS(free[1], sum, sum)
	})
	q.Label("advance")
	q.next(q.y, q.ys, rows)
	q.Store(q.y, q.Param("addend"))
	q.Label("added")
}

// clamp clamps sums. NaN stays: of two operands the second is taken if there is one.
func (q *quant) clamp(each func(func(i, v int, sum reg.VecPhysical)), free []reg.VecPhysical) {
	q.all(unsafe.Offsetof(tailFields.Lo), free[0])
	q.all(unsafe.Offsetof(tailFields.Hi), free[1])
	each(func(_, _ int, sum reg.VecPhysical) {
		q.VMAXPS(sum, free[0], sum)
		q.VMINPS(sum, free[1], sum)
	})
}

// narrow stores integers from 0 to 255 as bytes, and what becomes of NaN as 0.
func (q *quant) narrow(sum reg.VecPhysical, to operand.Mem, free []reg.VecPhysical) {
	if q.deep() {
		q.VPMOVDB(sum, to)
		return
	}
	low, high := sum.AsX(), free[0].AsX()
	q.VEXTRACTI128(operand.Imm(1), sum, high)
	q.VPACKUSDW(high, low, low)
	q.VPACKUSWB(low, low, low)
	q.VMOVQ(low, to)
}

// narrowAll stores four vectors of integers from 0 to 255 as bytes. Packing stays in lanes of 128 bits, which
// order puts right.
func (q *quant) narrowAll(sums []reg.VecPhysical, to operand.Mem, order reg.VecPhysical) {
	q.VPACKUSDW(sums[1], sums[0], sums[0])
	q.VPACKUSDW(sums[3], sums[2], sums[2])
	q.VPACKUSWB(sums[2], sums[0], sums[0])
	q.VPERMD(sums[0], order, sums[0])
	q.VMOVUPS(sums[0], to)
}

// slideSizes are how many windows of one filter a channel are worked on at once.
var slideSizes = []int{8, 4, 2, 1}

// depthwise emits the kernel of filters of one channel: a vector of channels, pixels > 0 windows side by
// side.
func (q *quant) depthwise() {
	q.function("depthwise"+q.name, "is the slideFunc of products.",
		"func(pixels int, x *uint8, xs int, taps int, at *int, w *int8, channels, shifts, tail *float32, y *uint8, ys int)")
	x, xs, w, left, at, offset := q.arg("x"), q.arg("xs"), q.GP64(), q.GP64(), q.GP64(), q.GP64()
	use := [3]reg.GPVirtual{q.GP64(), q.GP64(), q.GP64()}
	weights, bytes := q.regs[8], q.regs[9]
	for _, pixels := range slideSizes {
		block := fmt.Sprint("block", pixels)
		q.Label(block)
		q.CMPQ(q.param("pixels"), operand.Imm(uint64(pixels)))
		q.JLT(operand.LabelRef("behind" + block))
		acc := func(i int) reg.VecPhysical { return q.regs[i] }
		q.Load(q.Param("channels"), at)
		q.VMOVUPS(operand.Mem{Base: at}, acc(0))
		for i := 1; i < pixels; i++ {
			q.VMOVAPS(acc(0), acc(i))
		}
		q.Load(q.Param("at"), at)
		q.Load(q.Param("w"), w)
		q.Load(q.Param("taps"), left)
		q.Label("tap" + block)
		q.MOVQ(operand.Mem{Base: at}, offset)
		q.ADDQ(x, offset)
		q.VMOVUPS(operand.Mem{Base: w}, weights)
		place := q.places(offset, xs, pixels, use)
		for i := range pixels {
			q.VPMOVZXBD(place(i), bytes)
			if q.deep() {
				q.VPDPWSSD(weights, bytes, acc(i))
				continue
			}
			q.VPMADDWD(weights, bytes, bytes)
			q.VPADDD(bytes, acc(i), acc(i))
		}
		q.ADDQ(operand.Imm(8), at)
		q.ADDQ(operand.U32(uint32(q.size)), w)
		q.DECQ(left)
		q.JNE(operand.LabelRef("tap" + block))
		q.tail, q.y, q.ys, q.channels = at, w, left, offset
		q.slid(pixels, block, use)
		q.MOVQ(xs, offset)
		q.IMUL3Q(operand.Imm(uint64(pixels)), offset, offset)
		q.ADDQ(offset, x)
		q.SUBQ(operand.Imm(uint64(pixels)), q.param("pixels"))
		q.JMP(operand.LabelRef(block))
		q.Label("behind" + block)
	}
	q.VZEROUPPER()
	q.RET()
}

// slid is finish for a vector of channels, without an addend.
func (q *quant) slid(pixels int, block string, use [3]reg.GPVirtual) {
	free := q.regs[8:]
	each := func(visit func(i, v int, sum reg.VecPhysical)) {
		for i := range pixels {
			visit(i, 0, q.regs[i])
		}
	}
	q.Load(q.Param("tail"), q.tail)
	q.Load(q.Param("channels"), q.channels)
	q.VMOVUPS(operand.Mem{Base: q.channels, Disp: q.size}, free[0])
	each(func(_, _ int, sum reg.VecPhysical) {
		q.VCVTDQ2PS(sum, sum)
		q.VMULPS(free[0], sum, sum)
	})
	flags := q.field(unsafe.Offsetof(tailFields.Flags))
	q.Load(q.Param("shifts"), q.channels)
	q.VMOVUPS(operand.Mem{Base: q.channels}, free[0])
	each(func(_, _ int, sum reg.VecPhysical) { q.VADDPS(free[0], sum, sum) })
	q.clamp(each, free)
	q.Load(q.Param("y"), q.y)
	q.Load(q.Param("ys"), q.ys)
	q.TESTB(operand.Imm(abi.FlagBytes), flags)
	q.JNE(operand.LabelRef("bytes" + block))
	at := q.places(q.y, q.ys, pixels, use)
	each(func(i, _ int, sum reg.VecPhysical) { q.VMOVUPS(sum, at(i)) })
	q.JMP(operand.LabelRef("stored" + block))
	q.Label("bytes" + block)
	each(func(_, _ int, sum reg.VecPhysical) { q.VCVTPS2DQ(sum, sum) })
	at = q.places(q.y, q.ys, pixels, use)
	each(func(i, _ int, sum reg.VecPhysical) { q.narrow(sum, at(i), free) })
	q.Label("stored" + block)
	q.next(q.y, q.ys, pixels)
	q.Store(q.y, q.Param("y"))
}

// bytes emits the kernel that maps vectors > 0 vectors of float32 to bytes.
func (q *quant) bytes() {
	q.function("bytes"+q.name, "sets y to the bytes of vectors > 0 vectors of x.", "func(vectors int, x, scale *float32, y *uint8)")
	vectors, x, y := q.arg("vectors"), q.arg("x"), q.arg("y")
	q.tail = q.arg("scale")
	consts, sum := q.regs[1:], q.regs[0]
	q.all(unsafe.Offsetof(scaleFields.Inverse), consts[0])
	q.all(unsafe.Offsetof(scaleFields.Least), consts[1])
	q.all(unsafe.Offsetof(scaleFields.Most), consts[2])
	q.all(unsafe.Offsetof(scaleFields.Zero), consts[3])
	q.Label("vector")
	q.VMULPS(operand.Mem{Base: x}, consts[0], sum)
	q.VMAXPS(consts[1], sum, sum)
	q.VMINPS(consts[2], sum, sum)
	q.VCVTPS2DQ(sum, sum)
	q.VPADDD(consts[3], sum, sum)
	q.narrow(sum, operand.Mem{Base: y}, consts[4:])
	q.ADDQ(operand.Imm(uint64(q.size)), x)
	q.ADDQ(operand.Imm(uint64(q.width())), y)
	q.DECQ(vectors)
	q.JNE(operand.LabelRef("vector"))
	q.VZEROUPPER()
	q.RET()
}

// largest emits the kernel of the largest bytes of windows: a vector of bytes, of pixels > 0 windows side
// by side.
func (q *quant) largest() {
	q.function("max"+q.name, "sets y to the largest bytes of taps > 0 taps of pixels > 0 windows.",
		"func(pixels int, x *uint8, xs int, taps int, at *int, y *uint8, ys int)")
	pixels, x, xs, y, ys := q.arg("pixels"), q.arg("x"), q.arg("xs"), q.arg("y"), q.arg("ys")
	at, left, offset := q.GP64(), q.GP64(), q.GP64()
	most := q.regs[0]
	q.Label("pixel")
	q.VPXOR(most.AsY(), most.AsY(), most.AsY())
	q.Load(q.Param("at"), at)
	q.Load(q.Param("taps"), left)
	q.Label("tap")
	q.MOVQ(operand.Mem{Base: at}, offset)
	q.VPMAXUB(operand.Mem{Base: x, Index: offset, Scale: 1}, most, most)
	q.ADDQ(operand.Imm(8), at)
	q.DECQ(left)
	q.JNE(operand.LabelRef("tap"))
	q.VMOVUPS(most, operand.Mem{Base: y})
	q.ADDQ(xs, x)
	q.ADDQ(ys, y)
	q.DECQ(pixels)
	q.JNE(operand.LabelRef("pixel"))
	q.VZEROUPPER()
	q.RET()
}

// columns emits the kernels of 3×3 filters of one channel for 64 channels: of windows one pixel apart,
// which share columns, and of windows further apart. Bytes of three rows are interleaved, so that
// one instruction multiplies a column. What is interleaved and packed again stays in its lane of 128
// bits: vector j has elements 4j to 4j+3 of each 16 channels.
func (q *quant) columns() {
	for _, shared := range []bool{true, false} {
		q.column(map[bool]string{true: "columns", false: "apart"}[shared], shared)
	}
}

// The registers of a column kernel: sums of up to three windows, a column, and what is kept in a row.
const (
	columnAt   = 12
	columnTemp = 16
	columnKept = 20
)

func (q *quant) column(name string, shared bool) {
	q.function(name+q.name, "is a columnFunc.", "func(pixels int, x *uint8, rows *int, pixel, xs int, w *int8, channels, shifts, tail *float32, y *uint8, ys, last int)")
	x, rows, w, channels, y, ys, count := q.arg("x"), q.arg("rows"), q.arg("w"), q.arg("channels"), q.arg("y"), q.arg("ys"), q.arg("pixels")
	step, below, last, at := q.GP64(), q.GP64(), q.GP64(), q.GP64()
	zero, scale, shift, lo, hi := q.regs[columnKept], q.regs[columnKept+1:], q.regs[columnKept+5:], q.regs[columnKept+9], q.regs[columnKept+10]
	q.VPXORD(zero, zero, zero)
	q.Load(q.Param("shifts"), at)
	for j := range 4 {
		q.VMOVUPS(operand.Mem{Base: channels, Disp: (4 + j) * q.size}, scale[j])
		q.VMOVUPS(operand.Mem{Base: at, Disp: 16 * j}, shift[j].AsX())
		for lane := 1; lane < 4; lane++ {
			q.VINSERTF32X4(operand.Imm(uint64(lane)), operand.Mem{Base: at, Disp: lane*q.size + 16*j}, shift[j], shift[j])
		}
	}
	q.tail = q.arg("tail")
	q.all(unsafe.Offsetof(tailFields.Lo), lo)
	q.all(unsafe.Offsetof(tailFields.Hi), hi)
	q.Load(q.Param("last"), last)
	q.MOVQ(operand.I32(-1), at)
	q.BZHIQ(last, at, at)
	q.KMOVQ(at, reg.K1)
	q.MOVQ(operand.Mem{Base: rows, Disp: 8}, below)
	q.MOVQ(operand.Mem{Base: rows, Disp: 16}, last)
	clear := func(window int) {
		for j := range 4 {
			q.VMOVUPS(operand.Mem{Base: channels, Disp: j * q.size}, q.regs[4*window+j])
		}
	}
	if !shared {
		pixel := q.arg("pixel")
		q.Load(q.Param("xs"), step)
		q.Label("pixel")
		clear(0)
		for kx := range 3 {
			from := operand.Mem{Base: x}
			if kx > 0 {
				from.Index, from.Scale = pixel, uint8(kx)
			}
			if kx == 0 {
				q.interleave(x, below, last, zero)
			} else {
				q.LEAQ(from, at)
				q.interleave(at, below, last, zero)
			}
			q.products(w, kx, 0)
		}
		q.columnDone(scale, shift, lo, hi, y)
		q.ADDQ(ys, y)
		q.ADDQ(step, x)
		q.DECQ(count)
		q.JNE(operand.LabelRef("pixel"))
		q.VZEROUPPER()
		q.RET()
		return
	}
	q.Load(q.Param("pixel"), step)
	q.MOVQ(operand.I32(-2), at)
	clear(0)
	clear(1)
	q.Label("column")
	clear(2)
	q.interleave(x, below, last, zero)
	for window := range 3 {
		q.products(w, 2-window, window)
	}
	q.CMPQ(at, operand.Imm(0))
	q.JLT(operand.LabelRef("next"))
	q.columnDone(scale, shift, lo, hi, y)
	q.ADDQ(ys, y)
	q.Label("next")
	for i := range 8 {
		q.VMOVAPS(q.regs[i+4], q.regs[i])
	}
	q.ADDQ(step, x)
	q.INCQ(at)
	q.CMPQ(at, count)
	q.JLT(operand.LabelRef("column"))
	q.VZEROUPPER()
	q.RET()
}

// interleave reads a column of three rows.
func (q *quant) interleave(x, below, last reg.GPVirtual, zero reg.VecPhysical) {
	v, t := q.regs[columnAt:columnAt+4], q.regs[columnTemp:columnTemp+4]
	q.VMOVDQU8(operand.Mem{Base: x}, v[0])
	q.VMOVDQU8(operand.Mem{Base: x, Index: below, Scale: 1}, v[1])
	q.VMOVDQU8(operand.Mem{Base: x, Index: last, Scale: 1}, v[2])
	q.VPUNPCKLBW(v[1], v[0], t[0])
	q.VPUNPCKHBW(v[1], v[0], t[1])
	q.VPUNPCKLBW(zero, v[2], t[2])
	q.VPUNPCKHBW(zero, v[2], t[3])
	q.VPUNPCKLWD(t[2], t[0], v[0])
	q.VPUNPCKHWD(t[2], t[0], v[1])
	q.VPUNPCKLWD(t[3], t[1], v[2])
	q.VPUNPCKHWD(t[3], t[1], v[3])
}

// products adds the products of the column and that of the filter to the sums of a window.
func (q *quant) products(w reg.GPVirtual, kx, window int) {
	for j := range 4 {
		q.VPDPBUSD(operand.Mem{Base: w, Disp: (4*kx + j) * q.size}, q.regs[columnAt+j], q.regs[4*window+j])
	}
}

// columnDone stores the bytes of the first window, whose registers it uses up.
func (q *quant) columnDone(scale, shift []reg.VecPhysical, lo, hi reg.VecPhysical, y reg.GPVirtual) {
	for j, sum := range q.regs[:4] {
		q.VCVTDQ2PS(sum, sum)
		q.VMULPS(scale[j], sum, sum)
		q.VADDPS(shift[j], sum, sum)
		q.VMAXPS(sum, lo, sum)
		q.VMINPS(sum, hi, sum)
		q.VCVTPS2DQ(sum, sum)
	}
	q.VPACKUSDW(q.regs[1], q.regs[0], q.regs[0])
	q.VPACKUSDW(q.regs[3], q.regs[2], q.regs[2])
	q.VPACKUSWB(q.regs[2], q.regs[0], q.regs[0])
	q.VMOVDQU8(q.regs[0], reg.K1, operand.Mem{Base: y})
}
