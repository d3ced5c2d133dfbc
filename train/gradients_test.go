package train_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// machines makes those of gorgonia, and counts the ones that are open.
type machines struct{ open int }

func (m *machines) gradients(outs []*graph.Node, n int, wrt ...*graph.Node) (train.Gradients, error) {
	machine, err := gorgonia.NewMachine(outs, n, wrt...)
	if err != nil {
		return nil, err
	}
	m.open++
	return counted{machine, m}, nil
}

type counted struct {
	*gorgonia.Machine
	all *machines
}

func (c counted) Close() error {
	c.all.open--
	return c.Machine.Close()
}

// The network has dropout and running statistics, the recipe all that an optimiser remembers.
func TestGorgoniasGradientsTrainAsOursDo(t *testing.T) {
	var m machines
	c := config(t)
	plain := recipe
	plain.Rule = optim.SGD{LR: .05, Momentum: .9} // Adam would make steps of the rounding of a gradient that is 0
	c.Optimizer = plain
	want := fit(t, c)
	c.Gradients = m.gradients
	have := fit(t, c)
	require.Zero(t, m.open, "machines that were not closed")
	requireAlike(t, want, have)

	ctx := stopAfter(&c, 6)
	stopped, err := train.Fit(ctx, c)
	require.ErrorIs(t, err, errStopped)
	require.Zero(t, m.open)
	c.OnStep, c.Resume = nil, stopped.Checkpoint
	requireAlike(t, want, fit(t, c))
}

// requireAlike compares two runs in float32.
func requireAlike(t *testing.T, want, have *train.Result) {
	t.Helper()
	require.Len(t, have.Epochs, len(want.Epochs))
	for i, e := range want.Epochs {
		require.InDelta(t, e.Train.Loss(), have.Epochs[i].Train.Loss(), 1e-4)
		require.InDelta(t, e.Validation.Loss(), have.Epochs[i].Validation.Loss(), 1e-4)
		require.InDelta(t, e.Rate, have.Epochs[i].Rate, 1e-12)
	}
	require.Equal(t, want.Checkpoint.Store.Names(), have.Checkpoint.Store.Names())
	for _, name := range want.Checkpoint.Store.Names() {
		w, err := want.Checkpoint.Store.Value(name)
		require.NoError(t, err)
		h, err := have.Checkpoint.Store.Value(name)
		require.NoError(t, err)
		if w.Dtype() != tensor.Float32 {
			require.Equal(t, w.Data(), h.Data(), name)
			continue
		}
		for i, v := range w.Float32s() {
			require.InDelta(t, v, h.Float32s()[i], 1e-3, name)
		}
	}
}

func TestMistakesOfOthersGradients(t *testing.T) {
	var m machines
	c := config(t)
	c.Gradients = m.gradients
	c.Model = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "out", Out: 2}, nn.Named("precise", nn.Func(func(x *graph.Node) *graph.Node {
		return ops.Cast(ops.Exp(ops.Cast(x, shape.Float64)), shape.Float32)
	}))}
	_, err := train.Fit(context.Background(), c)
	var list graph.ErrorList
	require.ErrorAs(t, err, &list)
	require.Equal(t, "Cast", list[0].Op)
	require.Equal(t, "precise", list[0].Layer)

	c.Model = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "out", Out: 2}, nn.Func(ops.StopGradient)}
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "the loss does not reach out.weight")

	c.Model = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "out", Out: 2}}
	c.Loss = func(output, target *graph.Node) *graph.Node {
		return ops.MulScalar(ops.CrossEntropy(output, target), math.MaxFloat32)
	}
	_, err = train.Fit(context.Background(), c)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.Zero(t, m.open)

	broken := errors.New("broken")
	c = config(t)
	c.Gradients = func([]*graph.Node, int, ...*graph.Node) (train.Gradients, error) { return nil, broken }
	_, err = train.Fit(context.Background(), c)
	require.ErrorIs(t, err, broken)

	c.Gradients = func(outs []*graph.Node, n int, _ ...*graph.Node) (train.Gradients, error) {
		return m.gradients(outs, n)
	}
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "Gradients have 2 results; want the loss, the output and ")
	require.Zero(t, m.open)
}

// What a training program computes is known by its field.
func TestOutputsAreKnownByTheirField(t *testing.T) {
	c := config(t)
	net, err := train.Build(c.Model, c.Train.Info(), c.Loss, c.Optimizer)
	require.NoError(t, err)
	require.Equal(t, []*graph.Node{net.Training.Loss, net.Training.Output, net.Training.Rate}, net.Training.Nodes())
	require.Equal(t, []*graph.Node{net.Evaluation.Loss, net.Evaluation.Output}, net.Evaluation.Nodes())
	require.Zero(t, net.Training.Loss.Type().Rank())
	require.Equal(t, shape.F64(), net.Training.Rate.Type())
	require.Equal(t, net.Training.Output.Type(), net.Evaluation.Output.Type())
	require.Equal(t, net.Inference.Type(), net.Evaluation.Output.Type())
}
