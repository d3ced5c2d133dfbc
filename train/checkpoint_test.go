package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// A run that is stopped after any step, and resumed from its file, goes on bit for bit as if
// it had not been stopped.
func TestResumeAtEveryStep(t *testing.T) {
	whole := config(t)
	whole.Folder = t.TempDir()
	want := fit(t, whole)
	for step := 1; step <= 12; step++ {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			c := config(t)
			c.Folder = t.TempDir()
			result, err := train.Fit(stopAfter(&c, step), c)
			require.ErrorIs(t, err, errStopped)
			require.Len(t, result.Epochs, (step-1)/4)

			c.OnStep, c.Resume = nil, load(t, c.Folder)
			require.Equal(t, (step-1)%4+1, c.Resume.Progress.Batch)
			result = fit(t, c)
			require.Equal(t, values(t, want.Checkpoint.Store), values(t, result.Checkpoint.Store))
			require.Equal(t, values(t, want.Checkpoint.Store), values(t, load(t, c.Folder).Store))
			require.Equal(t, timeless(want.Epochs), timeless(result.Epochs))
			require.Equal(t, metrics(t, whole.Folder), metrics(t, c.Folder))
		})
	}
}

// Stopped again and again, without a file in between.
func TestResumeInMemory(t *testing.T) {
	want := fit(t, config(t))
	var got *train.Checkpoint
	for range 12 {
		c := config(t)
		c.Resume = got
		result, err := train.Fit(stopAfter(&c, 1), c)
		require.ErrorIs(t, err, errStopped)
		got = result.Checkpoint
	}
	c := config(t)
	c.Resume = got // at the end of the last epoch, before its validation
	result := fit(t, c)
	require.Equal(t, values(t, want.Checkpoint.Store), values(t, result.Checkpoint.Store))
	require.Equal(t, timeless(want.Epochs), timeless(result.Epochs))
}

// Epochs is the total: a run that has them all is not trained further, one that is to have
// more goes on.
func TestResumeMakesWhatIsLeft(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	first := fit(t, c)
	before := values(t, first.Checkpoint.Store)
	c.Resume = load(t, c.Folder)
	again := fit(t, c)
	require.Equal(t, before, values(t, again.Checkpoint.Store))
	require.Len(t, again.Epochs, 3)
	c.Resume, c.Epochs = load(t, c.Folder), 4
	more := fit(t, c)
	require.Len(t, more.Epochs, 4)
	require.Equal(t, 4, more.Epochs[3].Number)
	require.NotEqual(t, before, values(t, more.Checkpoint.Store))
}

// Lines that were written after the checkpoint was go when it is resumed.
func TestMetricsAreCutBack(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	var early []byte
	c.OnEpoch = func(e train.Epoch) (err error) {
		if e.Number == 1 {
			early, err = os.ReadFile(filepath.Join(c.Folder, train.CheckpointFile))
		}
		return err
	}
	fit(t, c)
	want := metrics(t, c.Folder)
	require.NoError(t, os.WriteFile(filepath.Join(c.Folder, train.CheckpointFile), early, 0o666))
	c.OnEpoch = nil
	c.Resume = load(t, c.Folder)
	require.Len(t, c.Resume.Progress.Epochs, 1)
	fit(t, c)
	require.Equal(t, want, metrics(t, c.Folder))
}

func TestACheckpointIsWrittenOnceAnEpoch(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	path := filepath.Join(c.Folder, train.CheckpointFile)
	var last os.FileInfo
	c.OnEpoch = func(train.Epoch) (err error) {
		last, err = os.Stat(path)
		return err
	}
	fit(t, c)
	now, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(last, now), "it is written again at the end")
}

func TestMetricsLines(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	epochs := fit(t, c).Epochs
	f, err := os.Open(filepath.Join(c.Folder, train.MetricsFile))
	require.NoError(t, err)
	defer f.Close()
	lines := json.NewDecoder(f)
	for _, e := range epochs {
		var got map[string]float64
		require.NoError(t, lines.Decode(&got))
		require.Equal(t, map[string]float64{
			"epoch": float64(e.Number), "loss": e.Train.Loss(), "accuracy": e.Train.Accuracy(),
			"validation_loss": e.Validation.Loss(), "validation_accuracy": e.Validation.Accuracy(),
			"learning_rate": e.Rate, "seconds": e.Seconds, "examples_per_second": e.ExamplesPerSecond(),
			"wait_share": e.WaitShare(),
		}, got)
	}
	require.False(t, lines.More())
}

func TestCheckpointDescribesTheRun(t *testing.T) {
	c := config(t)
	c.Folder = filepath.Join(t.TempDir(), "runs", "new")
	c.Name, c.Settings = "stripes", map[string]int{"width": 3}
	result := fit(t, c)
	got := load(t, c.Folder)
	require.Equal(t, "stripes", got.Name)
	require.Equal(t, c.Train.Info(), got.Info)
	require.JSONEq(t, `{"width":3}`, string(got.Settings))
	require.True(t, got.Averaged)
	require.Contains(t, got.Training, "conv.weight.exp_avg")
	require.NotContains(t, got.Training, "conv.weight")
	want := result.Checkpoint.Progress
	want.Epochs = timeless(want.Epochs)
	require.Equal(t, want, got.Progress)
	settings, err := os.ReadFile(filepath.Join(c.Folder, train.SettingsFile))
	require.NoError(t, err)
	require.JSONEq(t, `{"width":3}`, string(settings))
}

// faulty is a dataset that fails, or gives a NaN, from its n-th read on.
type faulty struct {
	data.Dataset
	n   *int
	err error
}

func (f faulty) Read(i int, e data.Example) error {
	err := f.Dataset.Read(i, e)
	if *f.n--; *f.n >= 0 {
		return err
	}
	e.X[0] = float32(math.NaN())
	return f.err
}

// A loss that is not finite ends the run; the checkpoint before it stays.
func TestNotFiniteKeepsTheCheckpoint(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	reads := 14 + 5 // the second batch of the second epoch
	c.Train = faulty{c.Train, &reads, nil}
	result, err := train.Fit(context.Background(), c)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.ErrorContains(t, err, "epoch 2 of 3, batch 2 of 4 (step 6)")
	require.Len(t, result.Epochs, 1)
	got := load(t, c.Folder)
	require.Len(t, got.Progress.Epochs, 1)
	require.Zero(t, got.Progress.Batch)
}

// So does one in validation.
func TestNotFiniteValidationKeepsTheCheckpoint(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	reads := 6 + 1
	c.Validation = faulty{c.Validation, &reads, nil}
	result, err := train.Fit(context.Background(), c)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.ErrorContains(t, err, "validation after epoch 2 of 3: the loss is NaN")
	require.Len(t, result.Epochs, 1)
	require.Len(t, load(t, c.Folder).Progress.Epochs, 1)
}

// Data that cannot be read end the run at a whole step, from which it can be resumed.
func TestReadErrorCanBeResumed(t *testing.T) {
	want := fit(t, config(t))
	c := config(t)
	c.Folder = t.TempDir()
	reads, broken, good := 14+5, errors.New("disk on fire"), c.Train
	c.Train = faulty{good, &reads, broken}
	_, err := train.Fit(context.Background(), c)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "epoch 2 of 3, batch 2 of 4 (step 6)")
	c.Train, c.Resume = good, load(t, c.Folder)
	require.Equal(t, values(t, want.Checkpoint.Store), values(t, fit(t, c).Checkpoint.Store))
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	saved := config(t)
	saved.Folder = t.TempDir()
	fit(t, saved)
	for want, change := range map[string]func(*train.Config){
		"the run began with seed 7, this is seed 8":              func(c *train.Config) { c.Seed = 8 },
		"the run began with batches of 4, these are of 5":        func(c *train.Config) { c.Batch = 5 },
		"the run began with 14 examples, these are 13":           func(c *train.Config) { c.Train = data.Limit(c.Train, 13) },
		"the checkpoint is at batch 5 of 4":                      func(c *train.Config) { c.Resume.Progress.Batch = 5 },
		"classes are":                                            func(c *train.Config) { c.Resume.Info.Classes = []string{"a", "b"} },
		"the weights are those of another model: missing conv.w": func(c *train.Config) { require.NoError(t, c.Resume.Store.Delete("conv.weight")) },
	} {
		t.Run(want, func(t *testing.T) {
			c := saved
			c.Resume = load(t, saved.Folder)
			change(&c)
			before := values(t, c.Resume.Store)
			_, err := train.Fit(context.Background(), c)
			require.ErrorContains(t, err, want)
			require.Equal(t, before, values(t, c.Resume.Store), "the store has changed")
		})
	}
}

// The weights of another model are one error that names all that differs, and change nothing.
func TestWeightsOfAnotherModel(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	fit(t, c)
	other := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 3, Kernel: 5, Pad: 2}, nn.ReLU{},
		nn.Flatten{}, nn.Linear{Name: "head", Out: 2},
	}
	w := load(t, c.Folder)
	w.Averaged = false
	before := values(t, w.Store)
	_, err := train.NewPredictor(other, w, ref.Engine{})
	var mismatch *train.MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, &train.MismatchError{
		Missing:    []string{"head.bias", "head.weight"},
		Unused:     []string{"norm.bias", "norm.running_mean", "norm.running_var", "norm.weight", "out.bias", "out.weight", "rng"},
		Mismatched: []train.Difference{{Name: "conv.weight", Have: shape.F32(3, 1, 3, 3), Want: shape.F32(3, 1, 5, 5)}},
	}, mismatch)
	require.ErrorContains(t, err, "conv.weight is float32(3,1,3,3), the model needs float32(3,1,5,5)")
	require.Equal(t, before, values(t, w.Store))

	c.Model, c.Resume = other, load(t, c.Folder)
	_, err = train.Fit(context.Background(), c)
	require.ErrorAs(t, err, &mismatch)
	require.Contains(t, mismatch.Missing, "head.weight.exp_avg")
	require.Contains(t, mismatch.Unused, "out.weight.exp_avg")
}

func TestLoadCheckpointRefuses(t *testing.T) {
	c := config(t)
	c.Folder = t.TempDir()
	fit(t, c)
	path := filepath.Join(c.Folder, train.CheckpointFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := safetensors.ReadFile(path)
	require.NoError(t, err)

	_, err = train.LoadCheckpoint(filepath.Join(c.Folder, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)

	bad := filepath.Join(c.Folder, "bad")
	require.NoError(t, os.WriteFile(bad, whole[:len(whole)-1], 0o666))
	_, err = train.LoadCheckpoint(bad)
	require.ErrorContains(t, err, bad)

	for key, value := range map[string]string{"input": "", "progress": "{", "training": `{"a":1}`, "averaged": "7"} {
		old := file.Metadata[key]
		file.Metadata[key] = value
		require.NoError(t, safetensors.WriteFile(bad, file))
		_, err = train.LoadCheckpoint(bad)
		require.ErrorContains(t, err, "train: reading weights: "+bad+": ")
		require.ErrorContains(t, err, key)
		file.Metadata[key] = old
	}
	file.Tensors = append(file.Tensors, safetensors.Of("void", shape.Of(0), []float32{}))
	require.NoError(t, safetensors.WriteFile(bad, file))
	_, err = train.LoadCheckpoint(bad)
	require.ErrorContains(t, err, `void is float32(0), which a store cannot hold`)
}

// A head that is added to what was loaded is initialised from the store's seed, which need not be
// that of the run.
func TestLoadingKeepsTheSeedOfTheStore(t *testing.T) {
	info := stripes(t, 1).Info()
	path := filepath.Join(t.TempDir(), "w")
	for _, seeds := range [][2]uint64{{7, 7}, {7, 3}, {0, 3}, {math.MaxUint64, 1}} {
		c := &train.Checkpoint{Info: info, Store: vm.NewStore(seeds[0]), Progress: train.Progress{Seed: seeds[1]}}
		require.NoError(t, c.Save(path))
		got, err := train.LoadCheckpoint(path)
		require.NoError(t, err)
		require.Equal(t, seeds[0], got.Store.Seed())
		require.Equal(t, seeds[1], got.Progress.Seed)
	}
}

// Values of every element type, scalars included, come back as they were.
func TestCheckpointKeepsEveryType(t *testing.T) {
	meta, err := stripes(t, 1).Info().Metadata()
	require.NoError(t, err)
	file := safetensors.File{Metadata: meta, Tensors: []safetensors.Tensor{
		safetensors.Of("a", shape.Of(2), []float32{1, float32(math.Inf(-1))}),
		safetensors.Of("b", shape.Of(), []float64{math.Copysign(0, -1)}),
		safetensors.Of("c", shape.Of(1, 2), []int32{-1, 2}),
		safetensors.Of("d", shape.Of(), []int64{math.MinInt64}),
		safetensors.Of("e", shape.Of(3), []uint8{0, 1, 255}),
		safetensors.Of("f", shape.Of(2), []bool{true, false}),
		safetensors.Of("g", shape.Of(4), []shape.Brain{0x8000, 0x7f80, 0x7fc1, 1}),
		safetensors.Of("h", shape.Of(4), []shape.Half{0x8000, 0x7c00, 0x7e01, 1}),
		safetensors.Of("i", shape.Of(2), []int8{-128, 127}),
	}}
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, safetensors.WriteFile(path, file))
	c, err := train.LoadCheckpoint(path)
	require.NoError(t, err)
	require.NoError(t, c.Save(path))
	got, err := safetensors.ReadFile(path)
	require.NoError(t, err)
	require.ElementsMatch(t, file.Tensors, got.Tensors)
}
