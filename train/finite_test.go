package train_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// Neither a prediction nor an evaluation gives numbers that are none: the error says which values
// are to blame.
func TestResultsThatAreNotFiniteAreErrors(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		value string
		to    []float32
		want  string
	}{
		{"out.bias", []float32{float32(math.NaN()), 0}, "is not finite, since some weights are not: out.bias"},
		{"norm.bias", []float32{0, inf, 0}, "is not finite, since some weights are not: norm.bias"},
		{"norm.weight", []float32{3e38, 3e38, 3e38}, "is not finite, though weights and inputs are: intermediate values are too large"},
	} {
		cfg := config(t)
		cfg.Optimizer = optim.SGD{LR: 0.01}
		weights := fit(t, cfg).Checkpoint
		require.NoError(t, weights.Store.Set(c.value, tensor.New(tensor.WithShape(len(c.to)), tensor.WithBacking(c.to))))
		p, err := train.NewPredictor(network, weights, ref.Engine{})
		require.NoError(t, err)
		x := inputs(t, cfg.Validation)
		_, err = p.Predict(context.Background(), x)
		require.ErrorIs(t, err, vm.ErrNotFinite)
		require.EqualError(t, err, "train: the output "+c.want)
		_, err = p.Outputs(context.Background(), x)
		require.ErrorIs(t, err, vm.ErrNotFinite)
		_, err = p.Evaluate(context.Background(), cfg.Validation, nil)
		require.ErrorIs(t, err, vm.ErrNotFinite)
		require.EqualError(t, err, "train: the loss "+c.want)
	}

	p := predictor(t, config(t))
	x := make([]float32, 16)
	x[3] = inf
	_, err := p.Predict(context.Background(), x)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.ErrorContains(t, err, "since some inputs are not")
}
