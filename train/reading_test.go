package train_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/train"
)

// hook is a dataset whose reads go through a function first.
type hook struct {
	data.Dataset
	before func(i int)
}

func (h hook) Read(i int, e data.Example) error {
	h.before(i)
	return h.Dataset.Read(i, e)
}

var allWorkers = []int{-1, 1, 3} // none, one, some

// The run ends where it was, saved, and its result can be resumed.
func TestFitReturnsThoughAReadBlocks(t *testing.T) {
	for _, workers := range allWorkers {
		c := config(t)
		c.Workers, c.Folder = workers, t.TempDir()
		whole := fit(t, c)
		var reads atomic.Int64
		release := make(chan struct{})
		ctx, cancel := context.WithCancelCause(context.Background())
		sound := c.Validation
		c.Validation = hook{sound, func(int) {
			if reads.Add(1) == 2*6+1 { // in the third validation
				cancel(errStopped)
				<-release
			}
		}}
		c.Folder = t.TempDir()
		result, err := train.Fit(ctx, c)
		require.ErrorIs(t, err, errStopped)
		require.Len(t, result.Epochs, 2)
		require.Equal(t, 4, load(t, c.Folder).Progress.Batch)
		close(release)
		c.Validation, c.Resume = sound, result.Checkpoint
		resumed := fit(t, c)
		require.Equal(t, values(t, whole.Checkpoint.Store), values(t, resumed.Checkpoint.Store))
	}
}

// The same while it trains, where workers read ahead: the run ends at a whole step of the second
// epoch.
func TestFitReturnsThoughAReadOfTrainingBlocks(t *testing.T) {
	for _, workers := range allWorkers {
		c := config(t)
		c.Workers = workers
		whole := fit(t, c)
		var reads atomic.Int64
		release := make(chan struct{})
		ctx, cancel := context.WithCancelCause(context.Background())
		sound := c.Train
		c.Train = hook{sound, func(int) {
			if n := reads.Add(1); n == int64(sound.Len()+sound.Len()/2) {
				cancel(errStopped)
				<-release
			}
		}}
		c.Folder = t.TempDir()
		result, err := train.Fit(ctx, c)
		require.ErrorIs(t, err, errStopped)
		require.LessOrEqual(t, len(result.Epochs), 1)
		require.True(t, result.Saved)
		require.Equal(t, result.Checkpoint.Progress.Batch, load(t, c.Folder).Progress.Batch)
		close(release)
		c.Train, c.Resume = sound, result.Checkpoint
		resumed := fit(t, c)
		require.Equal(t, values(t, whole.Checkpoint.Store), values(t, resumed.Checkpoint.Store))
	}
}

func TestAPanicInReadEndsTheRunWithAnError(t *testing.T) {
	boom := errors.New("boom")
	for _, workers := range allWorkers {
		c := config(t)
		c.Workers = workers
		c.Train = hook{c.Train, func(i int) {
			if i == 11 {
				panic(boom)
			}
		}}
		result, err := train.Fit(context.Background(), c)
		require.ErrorIs(t, err, boom)
		require.Regexp(t, `^train: epoch 1 of 3, batch \d of 4 \(step \d\): data: example 11: panic at reading_test.go:\d+: boom$`, err.Error())
		require.NotNil(t, result)
	}
}

// What a callback returns may be an error of this package, and what a dataset does one of data.
func TestErrorsNameAPackageOnce(t *testing.T) {
	c := config(t)
	model, sound := c.Model, c.Train
	for name, spoil := range map[string]func(c *train.Config){
		"a callback": func(c *train.Config) {
			c.OnEpoch = func(train.Epoch) error {
				_, err := train.NewPredictor(model, &train.Checkpoint{}, ref.Engine{})
				return err
			}
		},
		"a dataset":    func(c *train.Config) { c.Train = cramped{sound} },
		"a validation": func(c *train.Config) { c.Validation = cramped{c.Validation} },
		"a checkpoint": func(c *train.Config) { c.Resume = &train.Checkpoint{} },
		"no folder":    func(c *train.Config) { c.Folder = "reading_test.go" },
	} {
		c := config(t)
		spoil(&c)
		_, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, "train: ", name)
		require.Empty(t, plain.Repeats(err.Error()), "%s: %v", name, err)
	}
	p, err := train.NewPredictor(c.Model, fit(t, c).Checkpoint, ref.Engine{})
	require.NoError(t, err)
	_, err = p.Evaluate(context.Background(), cramped{sound}, nil)
	require.ErrorContains(t, err, "example 0: room for")
	require.Empty(t, plain.Repeats(err.Error()))
}

// cramped gives its examples less room than they need.
type cramped struct{ data.Dataset }

func (c cramped) Read(i int, e data.Example) error {
	e.X = e.X[1:]
	return c.Dataset.Read(i, e)
}

func TestDatasetsThatAreNilOrPanicAreErrors(t *testing.T) {
	var typed *data.Memory[uint8]
	for _, spoil := range []func(c *train.Config){
		func(c *train.Config) { c.Train = hook{} },
		func(c *train.Config) { c.Workers = math.MaxInt },
	} {
		c := config(t)
		spoil(&c)
		_, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, "data: ")
	}
	c := config(t)
	c.Train = typed
	_, err := train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "no dataset to Train on")
	c = config(t)
	c.Validation = typed
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "a Validation that is a nil pointer")
	c = config(t)
	p, err := train.NewPredictor(c.Model, fit(t, c).Checkpoint, ref.Engine{})
	require.NoError(t, err)
	_, err = p.Evaluate(context.Background(), typed, nil)
	require.ErrorContains(t, err, "train: no dataset to evaluate on")
}
