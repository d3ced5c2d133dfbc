package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// exportFns are the operators that are a scalar function.
var exportFns = map[engine.Fn]string{
	engine.Neg: "Neg", engine.Abs: "Abs", engine.Sign: "Sign", engine.Exp: "Exp", engine.Log: "Log", engine.Sqrt: "Sqrt", engine.Sin: "Sin",
	engine.Cos: "Cos", engine.Tanh: "Tanh", engine.Sigmoid: "Sigmoid", engine.Erf: "Erf", engine.Floor: "Floor", engine.Not: "Not",
	engine.Add: "Add", engine.Sub: "Sub", engine.Mul: "Mul", engine.Div: "Div", engine.Pow: "Pow", engine.Max: "Max", engine.Min: "Min",
	engine.Eq: "Equal", engine.Lt: "Less", engine.Le: "LessOrEqual", engine.Gt: "Greater", engine.Ge: "GreaterOrEqual",
	engine.And: "And", engine.Or: "Or", engine.Select: "Where", engine.Nearest: "Round", engine.Asin: "Asin", engine.Acos: "Acos", engine.Atan: "Atan",
	engine.Sinh: "Sinh", engine.Cosh: "Cosh", engine.Asinh: "Asinh", engine.Acosh: "Acosh", engine.Atanh: "Atanh",
	engine.BitAnd: "BitwiseAnd", engine.BitOr: "BitwiseOr", engine.BitXor: "BitwiseXor",
}

// exportMap is a map while it is exported: types of the inputs, and what its steps are called.
type exportMap struct {
	*exporter
	engine.Map
	types []shape.Type
	ins   []string
	steps []string
}

// elementwise exports a map as an operator for each step.
func (x *exporter) elementwise(m engine.Map, in []shape.Type, out shape.Type) error {
	if err := m.Check(in, []shape.Type{out}); err != nil {
		return err
	}
	e := exportMap{exporter: x, Map: m, types: in}
	var s shape.Shape // that operators give
	e.ins, s = x.operands()
	if lo, hi, ok := clipped(m); ok {
		d := out.DType
		x.give(x.expand(x.op("Clip", nil, e.ins[0], x.scalar(d, lo), x.scalar(d, hi)), s, x.node.Type().Shape))
		return nil
	}
	for _, s := range m.Steps {
		e.steps = append(e.steps, e.step(s))
	}
	x.give(x.expand(e.steps[m.Outs[0]], s, x.node.Type().Shape))
	return nil
}

// clipped returns the bounds of a map that is min(max(x, lo), hi).
func clipped(m engine.Map) (lo, hi float64, ok bool) {
	if len(m.Steps) != 2 || len(m.Outs) != 1 || m.Outs[0] != 1 || m.Steps[0].Fn != engine.Max || m.Steps[1].Fn != engine.Min {
		return 0, 0, false
	}
	input, ofInput := m.Steps[0].Args[0].Input()
	step, ofStep := m.Steps[1].Args[0].Step()
	lo, known := m.Steps[0].Args[1].Number()
	hi, both := m.Steps[1].Args[1].Number()
	return lo, hi, ofInput && ofStep && known && both && input == 0 && step == 0 && lo <= hi
}

// operands returns the names of the inputs of an elementwise op, scalars for those that have one number
// for all elements, and the shape that they broadcast to.
func (x *exporter) operands() (names []string, s shape.Shape) {
	for _, n := range x.node.Ins() {
		if name := x.uniform[n]; name != "" {
			names = append(names, name)
			continue
		}
		names = append(names, x.valueOf(n))
		s, _ = shape.Broadcast(s, n.Type().Shape)
	}
	return names, s
}

func (e *exportMap) step(s engine.Step) string {
	args := make([]string, s.Fn.Arity())
	for i, a := range s.Args[:len(args)] {
		args[i] = e.arg(s, a)
	}
	one := func() string { return e.scalar(s.DType, 1) }
	switch s.Fn {
	case engine.Copy:
		if e.ArgType(s, s.Args[0], e.types) == s.DType {
			return e.op("Identity", nil, args...)
		}
		return e.cast(args[0], s.DType)
	case engine.Log1p:
		return e.op("Log", nil, e.op("Add", nil, args[0], one()))
	case engine.Expm1:
		return e.op("Sub", nil, e.op("Exp", nil, args[0]), one())
	case engine.Rem:
		return e.op("Mod", attrs(attrInt("fmod", 1)), args...)
	case engine.Ne:
		return e.op("Not", nil, e.op("Equal", nil, args...))
	case engine.ReLUGrad:
		zero := e.scalar(s.DType, 0)
		return e.op("Where", nil, e.op("LessOrEqual", nil, args[0], zero), zero, args[1])
	case engine.Max:
		if v, ok := s.Args[1].Number(); ok && v == 0 && s.DType.IsFloat() {
			return e.op("Relu", nil, args[0])
		}
	}
	op, ok := exportFns[s.Fn]
	if !ok {
		refuse("there is no operator for %v", s.Fn)
	}
	return e.op(op, nil, args...)
}

func (e *exportMap) arg(s engine.Step, a engine.Arg) string {
	if i, ok := a.Input(); ok {
		return e.ins[i]
	}
	if i, ok := a.Step(); ok {
		return e.steps[i]
	}
	v, _ := a.Number()
	return e.scalar(e.numberType(s), v)
}

// numberType is the type of a number among the arguments of s: that of the others, if there are some.
func (e *exportMap) numberType(s engine.Step) shape.DType {
	if s.Fn == engine.Copy {
		return shape.Float64
	}
	return e.ComputeType(s, e.types)
}

// batchNorm exports n as a BatchNormalization, and reports whether n is one: the form that
// [ops.BatchNorm] has in inference.
func (x *exporter) batchNorm(n *graph.Node) bool {
	sum := match(n, "Add", 2)
	if sum == nil {
		return false
	}
	product, shift := match(sum[0], "Mul", 2), channelsOf(sum[1])
	if product == nil || shift == nil {
		return false
	}
	scale := channelsOf(product[1])
	over, under := match(scale, "Div", 2), match(shift, "Sub", 2)
	if over == nil || under == nil {
		return false
	}
	moved := match(under[1], "Mul", 2)
	root := match(over[1], "Sqrt", 1)
	if moved == nil || root == nil || moved[1] != scale {
		return false
	}
	widened := match(root[0], "Add", 2)
	if widened == nil {
		return false
	}
	in := []*graph.Node{product[0], over[0], under[0], moved[0], widened[0]}
	eps, ok := widened[1].Op().(engine.UniformOp)
	if !ok || slices.ContainsFunc(in[1:], func(n *graph.Node) bool { return n.Type() != in[1].Type() || n.Type().Rank() != 1 }) ||
		in[0].Type() != n.Type() || n.Type().Rank() < 2 {
		return false
	}
	names := make([]string, len(in))
	for i, v := range in {
		names[i] = x.valueOf(v)
	}
	x.give(x.op("BatchNormalization", attrs(attrFloat("epsilon", eps.Uniform(nil, widened[1].Type()))), names...))
	return true
}

// match returns the inputs of n if it is computed by the elementwise op of that name.
func match(n *graph.Node, name string, ins int) []*graph.Node {
	if n == nil || n.Kind() != graph.Computed || n.NIn() != ins || n.Op().Name() != name {
		return nil
	}
	if _, ok := n.Op().(engine.ElementwiseOp); !ok {
		return nil
	}
	return n.Ins()
}

// channelsOf returns the node of one number for each channel that n is a reshape of, to (C,1,...), or n if
// it has one axis.
func channelsOf(n *graph.Node) *graph.Node {
	if n.Type().Rank() == 1 {
		return n
	}
	if n.Kind() != graph.Computed || n.NIn() != 1 || n.In(0).Type().Rank() != 1 {
		return nil
	}
	if _, ok := n.Op().(interface{ Aliases() }); !ok || n.Type().Dim(0) != n.In(0).Type().Dim(0) && n.Type().Dim(1) != n.In(0).Type().Dim(0) {
		return nil
	}
	return n.In(0)
}
