package parity

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Attribution holds captum's attributions for one output of a network and one image. They are
// compared with package inspect.
type Attribution struct {
	Name   string
	Target int    // the output
	Layer  string // of Grad-CAM
	Steps  int    // of integrated gradients
	Window int    // side of the occlusion window in pixels; 0 if there is none
	Stride int
	Values []struct {
		Name string
		Reference
	}
}

// Attributions returns the attributions for LeNet and AlexNet.
func Attributions() ([]Attribution, error) { return read[Attribution]("attributions.json.gz") }

// Network returns the logits of the network and the values of its parameters. Floating-point values
// have type d.
func (a Attribution) Network(d shape.DType) (logits *graph.Node, s *vm.Store, err error) {
	g, n := graph.New(), networks[a.Name]
	logits = n.layer.Apply(nn.Root(g), g.Input("x", shape.Type{DType: d, Shape: n.image.Insert(0, shape.N)}))
	if err := g.Err(); err != nil {
		return nil, nil, err
	}
	s = vm.NewStore(0)
	return logits, s, fill(s, g.Params())
}

// Image returns the image and the baseline of integrated gradients.
func (a Attribution) Image() (x, baseline []float32) {
	n := networks[a.Name].image.Len()
	return float32s(counter(1000, n, 1)), float32s(counter(1001, n, .1))
}

func float32s(v []float64) []float32 {
	x := make([]float32, len(v))
	for i := range v {
		x[i] = float32(v[i])
	}
	return x
}

// Error returns the error of the result called name, which has the shape of captum's.
func (a Attribution) Error(name string, v []float32) (float64, error) {
	for _, want := range a.Values {
		if want.Name != name {
			continue
		}
		all := make([]float64, len(v))
		for i := range v {
			all[i] = float64(v[i])
		}
		return want.compare(shape.Make(shape.Float64, shape.OfInts(want.Shape...).Dims()...), all, overall)
	}
	return 0, fmt.Errorf("parity: captum has no %q of %s", name, a.Name)
}
