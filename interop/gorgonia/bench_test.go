package gorgonia_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// BenchmarkStep times the loss and every gradient in float32, by our program on engine/cpu and by
// gorgonia's TapeMachine in turn; "times" is how often ours goes into gorgonia's, by the medians.
func BenchmarkStep(b *testing.B) {
	b.Run("LeNet/64", func(b *testing.B) { step(b, lenet.Model, shape.F32(shape.N, 1, 28, 28), 64) })
	b.Run("AlexNet/4", func(b *testing.B) { step(b, alexnet.Model, shape.F32(shape.N, 3, 224, 224), 4) })
}

func step(b *testing.B, model nn.Layer, images shape.Type, n int) {
	g := graph.New()
	x, target := g.Input("x", images), g.Input("target", shape.I32(shape.N))
	loss := ops.CrossEntropy(model.Apply(nn.Root(g), x), target)
	store, ctx := leaves(b, g), context.Background()
	pixels := make([]float32, images.At(n).Len())
	for i := range pixels {
		pixels[i] = float32(i%251) / 251
	}
	inputs := []*tensor.Dense{
		tensor.New(tensor.WithShape(images.At(n).Ints()...), tensor.WithBacking(pixels)),
		tensor.New(tensor.WithShape(n), tensor.WithBacking(make([]int32, n))),
	}
	p := vm.MustCompile(cpu.New(), append([]*graph.Node{loss}, autodiff.Grad(loss, g.Params()...)...))
	m, err := p.NewMachine(store)
	require.NoError(b, err)
	theirs, err := gorgonia.Lower([]*graph.Node{loss}, n, g.Params()...)
	require.NoError(b, err)
	defer theirs.Close()
	runs := [2]func() error{
		func() error { _, err := m.Run(ctx, inputs...); return err },
		func() error { _, err := theirs.Run(ctx, store.Value, inputs...); return err },
	}
	for _, run := range runs {
		require.NoError(b, run()) // memory is touched for the first time
	}
	var took [2][]time.Duration
	for b.Loop() {
		for i, run := range runs {
			start := time.Now()
			require.NoError(b, run())
			took[i] = append(took[i], time.Since(start))
		}
	}
	var ms [2]float64
	for i, d := range took {
		slices.Sort(d)
		ms[i] = d[len(d)/2].Seconds() * 1e3
	}
	b.ReportMetric(ms[0], "ours-ms")
	b.ReportMetric(ms[1], "gorgonia-ms")
	b.ReportMetric(ms[1]/ms[0], "times")
	b.ReportMetric(0, "ns/op")
}
