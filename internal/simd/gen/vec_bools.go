package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// bools writes the kernels between float32 and Bool, which is a byte of 0 or 1. They compute
// nothing that denormals could slow down, and see them as they are. It returns their names by
// field.
func bools(t *target) (fields []string) {
	for _, c := range []struct {
		name, doc string
		predicate uint64
	}{{"equal", "==", 0x00}, {"notEqual", "!=", 0x04}, {"less", "<", 0x11}, {"lessEqual", "<=", 0x12}} {
		t.stepping(c.name, "sets dst to x "+c.doc+" y.", "n int, dst *bool, x, y *float32", func(ptr []reg.Register) {
			t.compare(c.predicate, ptr[0], ptr[1], ptr[2])
		}, "dst", "x", "y")
		fields = append(fields, c.name)
	}
	t.stepping("choose", "sets dst to x where cond holds, else to y.", "n int, dst *float32, cond *bool, x, y *float32", func(ptr []reg.Register) {
		t.choose(ptr[0], ptr[1], ptr[2], ptr[3])
	}, "dst", "cond", "x", "y")
	t.stepping("ones", "sets dst to 1 where cond holds, else to 0.", "n int, dst *float32, cond *bool", func(ptr []reg.Register) {
		for i := 0; i < abi.BoolStep; i += t.width() {
			v := t.regs[0]
			t.VPMOVZXBD(operand.Mem{Base: ptr[1], Disp: i}, v)
			t.VCVTDQ2PS(v, v)
			t.VMOVUPS(v, operand.Mem{Base: ptr[0], Disp: 4 * i})
		}
	}, "dst", "cond")
	return append(fields, "choose", "ones")
}

// stepping writes a kernel that does abi.BoolStep elements a turn, n being a multiple of that.
func (t *target) stepping(name, doc, params string, turn func(ptr []reg.Register), pointers ...string) {
	t.Function(name + t.name)
	t.Doc(fmt.Sprintf("%s%s %s n is a multiple of %d.", name, t.name, doc, abi.BoolStep))
	t.Attributes(attr.NOSPLIT)
	t.Pragma("noescape")
	t.SignatureExpr("func(" + params + ")")
	n := t.arg("n")
	var ptr []reg.Register
	bytes := map[string]int{"dst": 4, "x": 4, "y": 4, "cond": 1}
	if len(pointers) == 3 {
		bytes["dst"] = 1
	}
	for _, p := range pointers {
		ptr = append(ptr, t.arg(p))
	}
	t.Label("turn")
	t.CMPQ(n, operand.U32(abi.BoolStep))
	t.JL(operand.LabelRef("done"))
	turn(ptr)
	for i, p := range pointers {
		t.ADDQ(operand.U32(uint32(abi.BoolStep*bytes[p])), ptr[i])
	}
	t.SUBQ(operand.U32(abi.BoolStep), n)
	t.JMP(operand.LabelRef("turn"))
	t.Label("done")
	t.VZEROUPPER()
	t.RET()
}

func (t *target) compare(predicate uint64, dst, x, y reg.Register) {
	ones := t.bytes()
	if t.mask == opmask {
		for i := 0; i < abi.BoolStep; i += t.width() {
			t.VMOVUPS(operand.Mem{Base: x, Disp: 4 * i}, reg.Z0)
			t.VCMPPS(operand.Imm(predicate), operand.Mem{Base: y, Disp: 4 * i}, reg.Z0, reg.K2)
			t.VMOVDQU8_Z(ones, reg.K2, reg.X1)
			t.VMOVDQU8(reg.X1, operand.Mem{Base: dst, Disp: i})
		}
		return
	}
	for i := range 4 {
		t.VMOVUPS(operand.Mem{Base: x, Disp: 32 * i}, t.regs[i])
		t.VCMPPS(operand.Imm(predicate), operand.Mem{Base: y, Disp: 32 * i}, t.regs[i], t.regs[i])
	}
	// Packing goes half by half; what results is put in order at the end.
	t.VPACKSSDW(reg.Y1, reg.Y0, reg.Y0)
	t.VPACKSSDW(reg.Y3, reg.Y2, reg.Y2)
	t.VPACKSSWB(reg.Y2, reg.Y0, reg.Y0)
	t.VMOVDQU(t.table("halves", []uint32{0, 4, 1, 5, 2, 6, 3, 7}), reg.Y1)
	t.VPERMD(reg.Y0, reg.Y1, reg.Y0)
	t.VPAND(ones, reg.Y0, reg.Y0)
	t.VMOVDQU(reg.Y0, operand.Mem{Base: dst})
}

func (t *target) choose(dst, cond, x, y reg.Register) {
	for i := 0; i < abi.BoolStep; i += t.width() {
		c, v := t.regs[0], t.regs[1]
		t.VPMOVZXBD(operand.Mem{Base: cond, Disp: i}, c)
		t.VMOVUPS(operand.Mem{Base: y, Disp: 4 * i}, v)
		if t.mask == opmask {
			t.VPTESTMD(c, c, reg.K2)
			t.VMOVUPS(operand.Mem{Base: x, Disp: 4 * i}, reg.K2, v)
		} else {
			t.VPSLLD(operand.Imm(31), c, c)
			t.VBLENDVPS(c, operand.Mem{Base: x, Disp: 4 * i}, v, v)
		}
		t.VMOVUPS(v, operand.Mem{Base: dst, Disp: 4 * i})
	}
}

// bytes is a vector of 32 bytes of 1.
func (t *target) bytes() operand.Mem { return t.table("bytes", repeat(8, 0x01010101)) }
