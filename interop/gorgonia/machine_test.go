package gorgonia_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestAMachineTakesBatchesOfAnySize(t *testing.T) {
	outs := graph.WithDType(shape.Float64, network(lenet.Model, crossEntropy))
	g := outs[0].Graph()
	store := leaves(t, g)
	m, err := gorgonia.NewMachine(outs, 3, g.Params()...)
	require.NoError(t, err)
	require.Equal(t, g.Inputs(), m.Inputs())
	for _, n := range []int{3, 1, 2, 3, 3} {
		x, target := batch[float64](n)
		have, err := m.Run(context.Background(), store.Value, x, target)
		require.NoError(t, err)
		requireClose(t, ours(t, store, outs, g.Params(), x, target), have, 1e-10, fmt.Sprint("batch ", n))
	}
	x, _ := batch[float64](2)
	_, target := batch[float64](3)
	_, err = m.Run(context.Background(), store.Value, x, target)
	require.ErrorContains(t, err, `Input "target": want int32(2)`)
	_, err = m.Run(context.Background(), store.Value, x)
	require.ErrorContains(t, err, "has 2 inputs, 1 were given")
	_, err = m.Run(context.Background(), store.Value, nil, nil)
	require.Error(t, err)
	_, err = m.Run(context.Background(), store.Value, tensor.New(tensor.Of(tensor.Float64)), target)
	require.Error(t, err)

	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	_, err = m.Run(context.Background(), store.Value, x, target)
	require.ErrorContains(t, err, "closed")
}

// gorgonia's other machine leaves a goroutine behind for each run that fails.
func TestRunsLeaveNoGoroutineBehind(t *testing.T) {
	g := graph.New()
	ids := g.Input("ids", shape.I32(shape.N))
	p, err := gorgonia.Lower([]*graph.Node{ops.Sum(ops.OneHot(ids, 3, g.Param("w", shape.F32(), nil)))}, 1)
	require.NoError(t, err)
	id := func(v int32) *tensor.Dense { return tensor.New(tensor.WithShape(1), tensor.WithBacking([]int32{v})) }
	store := leaves(t, g)
	before := runtime.NumGoroutine()
	for i := range int32(20) {
		_, err := p.Run(context.Background(), store.Value, id(i))
		require.Equal(t, i >= 3, err != nil)
	}
	require.NoError(t, p.Close())
	require.LessOrEqual(t, runtime.NumGoroutine(), before+1) // the last may just be ending
	_, err = p.Run(context.Background(), store.Value, id(0))
	require.ErrorContains(t, err, "closed")
}

// Random numbers are fed, the same that vm draws: dropout has one mask on both sides.
func TestDropoutHasOurMask(t *testing.T) {
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		g := graph.New()
		x := g.Input("x", shape.Make(d, shape.N, 50))
		w := g.Param("w", shape.Make(d, 50), normal{})
		y := nn.Dropout{P: .4}.Apply(nn.Root(g), ops.Mul(x, w))
		noise := ops.Random(y, y.Type().Shape, 1)
		outs := []*graph.Node{ops.Sum(ops.Mul(ops.Tanh(y), noise)), y, noise}
		store := leaves(t, g)
		input := tensor.New(tensor.Of(engine.DenseDType(d)), tensor.WithShape(4, 50))
		require.NoError(t, input.Memset(ones[d]))
		for range 2 {
			want := ours(t, store, outs, []*graph.Node{w}, input)
			requireClose(t, want, theirs(t, store, outs, 4, []*graph.Node{w}, input), 1e-5, d.String())
			kept := 0
			for _, v := range float64s(want[1]) {
				if v != 0 {
					kept++
				}
			}
			require.InDelta(t, 120, kept, 30)
			rng, err := store.Value("rng")
			require.NoError(t, err)
			rng.Int64s()[1]++ // another step, another mask
			require.NoError(t, store.Set("rng", rng))
		}
	}
}

var ones = map[shape.DType]any{shape.Float32: float32(1), shape.Float64: float64(1)}
