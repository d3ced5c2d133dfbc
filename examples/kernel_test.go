package examples_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// CumSum is the running sum along the last axis, from the end where Reverse is set.
type CumSum struct{ Reverse bool }

func (CumSum) Name() string { return "CumSum" }

func (CumSum) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 || !in[0].IsFloat() || in[0].Rank() == 0 {
		return shape.Type{}, fmt.Errorf("want one float32 or float64 with an axis, have %v", in)
	}
	return in[0], nil
}

func (op CumSum) Grad(_, dy *graph.Node) []*graph.Node {
	return []*graph.Node{graph.Apply(CumSum{Reverse: !op.Reverse}, dy)}
}

// Bind brings a kernel of its own, which runs on any engine. Types are concrete here.
func (op CumSum) Bind(_ engine.Engine, _ []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.DType == shape.Float64 {
		return engine.Bound{Kernel: cumSum[float64](out.Int(-1), op.Reverse), By: "cumsum"}, nil
	}
	return engine.Bound{Kernel: cumSum[float32](out.Int(-1), op.Reverse), By: "cumsum"}, nil
}

func cumSum[T shape.Float](row int, reverse bool) engine.Kernel {
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		for start := 0; start < len(x); start += row {
			var sum T
			for i := range row {
				at := start + i
				if reverse {
					at = start + row - 1 - i
				}
				sum += x[at]
				y[at] = sum
			}
		}
		return nil
	}
}

func TestGradientOfCumSum(t *testing.T) {
	for _, op := range []CumSum{{}, {Reverse: true}} {
		gradcheck.Check(t, func(x ...*graph.Node) *graph.Node { return graph.Apply(op, x[0]) }, shape.F64(shape.N, 4))
	}
}

func Example_ownKernel() {
	g := graph.New()
	y := graph.Apply(CumSum{}, g.Input("x", shape.F32(shape.N, 4)))
	m, err := vm.MustCompile(cpu.New(), []*graph.Node{y}).NewMachine(vm.NewStore(1))
	if err != nil {
		log.Fatal(err)
	}
	outs, err := m.Run(context.Background(), tensor.New(tensor.WithShape(2, 4), tensor.WithBacking([]float32{1, 2, 3, 4, 1, 1, 1, 1})))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outs[0].Data())
	// Output: [1 3 6 10 1 2 3 4]
}
