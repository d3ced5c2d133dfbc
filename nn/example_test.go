package nn_test

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A model is a list of layers; applying it makes its parameters.
func ExampleSequential() {
	model := nn.Sequential{
		nn.Named("features", nn.Sequential{
			nn.Conv2D{Out: 8, Kernel: 3, Pad: 1}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		}),
		nn.Flatten{},
		nn.Linear{Name: "fc", Out: 10},
	}
	g := graph.New()
	logits := model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	fmt.Println(logits.Type(), g.Err())
	for _, p := range g.Params() {
		fmt.Println(p, p.Type())
	}
	// Output:
	// float32(N,10) <nil>
	// features.0.weight float32(8,1,3,3)
	// features.0.bias float32(8)
	// features.1.weight float32(8)
	// features.1.bias float32(8)
	// fc.weight float32(10,1568)
	// fc.bias float32(10)
}

// A mistake is reported once, with its line and layer; layers after it are silent.
func ExampleSequential_mistake() {
	model := nn.Sequential{
		nn.MaxPool2D{Kernel: 4},
		nn.Conv2D{Name: "conv", Out: 8, Kernel: nn.Rect(3, 5), Groups: 2},
		nn.Flatten{}, nn.Linear{Out: 10},
	}
	g := graph.New()
	model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 28, 28)))
	err := g.Err().(graph.ErrorList)[0]
	fmt.Printf("%s in layer %s: %v\n", err.Op, err.Layer, err.Err)
	// Output:
	// Conv2D in layer conv: 3 channels cannot be split into 2 groups
}

// Scale is a layer of a user's own: one trainable factor for all of x.
type Scale struct{ Name string }

// Label makes containers use the layer's name instead of a number.
func (l Scale) Label() string { return l.Name }

// Apply returns the factor times x.
func (l Scale) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s nn.Scope) *graph.Node {
		return ops.Mul(x, s.Param("factor", x.Type().Of(shape.Of()), nn.Constant(1)))
	})
}

func ExampleScope() {
	g := graph.New()
	nn.Sequential{Scale{}, Scale{Name: "last"}}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 4)))
	fmt.Println(g.Params(), g.Err())
	// Output:
	// [0.factor last.factor] <nil>
}

// Two inputs go through the same weights.
func ExampleScope_Shared() {
	g := graph.New()
	a, b := g.Input("a", shape.F32(shape.N, 4)), g.Input("b", shape.F32(shape.N, 4))
	twin, s := nn.Linear{Name: "twin", Out: 2}, nn.Root(g)
	ops.Sub(twin.Apply(s, a), twin.Apply(s.Shared(), b))
	fmt.Println(g.Params(), g.Err())
	// Output:
	// [twin.weight twin.bias] <nil>
}
