package examples_test

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Scale multiplies each channel of images (N,C,H,W) by a number that is learnt.
type Scale struct{ Name string }

func (l Scale) Label() string { return l.Name }

func (l Scale) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s nn.Scope) *graph.Node {
		t := x.Type()
		if t.Rank() != 4 {
			return s.Graph().Reject("Scale", fmt.Errorf("want images (N,C,H,W), have %v", t), x)
		}
		return ops.Mul(x, s.Param("scale", t.Of(shape.Of(t.Dim(1), 1, 1)), nn.Constant(1)))
	})
}

func Example_ownLayer() {
	model := nn.Sequential{
		nn.Conv2D{Name: "stem", Out: 8, Kernel: 3, Pad: 1},
		nn.Residual{Body: nn.Sequential{
			nn.Conv2D{Name: "conv", Out: 8, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
			Scale{Name: "gate"},
		}},
		nn.Func(ops.GlobalAvgPool2D), nn.Flatten{}, nn.Dropout{P: 0.1}, nn.Linear{Name: "head", Out: 5},
	}

	g := graph.New()
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 32, 32)))
	fmt.Println(y.Type(), g.Err())
	fmt.Println(g.Leaf("1.gate.scale").Type())
	// Output:
	// float32(N,5) <nil>
	// float32(8,1,1)
}
