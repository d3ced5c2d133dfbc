package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// target is one instruction set. Its methods emit what AVX2 and AVX-512 write differently,
// for elements of elem bytes, so that one description of a kernel serves both.
type target struct {
	*build.Context
	name string            // suffix of function names
	size int               // bytes in a vector
	elem int               // bytes in an element: 4 or 8
	regs []reg.VecPhysical // all vector registers
	mask maskKind

	flushing  operand.Mem            // MXCSR with denormals flushed
	constants map[string]operand.Mem // vectors full of one value
	lanes     operand.Mem            // AVX2: ones, then zeros: a sliding window of masks
}

type maskKind int

const (
	opmask  maskKind = iota // K1
	vecmask                 // the last vector register
)

func avx2(c *build.Context) *target {
	t := &target{Context: c, name: "AVX2", size: 32, elem: 4, mask: vecmask, constants: map[string]operand.Mem{}}
	t.regs = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
	t.lanes = t.data("lanes", append(repeat(8, ^uint32(0)), repeat(8, 0)...))
	t.flushing = t.data("flushing", []uint32{mxcsr})
	return t
}

func avx512(c *build.Context) *target {
	t := &target{Context: c, name: "AVX512", size: 64, elem: 4, mask: opmask, constants: map[string]operand.Mem{}}
	t.regs = []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	t.flushing = t.data("flushing", []uint32{mxcsr})
	return t
}

// mxcsr masks all exceptions, rounds to nearest, flushes denormal results (bit 15) and reads
// denormal operands as zero (bit 6).
const mxcsr = 0x1f80 | 1<<15 | 1<<6

func repeat(n int, v uint32) []uint32 {
	vs := make([]uint32, n)
	for i := range vs {
		vs[i] = v
	}
	return vs
}

// level is what the room's table of kernels is called.
func (t *target) level() string { return strings.ToLower(t.name) }

// data adds a read-only table. Names are local to a file.
func (t *target) data(name string, words []uint32) operand.Mem {
	m := t.StaticGlobal(name)
	t.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, w := range words {
		t.AddDatum(4*i, operand.U32(w))
	}
	return m
}

// table is data, once in a file.
func (t *target) table(name string, words []uint32) operand.Mem {
	if m, ok := t.constants[name]; ok {
		return m
	}
	t.constants[name] = t.data(name, words)
	return t.constants[name]
}

// width is the number of elements in a vector.
func (t *target) width() int { return t.size / t.elem }

// goType is the element type.
func (t *target) goType() string { return fmt.Sprintf("float%d", 8*t.elem) }

// begin starts a function. Denormals are flushed until end.
func (t *target) begin(name, doc, params string, results ...string) {
	t.declare(name, doc, params, results...)
	t.LDMXCSR(t.flushing)
}

// declare starts a function that sees denormals as they are. The result csr, which callers ignore,
// keeps the caller's MXCSR.
func (t *target) declare(name, doc, params string, results ...string) {
	t.function(name, doc, "func("+params+") ("+strings.Join(append([]string{"csr uint32"}, results...), ", ")+")")
	t.STMXCSR(t.address(t.Return("csr")))
}

// function starts a function.
func (t *target) function(name, doc, signature string) {
	t.Function(name)
	t.Doc(name + " " + doc)
	t.Attributes(attr.NOSPLIT)
	t.Pragma("noescape")
	t.SignatureExpr(signature)
}

func (t *target) end() {
	t.LDMXCSR(t.address(t.Return("csr")))
	t.VZEROUPPER()
	t.RET()
}

// param is the memory of the argument of that name, and result that of the result.
func (t *target) param(name string) operand.Mem { return t.address(t.Param(name)) }

func (t *target) address(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err) // a name misspelt in this program
	}
	return b.Addr
}

// arg loads the argument of that name.
func (t *target) arg(name string) reg.GPVirtual {
	r := t.GP64()
	t.Load(t.Param(name), r)
	return r
}

// ps picks the instruction of the element type.
func (t *target) ps(single, double func(...operand.Op)) func(...operand.Op) {
	if t.elem == 4 {
		return single
	}
	return double
}

func (t *target) add(a, b, d operand.Op) { t.ps(t.VADDPS, t.VADDPD)(a, b, d) }
func (t *target) max(a, b, d operand.Op) { t.ps(t.VMAXPS, t.VMAXPD)(a, b, d) }
func (t *target) min(a, b, d operand.Op) { t.ps(t.VMINPS, t.VMINPD)(a, b, d) }

// fma adds a*b to d.
func (t *target) fma(a, b, d operand.Op) { t.ps(t.VFMADD231PS, t.VFMADD231PD)(a, b, d) }

// fmaOf is fma by one element in memory; only of AVX-512.
func (t *target) fmaOf(m operand.Mem, b, d operand.Op) {
	t.ps(t.VFMADD231PS_BCST, t.VFMADD231PD_BCST)(m, b, d)
}

func (t *target) zero(r reg.Register) { t.VXORPS(r, r, r) }

func (t *target) broadcast(m operand.Mem, d reg.Register) {
	t.ps(t.VBROADCASTSS, t.VBROADCASTSD)(m, d)
}

// maskReg is the register that setMask fills.
func (t *target) maskReg() reg.Register {
	if t.mask == opmask {
		return reg.K1
	}
	return t.regs[len(t.regs)-1]
}

// setMask selects the first n lanes, 1 <= n <= width.
func (t *target) setMask(n reg.GPVirtual) {
	r := t.GP64()
	if t.mask == opmask {
		t.MOVQ(operand.I32(-1), r)
		t.BZHIQ(n, r, r)
		t.KMOVW(r.As32(), reg.K1)
		return
	}
	base := t.GP64()
	t.LEAQ(t.lanes.Offset(32), base)
	t.MOVQ(n, r)
	t.NEGQ(r)
	t.VMOVUPS(operand.Mem{Base: base, Index: r, Scale: uint8(t.elem)}, t.maskReg())
}

// load reads a vector; the lanes that a mask leaves out are 0 and are not touched in memory.
func (t *target) load(m operand.Mem, d reg.Register, masked bool) {
	switch {
	case !masked:
		t.VMOVUPS(m, d)
	case t.mask == opmask:
		t.ps(t.VMOVUPS_Z3, t.VMOVUPD_Z3)(m, reg.K1, d)
	default:
		t.ps(t.VMASKMOVPS3, t.VMASKMOVPD3)(m, t.maskReg(), d)
	}
}

// store writes a vector, or the lanes that the mask selects.
func (t *target) store(s reg.Register, m operand.Mem, masked bool) {
	switch {
	case !masked:
		t.VMOVUPS(s, m)
	case t.mask == opmask:
		t.ps(t.VMOVUPS, t.VMOVUPD)(s, reg.K1, m)
	default:
		t.ps(t.VMASKMOVPS3, t.VMASKMOVPD3)(s, t.maskReg(), m)
	}
}

// The instructions of three operands, as functions of any number.

func (t *target) VMOVUPS_Z3(o ...operand.Op)  { t.VMOVUPS_Z(o[0], o[1], o[2]) }
func (t *target) VMOVUPD_Z3(o ...operand.Op)  { t.VMOVUPD_Z(o[0], o[1], o[2]) }
func (t *target) VMASKMOVPS3(o ...operand.Op) { t.VMASKMOVPS(o[0], o[1], o[2]) }
func (t *target) VMASKMOVPD3(o ...operand.Op) { t.VMASKMOVPD(o[0], o[1], o[2]) }
