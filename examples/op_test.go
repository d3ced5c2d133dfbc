package examples_test

import (
	"fmt"
	"log"
	"testing"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// SiLU returns x*sigmoid(x).
func SiLU(x *graph.Node) *graph.Node { return graph.Apply(silu{}, x) }

type silu struct{} // an op's attributes are its fields, of comparable types

func (silu) Name() string { return "SiLU" }

func (silu) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 || !in[0].IsFloat() {
		return shape.Type{}, fmt.Errorf("want one float32 or float64, have %v", in)
	}
	return in[0], nil
}

// Map says what is done with each element: r0 = sigmoid(x), r1 = x*r0.
func (silu) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.Map{
		Steps: []engine.Step{
			{Fn: engine.Sigmoid, DType: out.DType, Args: [3]engine.Arg{engine.In(0)}},
			{Fn: engine.Mul, DType: out.DType, Args: [3]engine.Arg{engine.In(0), engine.Res(0)}},
		},
		Outs: []int{1},
	}
}

// Grad returns dx = dy*(y + s*(1-y)), where y is the result and s is sigmoid(x).
func (silu) Grad(y, dy *graph.Node) []*graph.Node {
	s := ops.Sigmoid(y.In(0))
	slope := ops.Add(y, ops.Mul(s, ops.Sub(ops.Scalar(y, 1), y)))
	return []*graph.Node{ops.Mul(dy, slope)}
}

func TestGradientOfSiLU(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node { return SiLU(x[0]) }, shape.F64(2, 3))
}

// It is one instruction with what stands around it.
func Example_ownOp() {
	g := graph.New()
	y := ops.Neg(SiLU(ops.AddScalar(g.Input("x", shape.F32(shape.N, 3)), 1)))
	list, err := vm.MustCompile(cpu.New(), []*graph.Node{y}).Describe(2)
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range list {
		fmt.Println(in.Name, len(in.Nodes))
	}
	// Output: Fused 3
}

// What the documentation of gradcheck shows.
func TestGradientOfSoftmax(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		return ops.Softmax(x[0], -1)
	}, shape.F64(2, 3))
}

// A wrong rule, and what the check says to it.
func Example_wrongGradient() {
	in := []gradcheck.Input{{Type: shape.F64(2), Values: gradcheck.Fixed(1, 2)}}
	_, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return graph.Apply(wrong{}, x[0]) }, in, gradcheck.Options{})
	fmt.Println(err)
	// Output:
	// gradcheck: wrong gradient: order 1, derivative by x0[1]: gradient -0.539397748, finite differences -0.667993323 (error 0.19), tolerance 1e-06
}

// wrong is a SiLU whose rule forgets a factor.
type wrong struct{ silu }

func (wrong) Grad(y, dy *graph.Node) []*graph.Node {
	return []*graph.Node{ops.Mul(dy, ops.Sigmoid(y.In(0)))}
}
