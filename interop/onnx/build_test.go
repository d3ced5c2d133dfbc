package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
)

// The functions here build files.

// model is a file with nodes in opset 18.
func model(nodes []*ir.Node, inputs, outputs []ir.ValueInfo, initializers ...*ir.Tensor) *ir.Model {
	return irtest.Model(&ir.Graph{Nodes: nodes, Inputs: inputs, Outputs: outputs, Initializers: initializers})
}

func node(op string, inputs []string, output string, attributes ...ir.Attribute) *ir.Node {
	return irtest.Node(op, inputs, []string{output}, attributes...)
}

var (
	in, info, out, inputs = irtest.Names, irtest.Info, irtest.Untyped, irtest.Infos
	intAttr               = irtest.Int
	floatInit, intInit    = irtest.Floats, irtest.Int64s
)

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
