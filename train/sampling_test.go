package train_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
)

// sampled is a run whose examples are drawn by weight, in whole batches only.
func sampled(t testing.TB) train.Config {
	c := config(t)
	c.Validation, c.DropLast = nil, true
	c.Weights = make([]float64, c.Train.Len())
	for i := range c.Weights {
		c.Weights[i] = float64(i % 3)
	}
	return c
}

// A run that draws examples can be stopped anywhere and goes on to the same bits, and batches are whole.
func TestARunByWeightsResumesExactly(t *testing.T) {
	var sizes []int
	whole := sampled(t)
	whole.OnStep = func(s train.Step) error { sizes = append(sizes, s.Examples); return nil }
	want := values(t, fit(t, whole).Checkpoint.Store)
	require.Equal(t, []int{4, 4, 4, 4, 4, 4, 4, 4, 4}, sizes)
	for stop := 1; stop < 9; stop += 3 {
		c := sampled(t)
		ctx := stopAfter(&c, stop)
		result, err := train.Fit(ctx, c)
		require.ErrorIs(t, err, errStopped)
		c = sampled(t)
		c.Resume, c.Workers = result.Checkpoint, 3
		require.Equal(t, want, values(t, fit(t, c).Checkpoint.Store), "stopped after %d steps", stop)
	}
	uniform := sampled(t)
	uniform.Weights = nil
	require.NotEqual(t, want, values(t, fit(t, uniform).Checkpoint.Store))
}

// Shards of batches that are drawn by weight give the same bits however they are computed ahead.
func TestARunByWeightsInShards(t *testing.T) {
	run := func(workers int) map[string][]float64 {
		c := sampled(t)
		c.Shards, c.Workers = 2, workers
		return values(t, fit(t, c).Checkpoint.Store)
	}
	require.Equal(t, run(-1), run(4))
}

func TestMistakesOfWeightsInFit(t *testing.T) {
	c := config(t)
	c.Weights = []float64{1}
	_, err := train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "1 Weights for 14 examples")
	c.Weights, c.Batch, c.DropLast = nil, 20, true
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "batch size 20 for 14 examples, and DropLast leaves the smaller batch out")
}
