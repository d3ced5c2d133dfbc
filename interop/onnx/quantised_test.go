package onnx

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// quantisedLayer is a convolution or product between QuantizeLinear and DequantizeLinear, with drawn numbers. Each
// channel of the weights has the code 127 if whole is set.
func quantisedLayer(r *rand.Rand, product, signed, whole bool) (g *ir.Graph, dims []int) {
	inputs, outputs := 3+r.IntN(9), 2+r.IntN(20)
	wDims := []int64{int64(outputs), int64(inputs), 3, 3}
	open := []ir.Dim{{Param: "n"}, {Value: int64(inputs), HasValue: true}, {Value: 7, HasValue: true}, {Value: 6, HasValue: true}}
	dims = []int{2, inputs, 7, 6}
	layer := nodeOf("Conv", names("x'", "w'", "b'"), names("y"))
	if product {
		wDims, open, dims = wDims[:2], open[:2], dims[:2]
		layer = nodeOf("Gemm", names("x'", "w'", "b'"), names("y"), ir.Attribute{Name: "transB", Type: ir.AttributeInt, Int: 1})
	}
	each := 1
	for _, d := range wDims[1:] {
		each *= int(d)
	}
	w, b := &ir.Tensor{Name: "w", Type: ir.Int8, Dims: wDims}, &ir.Tensor{Name: "b", Type: ir.Int32, Dims: wDims[:1]}
	ws, bs := &ir.Tensor{Name: "ws", Type: ir.Float, Dims: wDims[:1]}, &ir.Tensor{Name: "bs", Type: ir.Float, Dims: wDims[:1]}
	scale := float32(.01 + .05*r.Float64())
	for range outputs {
		for i := range each {
			code := int32(r.IntN(200) - 100)
			if i == 0 && whole {
				code = 127
			}
			w.Int32s = append(w.Int32s, code)
		}
		s := float32(.001 + .01*r.Float64())
		b.Int32s, ws.Floats, bs.Floats = append(b.Int32s, int32(r.IntN(2000)-1000)), append(ws.Floats, s), append(bs.Floats, s*scale)
	}
	zero := &ir.Tensor{Name: "z", Type: ir.Uint8, Int32s: []int32{int32(r.IntN(256))}}
	if signed {
		zero = &ir.Tensor{Name: "z", Type: ir.Int8, Int32s: []int32{int32(r.IntN(256) - 128)}}
	}
	axis := ir.Attribute{Name: "axis", Type: ir.AttributeInt}
	return &ir.Graph{
		Nodes: []*ir.Node{
			nodeOf("QuantizeLinear", names("x", "s", "z"), names("q")), nodeOf("DequantizeLinear", names("q", "s", "z"), names("x'")),
			nodeOf("DequantizeLinear", names("w", "ws"), names("w'"), axis), nodeOf("DequantizeLinear", names("b", "bs"), names("b'"), axis), layer,
		},
		Inputs: infos(ir.Float, open, "x"), Outputs: untyped("y"),
		Initializers: []*ir.Tensor{w, b, ws, bs, zero, {Name: "s", Type: ir.Float, Floats: []float32{scale}}},
	}, dims
}

// computesIntegers reports whether a program of the session has kernels of 8-bit integers.
func computesIntegers(t *testing.T, s *Session) (found bool) {
	for _, st := range s.stages {
		if st.program == nil {
			continue
		}
		list, err := st.program.Describe(1)
		require.NoError(t, err)
		for _, in := range list {
			found = found || strings.Contains(in.Name, "Quant")
		}
	}
	return found
}

// Layers in 8-bit integers give what the numbers that they stand for give in float32.
func TestQuantisedLayersComputeIntegers(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		whole := r.IntN(4) > 0
		file, dims := quantisedLayer(r, r.IntN(2) == 0, r.IntN(2) == 0, whole)
		s := sessionOf(t, file)
		n := 1
		for _, d := range dims {
			n *= d
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(3 * r.NormFloat64())
		}
		got, err := s.Run(t.Context(), map[string]*Tensor{"x": {Type: ir.Float, Dims: dims, Data: x}})
		require.NoError(t, err)
		require.Equal(t, whole, computesIntegers(t, s), "weights that 8-bit integers hold")

		g := graph.New()
		outs, err := s.m.Apply(nn.Root(g), g.Input("x", shape.Type{DType: shape.Float32, Shape: shape.OfInts(dims...)}))
		require.NoError(t, err)
		p, err := vm.Compile(ref.Engine{}, graph.Inference(outs...))
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		want, err := m.Run(context.Background(), tensor.New(tensor.WithShape(dims...), tensor.WithBacking(x)))
		require.NoError(t, err)
		largest := 0.
		numbers := engine.Floats(engine.BufferOfDense(want[0]))
		for _, v := range numbers {
			largest = max(largest, math.Abs(v))
		}
		for i, v := range got["y"].Data.([]float32) {
			require.InDelta(t, numbers[i], v, 1e-5*largest)
		}
	}
}
