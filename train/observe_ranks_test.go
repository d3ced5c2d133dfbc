package train_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
	measures "github.com/plexaura/plexaura/train/metrics"
)

// The metrics of a run in shards have the same bits on any number of ranks, and on each of them; where
// they are counts, they are those of whole batches.
func TestMetricsHaveTheSameBitsOnAnyNumberOfRanks(t *testing.T) {
	c := measured(t)
	c.Batch, c.Shards = 5, 4 // with 14 examples: shards of unequal size, and shards without examples
	one := fit(t, c)
	require.Len(t, one.Epochs[0].Train.Values, 6)
	require.Len(t, one.Epochs[0].Validation.Values, 7)
	for _, ranks := range []int{2, 4} {
		results, errs := onRanks(t, ranks, c, nil)
		noErrors(t, errs)
		for _, r := range results {
			require.Equal(t, timeless(one.Epochs), timeless(r.Epochs), "%d ranks", ranks)
		}
	}
	for _, e := range one.Epochs {
		for _, m := range []train.Metrics{e.Train, *e.Validation} {
			accuracy, _ := m.Values.Get("accuracy")
			require.Equal(t, m.Accuracy(), accuracy)
			loss, _ := m.Value("log_loss")
			require.InDelta(t, m.Loss(), loss, 1e-5)
		}
	}
}

// Stopped in an epoch on some ranks, a run goes on on others with the sums of all shards.
func TestMetricsGoOnOnAnotherNumberOfRanks(t *testing.T) {
	c := measured(t)
	c.Batch, c.Shards, c.Folder = 5, 4, filepath.Join(t.TempDir(), "whole")
	fit(t, c)
	want, err := os.ReadFile(filepath.Join(c.Folder, train.CheckpointFile))
	require.NoError(t, err)
	for ranks, next := range map[int]int{1: 4, 4: 2, 2: 1} {
		folder, steps := filepath.Join(t.TempDir(), fmt.Sprint(ranks)), 0
		_, errs := onRanks(t, ranks, c, func(_ int, c *train.Config) {
			c.Folder = folder
			c.OnStep = func(train.Step) error {
				if steps++; steps == 5 {
					return train.ErrStop
				}
				return nil
			}
		})
		noErrors(t, errs)
		_, errs = onRanks(t, next, c, func(_ int, c *train.Config) {
			c.Folder = folder
			var err error
			c.Resume, err = train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
			require.NoError(t, err)
			require.NotEmpty(t, c.Resume.Progress.Sums)
		})
		noErrors(t, errs)
		have, err := os.ReadFile(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
}

func TestRanksWithOtherMetricsAreAnError(t *testing.T) {
	c := measured(t)
	c.Shards = 2
	_, errs := onRanks(t, 2, c, func(rank int, c *train.Config) {
		if rank == 1 {
			c.Metrics = c.Metrics[1:]
		}
	})
	for _, err := range errs {
		require.ErrorContains(t, err, "metrics")
	}
	bad := measures.Mean("bad", false, func(output, _ []float64) float64 { return output[7] })
	c.Metrics = []measures.Metric{bad}
	for _, ranks := range []int{1, 2} {
		_, errs = onRanks(t, ranks, c, nil)
		for _, err := range errs {
			require.ErrorContains(t, err, "metrics: bad: panic")
		}
	}
	_, err := train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "metrics: bad: panic")
}
