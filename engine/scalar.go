package engine

import (
	"fmt"
	"math"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

// Fn is a scalar function, applied element by element.
type Fn uint8

// The scalar functions. Floating-point functions follow IEEE 754; comparisons and logic return
// Bool. Max and Min return NaN if either argument is NaN, and treat -0 as less than +0. An engine
// may treat denormals as zeros in arithmetic. Comparisons, Max, Min, ReLUGrad and Select must not,
// so that a condition has one answer, however it is computed, and a maximum is one of its
// arguments. Nor must Log, which is infinite only at 0.
const (
	NoFn Fn = iota

	Copy // the argument, converted to the type of the step
	Neg
	Abs
	Sign // -1, 0 or 1; NaN for NaN
	Exp
	Log
	Log1p
	Expm1
	Sqrt
	Sin
	Cos
	Tanh
	Sigmoid // 1/(1+e^-x), without overflow
	Erf     // the error function, 2/sqrt(pi) times the integral of e^-t^2 from 0 to x
	Floor
	Nearest // the nearest whole number, of two the even one
	Asin
	Acos
	Atan
	Sinh
	Cosh
	Asinh
	Acosh
	Atanh
	Not

	Add
	Sub
	Mul
	Div // for integers: rounded towards zero, and 0 for a divisor of 0
	Rem // what Div rounded towards zero leaves, with the sign of the first argument, which for integers it is itself for a divisor of 0
	Pow // for integers: wrapped around, and 0 where a negative exponent does not give 1 or -1
	Max
	Min
	ReLUGrad // gradient of a rectifier: 0 where its result, the first argument, is at most 0, otherwise the second
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	And
	Or

	// Bits of integers. A shift by more than all bits, or by a negative number, shifts all out;
	// ShiftRight fills with the sign.
	BitAnd
	BitOr
	BitXor
	ShiftLeft
	ShiftRight

	Select // the second argument where the first, a Bool, is true, otherwise the third

	nFn
)

var fns = [nFn]struct {
	name  string
	arity int
}{
	NoFn: {"none", 0},
	Copy: {"copy", 1}, Neg: {"neg", 1}, Abs: {"abs", 1}, Sign: {"sign", 1}, Exp: {"exp", 1}, Log: {"log", 1},
	Log1p: {"log1p", 1}, Expm1: {"expm1", 1}, Sqrt: {"sqrt", 1}, Sin: {"sin", 1}, Cos: {"cos", 1},
	Tanh: {"tanh", 1}, Sigmoid: {"sigmoid", 1}, Erf: {"erf", 1}, Floor: {"floor", 1}, Nearest: {"nearest", 1},
	Asin: {"asin", 1}, Acos: {"acos", 1}, Atan: {"atan", 1}, Sinh: {"sinh", 1}, Cosh: {"cosh", 1},
	Asinh: {"asinh", 1}, Acosh: {"acosh", 1}, Atanh: {"atanh", 1}, Not: {"not", 1},
	Add: {"add", 2}, Sub: {"sub", 2}, Mul: {"mul", 2}, Div: {"div", 2}, Rem: {"rem", 2}, Pow: {"pow", 2}, Max: {"max", 2}, Min: {"min", 2},
	ReLUGrad: {"relugrad", 2}, Eq: {"eq", 2}, Ne: {"ne", 2}, Lt: {"lt", 2}, Le: {"le", 2}, Gt: {"gt", 2}, Ge: {"ge", 2}, And: {"and", 2}, Or: {"or", 2},
	BitAnd: {"bitand", 2}, BitOr: {"bitor", 2}, BitXor: {"bitxor", 2}, ShiftLeft: {"shl", 2}, ShiftRight: {"shr", 2},
	Select: {"select", 3},
}

// String returns the name of the function.
func (f Fn) String() string { return fns[f].name }

// Arity returns the number of arguments.
func (f Fn) Arity() int { return fns[f].arity }

// NumFns is the number of scalar functions, for tables indexed by Fn.
const NumFns = int(nFn)

// Arg is an argument of a step of a [Map]: an input, the result of an earlier step, or a
// number.
type Arg struct {
	kind argKind
	i    int
	imm  uint64
}

type argKind uint8

const (
	noArg argKind = iota
	inArg
	stepArg
	immArg
)

// In returns the argument that is input i, broadcast to the shape of the result.
func In(i int) Arg { return Arg{kind: inArg, i: i} }

// Res returns the argument that is the result of step i.
func Res(i int) Arg { return Arg{kind: stepArg, i: i} }

// Imm returns the argument that is the number v, converted to the type that the step computes in.
func Imm(v float64) Arg { return Arg{kind: immArg, imm: math.Float64bits(v)} }

// Input returns i if a is In(i), or false.
func (a Arg) Input() (int, bool) { return a.i, a.kind == inArg }

// Step returns i if a is Res(i), or false.
func (a Arg) Step() (int, bool) { return a.i, a.kind == stepArg }

// Number returns v if a is Imm(v), or false.
func (a Arg) Number() (float64, bool) { return math.Float64frombits(a.imm), a.kind == immArg }

// String returns "in0", "r1" or a number.
func (a Arg) String() string {
	switch a.kind {
	case inArg:
		return fmt.Sprintf("in%d", a.i)
	case stepArg:
		return fmt.Sprintf("r%d", a.i)
	case immArg:
		v, _ := a.Number()
		return fmt.Sprint(v)
	}
	return "-"
}

// Step is one scalar function of a [Map]. The two arguments of a comparison have the same type. The
// arguments and result of any other function have the same type, except for the condition of Select
// and the argument of Copy. A number takes the type of the other argument.
type Step struct {
	Fn    Fn
	DType shape.DType // of the result
	Args  [3]Arg      // the first Fn.Arity() of them
}

// Map is a straight-line program of scalar functions, applied to every element of broadcast inputs:
// a single elementwise op, or a fused chain. All outputs have the same shape, to which the inputs
// broadcast.
type Map struct {
	Steps []Step
	Outs  []int // the steps whose results are the outputs
}

// MapOf returns the Map of a single function with the given arguments.
func MapOf(f Fn, d shape.DType, args ...Arg) Map {
	s := Step{Fn: f, DType: d}
	copy(s.Args[:], args)
	return Map{Steps: []Step{s}, Outs: []int{0}}
}

// String returns the steps: "r0=mul(in0,2) r1=add(r0,in1) -> r1".
func (m Map) String() string {
	var b strings.Builder
	for i, s := range m.Steps {
		args := make([]string, s.Fn.Arity())
		for j := range args {
			args[j] = s.Args[j].String()
		}
		fmt.Fprintf(&b, "r%d=%v(%s) ", i, s.Fn, strings.Join(args, ","))
	}
	b.WriteString("->")
	for _, o := range m.Outs {
		fmt.Fprintf(&b, " r%d", o)
	}
	return b.String()
}

// Check returns an error if m is not a valid map from inputs to outputs of the given types: steps
// must read existing inputs and earlier steps, outputs must have the types of their steps and the
// same shape, and inputs must broadcast to it. It does not check whether an engine has a kernel for
// each step.
func (m Map) Check(in, out []shape.Type) error {
	for i, s := range m.Steps {
		if s.Fn == NoFn || s.Fn >= nFn {
			return fmt.Errorf("step %d of a map has no function", i)
		}
		for _, a := range s.Args[:s.Fn.Arity()] {
			if !a.within(len(in), i) {
				return fmt.Errorf("map %v: step %d cannot read %v", m, i, a)
			}
		}
	}
	if len(out) == 0 || len(out) != len(m.Outs) {
		return fmt.Errorf("map %v has %d outputs, %d types were given", m, len(m.Outs), len(out))
	}
	for o, t := range out {
		if s := m.Outs[o]; s < 0 || s >= len(m.Steps) || m.Steps[s].DType != t.DType || t.Shape != out[0].Shape {
			return fmt.Errorf("map %v cannot return output %d as %v", m, o, t)
		}
	}
	for _, t := range in {
		if s, err := shape.Broadcast(t.Shape, out[0].Shape); err != nil || s != out[0].Shape {
			return fmt.Errorf("map %v: input %v does not broadcast to %v", m, t, out[0].Shape)
		}
	}
	return nil
}

// within reports whether a is a number, an existing input, or the result of an earlier step.
func (a Arg) within(inputs, steps int) bool {
	switch a.kind {
	case inArg:
		return 0 <= a.i && a.i < inputs
	case stepArg:
		return 0 <= a.i && a.i < steps
	}
	return a.kind == immArg
}

// ArgType returns the element type of argument a of step s, for inputs of the given types. For a
// number it is the type that the step computes in.
func (m Map) ArgType(s Step, a Arg, in []shape.Type) shape.DType {
	if i, ok := a.Input(); ok {
		return in[i].DType
	}
	if i, ok := a.Step(); ok {
		return m.Steps[i].DType
	}
	return m.ComputeType(s, in)
}

// ComputeType returns the element type that s computes in: for a comparison that of its arguments,
// otherwise that of the result.
func (m Map) ComputeType(s Step, in []shape.Type) shape.DType {
	if s.Fn < Eq || s.Fn > Ge {
		return s.DType
	}
	for _, a := range s.Args[:2] {
		if _, imm := a.Number(); !imm {
			return m.ArgType(s, a, in)
		}
	}
	return shape.Float64
}

// A Mapper binds maps. in are the types of the inputs, out those of the outputs.
type Mapper interface {
	BindMap(m Map, in, out []Operand) (Bound, error)
}
