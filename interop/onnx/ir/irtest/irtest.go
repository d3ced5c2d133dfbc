package irtest

import "github.com/plexaura/plexaura/interop/onnx/ir"

// Opset is the version of the operators of models made by [Model].
const Opset = 18

// Model is a file of a graph, in opset [Opset] and version 1 of the other domains.
func Model(g *ir.Graph, domains ...string) *ir.Model {
	if g.Name == "" {
		g.Name = "test" // without one, checkers refuse a file
	}
	m := &ir.Model{IRVersion: 8, Opsets: []ir.Opset{{Version: Opset}}, Graph: g}
	for _, d := range domains {
		m.Opsets = append(m.Opsets, ir.Opset{Domain: d, Version: 1})
	}
	return m
}

// Node is a node that is called after its operator and its first output.
func Node(op string, inputs, outputs []string, attributes ...ir.Attribute) *ir.Node {
	return &ir.Node{Name: op + "_" + outputs[0], Op: op, Inputs: inputs, Outputs: outputs, Attributes: attributes}
}

// Names is a list of names.
func Names(list ...string) []string { return list }

// Info describes an input or output, whose extents are numbers or names.
func Info(name string, elem ir.DataType, dims ...any) ir.ValueInfo {
	s := &ir.Shape{}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			s.Dims = append(s.Dims, ir.Dim{Value: int64(d), HasValue: true})
		case string:
			s.Dims = append(s.Dims, ir.Dim{Param: d})
		}
	}
	return ir.ValueInfo{Name: name, Type: &ir.Type{Kind: ir.TensorKind, Elem: elem, Shape: s}}
}

// Infos is a list of inputs or outputs.
func Infos(list ...ir.ValueInfo) []ir.ValueInfo { return list }

// Untyped are outputs of which nothing is stated.
func Untyped(names ...string) (list []ir.ValueInfo) {
	for _, n := range names {
		list = append(list, ir.ValueInfo{Name: n})
	}
	return list
}

// Int is an attribute.
func Int(name string, v int64) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeInt, Int: v}
}

// Ints is an attribute.
func Ints(name string, v ...int64) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeInts, Ints: v}
}

// Graph is an attribute.
func Graph(name string, g *ir.Graph) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeGraph, Graph: g}
}

// Floats is an initialiser.
func Floats(name string, dims []int64, v ...float32) *ir.Tensor {
	return &ir.Tensor{Name: name, Type: ir.Float, Dims: dims, Floats: v}
}

// Codes is an initialiser of 8-bit integers.
func Codes(name string, elem ir.DataType, dims []int64, v ...int32) *ir.Tensor {
	return &ir.Tensor{Name: name, Type: elem, Dims: dims, Int32s: v}
}

// Int64s is an initialiser along one axis.
func Int64s(name string, v ...int64) *ir.Tensor {
	return &ir.Tensor{Name: name, Type: ir.Int64, Dims: []int64{int64(len(v))}, Int64s: v}
}
