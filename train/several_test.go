package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// A model of an image and a number has two targets: the class of the image, and the sum of the number
// and the class.
func TestFitOfSeveralInputsAndTargets(t *testing.T) {
	const n = 40
	numbers, sums := make([]float32, n), make([]float32, n)
	for i := range n {
		numbers[i] = float32(i%7)/7 - .5
		sums[i] = numbers[i] + float32(i%2)
	}
	images := stripes(t, n)
	number, err := data.New(numbers, sums, data.Info{Input: shape.F32(1)})
	require.NoError(t, err)
	inputs, err := data.JoinInputs(images, number)
	require.NoError(t, err)
	ds, err := data.JoinTargets(inputs, number)
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(17), Target: shape.F32(2)}, ds.Info())

	model := nn.Inputs{Shapes: []shape.Shape{shape.Of(1, 4, 4), shape.Of(1)}, Layer: func(s nn.Scope, xs []*graph.Node) *graph.Node {
		h := nn.Sequential{nn.Conv2D{Name: "conv", Out: 3, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Name: "class", Out: 2}}.Apply(s, xs[0])
		sum := nn.Linear{Name: "sum", Out: 1}.Apply(s, ops.Concat(1, h, xs[1]))
		return ops.Concat(1, h, sum)
	}}
	loss := func(output, target *graph.Node) *graph.Node {
		out, want := nn.Cut(output, shape.Of(2), shape.Of(1)), nn.Cut(target, shape.Of(), shape.Of(1))
		return ops.Add(ops.CrossEntropy(out[0], ops.Cast(want[0], shape.Int32)), ops.MSE(out[1], want[1]))
	}
	c := train.Config{Model: model, Train: ds, Validation: ds, Loss: loss, Engine: ref.Engine{}, Optimizer: optim.Adam{LR: .02}, Epochs: 30, Batch: 8, Seed: 1}
	result := fit(t, c)
	first, last := result.Epochs[0].Validation.Loss(), result.Epochs[29].Validation.Loss()
	require.Less(t, last, first/10)
	require.Less(t, last, .1)
	p, err := train.NewPredictor(model, result.Checkpoint, ref.Engine{})
	require.NoError(t, err)
	e := data.Example{X: make([]float32, 17), Targets: make([]float32, 2)}
	require.NoError(t, ds.Read(5, e))
	y, err := p.Outputs(t.Context(), e.X)
	require.NoError(t, err)
	require.Equal(t, e.Targets[0] == 1, y[1] > y[0])
	require.InDelta(t, e.Targets[1], y[2], .3)
}
