package main

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// computedIn has the types in which inputs of a file are computed.
var computedIn = map[ir.DataType]shape.DType{
	ir.Float: shape.Float32, ir.Float16: shape.Float32, ir.BFloat16: shape.Float32, ir.Double: shape.Float64,
	ir.Int32: shape.Int32, ir.Int64: shape.Int64, ir.Uint8: shape.Uint8, ir.Bool: shape.Bool,
}

// onnxGraph builds the inference graph of a file. Where first extents are open they are N, and the other
// open extents are those of dims.
func onnxGraph(path string, dims named) (b built, err error) {
	m, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return b, err
	}
	seed := uint64(0)
	ins := m.Inputs()
	sizes := map[string]int{}
	for _, in := range ins {
		if len(in.Dims) > 0 && in.Dims[0].Size < 0 { // is replaced by N below
			sizes[extentName(in, 0)] = 1
		}
	}
	shapes, err := onnxInputs{dims: dims, seed: &seed}.shapes(ins, sizes)
	if err != nil {
		return b, err
	}
	g := graph.New()
	var nodes []*graph.Node
	for i, in := range ins {
		d, ok := computedIn[in.Type]
		if !ok {
			return b, fmt.Errorf("input %v: elements of that type are not taken here", in)
		}
		s := shape.OfInts(shapes[i]...)
		for k, dim := range in.Dims {
			if _, open := sizes[extentName(in, k)]; open && dim.Size < 0 && dims[extentName(in, k)] == "" {
				s = s.With(k, shape.N)
			}
		}
		nodes = append(nodes, g.Input(in.Name, shape.Type{DType: d, Shape: s}))
	}
	outs, err := m.Apply(nn.Root(g), nodes...)
	if err != nil {
		return b, err
	}
	return built{outs: graph.Inference(outs...)}, nil
}
