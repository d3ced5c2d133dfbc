package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// FuzzApply holds that no file makes the importer panic, or take much memory or time.
func FuzzApply(f *testing.F) {
	for _, m := range []*ir.Model{linear(), flattening(), reshapes(), calls(2)} {
		f.Add(m.Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := onnx.Read(b, onnx.Options{})
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		_ = m.Missing()
		g := graph.New()
		var in []*graph.Node
		for _, i := range m.Inputs() {
			in = append(in, g.Input("fuzz."+i.Name, typeOf(i)))
		}
		if outs, err := m.Apply(nn.Root(g), in...); err == nil {
			for _, o := range outs {
				require.True(t, o.Valid())
			}
			return
		}
	})
}

// typeOf is a type that an input may have.
func typeOf(in onnx.Input) shape.Type {
	types := map[ir.DataType]shape.DType{ir.Float: shape.Float32, ir.Double: shape.Float64, ir.Int64: shape.Int64, ir.Int32: shape.Int32, ir.Bool: shape.Bool, ir.Uint8: shape.Uint8}
	t := shape.Make(types[in.Type])
	for i, d := range in.Dims[:min(len(in.Dims), shape.MaxRank)] {
		n := shape.N
		if d.Size >= 0 {
			n = shape.Dim(d.Size)
		}
		t.Shape = t.Insert(i, n)
	}
	return t
}
