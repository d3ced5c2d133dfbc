package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// The functions here build files.

// model is a file with nodes in opset 18.
func model(nodes []*ir.Node, inputs, outputs []ir.ValueInfo, initializers ...*ir.Tensor) *ir.Model {
	return &ir.Model{Opsets: []ir.Opset{{Version: 18}}, Graph: &ir.Graph{Nodes: nodes, Inputs: inputs, Outputs: outputs, Initializers: initializers}}
}

func node(op string, inputs []string, output string, attributes ...ir.Attribute) *ir.Node {
	return &ir.Node{Name: op + "_" + output, Op: op, Inputs: inputs, Outputs: []string{output}, Attributes: attributes}
}

func in(names ...string) []string { return names }

func intAttr(name string, v int64) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeInt, Int: v}
}

// info describes an input or output; extents are numbers or names.
func info(name string, elem ir.DataType, dims ...any) ir.ValueInfo {
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

// out is an output of which nothing is stated.
func out(names ...string) (list []ir.ValueInfo) {
	for _, n := range names {
		list = append(list, ir.ValueInfo{Name: n})
	}
	return list
}

func inputs(list ...ir.ValueInfo) []ir.ValueInfo { return list }

func floatInit(name string, dims []int64, v ...float32) *ir.Tensor {
	return &ir.Tensor{Name: name, Type: ir.Float, Dims: dims, Floats: v}
}

func intInit(name string, v ...int64) *ir.Tensor {
	return &ir.Tensor{Name: name, Type: ir.Int64, Dims: []int64{int64(len(v))}, Int64s: v}
}

func read(t testing.TB, m *ir.Model, opts ...onnx.Options) *onnx.Model {
	t.Helper()
	var o onnx.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	model, err := onnx.Read(m.Marshal(), o)
	require.NoError(t, err)
	return model
}

func session(t testing.TB, m *ir.Model) *onnx.Session {
	t.Helper()
	s, err := read(t, m).NewSession(cpu.New(), nil)
	require.NoError(t, err)
	return s
}

// run runs a file that gives one output, y.
func run(t testing.TB, m *ir.Model, inputs map[string]*onnx.Tensor) *onnx.Tensor {
	t.Helper()
	outs, err := session(t, m).Run(t.Context(), inputs)
	require.NoError(t, err)
	return outs["y"]
}

func floats(dims []int, v ...float32) *onnx.Tensor {
	return &onnx.Tensor{Type: ir.Float, Dims: dims, Data: v}
}

func ints(v ...int64) *onnx.Tensor {
	return &onnx.Tensor{Type: ir.Int64, Dims: []int{len(v)}, Data: v}
}
