package squeezenet

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
)

// Model maps images (N,3,224,224) to logits (N,1000), with 1,235,496 parameters.
var Model = New(1000, .5)

// New returns the model for another number of classes and probability of dropout, 0 for none.
func New(classes int, dropout float64) nn.Layer {
	pool := nn.MaxPool2D{Kernel: 3, Stride: 2, Ceil: true}
	return nn.Sequential{
		nn.Named("features", nn.Sequential{
			conv("", 64, 3, 2, 0), nn.ReLU{}, pool,
			Fire{Squeeze: 16, Expand: 64}, Fire{Squeeze: 16, Expand: 64}, pool,
			Fire{Squeeze: 32, Expand: 128}, Fire{Squeeze: 32, Expand: 128}, pool,
			Fire{Squeeze: 48, Expand: 192}, Fire{Squeeze: 48, Expand: 192},
			Fire{Squeeze: 64, Expand: 256}, Fire{Squeeze: 64, Expand: 256},
		}),
		nn.Named("classifier", nn.Sequential{
			nn.Dropout{P: dropout},
			nn.Conv2D{Out: classes, Kernel: 1, Init: nn.Normal{Std: .01}, BiasInit: nn.Constant(0)}, nn.ReLU{},
			nn.GlobalAvgPool2D{}, nn.Flatten{},
		}),
	}
}

// Fire reduces images to Squeeze channels, and from these makes Expand channels by 1×1 filters and
// as many by 3×3 ones.
type Fire struct{ Squeeze, Expand int }

// Apply returns a node (N,2*Expand,H,W).
func (l Fire) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s nn.Scope) *graph.Node {
		x := ops.ReLU(conv("squeeze", l.Squeeze, 1, 1, 0).Apply(s, x))
		one := conv("expand1x1", l.Expand, 1, 1, 0).Apply(s, x)
		three := conv("expand3x3", l.Expand, 3, 1, 1).Apply(s, x)
		return ops.ReLU(ops.Concat(1, one, three))
	})
}

func conv(name string, out, kernel, stride, pad int) nn.Layer {
	return nn.Conv2D{Name: name, Out: out, Kernel: nn.HW(kernel), Stride: nn.HW(stride), Pad: nn.HW(pad), Init: nn.HeUniform{}, BiasInit: nn.Constant(0)}
}
