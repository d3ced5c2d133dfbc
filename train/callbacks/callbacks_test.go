package callbacks_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// pictures are n images (1,4,4) of two classes that differ in brightness, with noise that leaves some
// in doubt.
func pictures(t testing.TB, n, seed int) data.Dataset {
	t.Helper()
	x, y := make([]float32, n*16), make([]int, n)
	for i := range n {
		y[i] = i % 2
		for p := range 16 {
			x[i*16+p] = 0.5 + 0.1*float32(2*y[i]-1) + 0.5*float32(math.Sin(float64((i+seed)*(p+3)*7)))
		}
	}
	info := data.Info{Input: shape.F32(1, 4, 4), Classes: []string{"dark", "light"}, Preprocess: data.Preprocess{Mean: []float32{0.5}, Std: []float32{0.25}}}
	ds, err := data.New(x, y, info)
	require.NoError(t, err)
	return ds
}

// config is a run of 8 epochs of 4 batches, the last of them smaller.
func config(t testing.TB) train.Config {
	t.Helper()
	list, err := metrics.Parse("f1.macro")
	require.NoError(t, err)
	return train.Config{
		Model: nn.Sequential{nn.Flatten{}, nn.Linear{Name: "hidden", Out: 5}, nn.Tanh{}, nn.Dropout{P: 0.2}, nn.Linear{Name: "out", Out: 2}},
		Train: pictures(t, 30, 0), Validation: pictures(t, 20, 100), Metrics: list,
		Engine: ref.Engine{}, Optimizer: optim.Recipe{Rule: optim.SGD{LR: 0.3, Momentum: 0.9}, Schedule: optim.Cosine{Steps: 40, Floor: 0.5}, Scaled: true},
		Epochs: 8, Batch: 8, Seed: 3,
	}
}

// kit are callbacks of all kinds, and what the run of config leaves in the folder.
func kit(folder string) []train.Callback {
	return []train.Callback{
		&callbacks.TensorBoard{Dir: filepath.Join(folder, "tensorboard"), Every: 1},
		&callbacks.ReduceOnPlateau{Metric: "f1.macro", Patience: 1, Factor: 0.5},
		&callbacks.Best{Metric: "f1.macro"},
		&callbacks.EarlyStopping{Patience: 6},
		&callbacks.CSV{Path: filepath.Join(folder, "epochs.csv")},
	}
}

func fit(t testing.TB, c train.Config) *train.Result {
	t.Helper()
	r, err := train.Fit(context.Background(), c)
	require.NoError(t, err)
	return r
}

func file(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(b)
}

var errStopped = errors.New("stopped by the test")

// A run that is stopped anywhere and goes on makes the files of one that is not.
func TestCallbacksGoOnWhereTheyStopped(t *testing.T) {
	whole := config(t)
	whole.Folder = filepath.Join(t.TempDir(), "whole")
	whole.Callbacks = kit(whole.Folder)
	want := fit(t, whole)
	scale, err := want.Checkpoint.Store.Value(optim.RateScale)
	require.NoError(t, err)
	factor, err := vm.Number(scale)
	require.NoError(t, err)
	require.Less(t, factor, 1., "the rate was never reduced")
	best, _ := whole.Callbacks[2].(*callbacks.Best).Best()
	require.Greater(t, len(want.Epochs), best, "the last epoch is the best")

	for _, stops := range [][]int{{1}, {4}, {5}, {13}, {3, 10, 16, 17}} {
		folder := filepath.Join(t.TempDir(), "run")
		c, made := config(t), 0
		c.Folder, c.Callbacks = folder, kit(folder)
		for _, stop := range stops {
			c.OnStep = func(train.Step) error {
				if made++; made == stop {
					return errStopped
				}
				return nil
			}
			_, err := train.Fit(context.Background(), c)
			require.ErrorIs(t, err, errStopped)
			c.Callbacks = kit(folder)
			c.Resume, err = train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
			require.NoError(t, err)
		}
		c.OnStep = nil
		fit(t, c)
		for _, name := range []string{train.CheckpointFile, callbacks.BestFile, "epochs.csv"} {
			require.Equal(t, file(t, whole.Folder, name), file(t, folder, name), "%s after stops %v", name, stops)
		}
	}
}

func TestTheBestWeightsAreThoseOfTheBestEpoch(t *testing.T) {
	for _, metric := range []string{"f1.macro", "loss", "accuracy", ""} {
		c := config(t)
		c.Folder = t.TempDir()
		one := &callbacks.Best{Metric: metric}
		c.Callbacks = []train.Callback{one}
		r := fit(t, c)
		if metric == "" {
			metric = "loss"
		}
		best := 0
		for i, e := range r.Epochs {
			now, _ := e.Validation.Value(metric)
			then, _ := r.Epochs[best].Validation.Value(metric)
			if metric == "loss" && now < then || metric != "loss" && now > then {
				best = i
			}
		}
		epoch, value := one.Best()
		require.Equal(t, best+1, epoch)
		kept, err := train.LoadCheckpoint(filepath.Join(c.Folder, callbacks.BestFile))
		require.NoError(t, err)
		require.Len(t, kept.Progress.Epochs, epoch)
		p, err := train.NewPredictor(c.Model, kept, c.Engine)
		require.NoError(t, err)
		e, err := p.Evaluate(context.Background(), c.Validation, nil, c.Metrics...)
		require.NoError(t, err)
		measured, _ := e.Value(metric)
		require.InDelta(t, value, measured, 1e-6)
	}
}

// An earlier run in the folder keeps its best weights; killed before it kept the new best, a run keeps
// them when it goes on; in another folder it takes them along.
func TestTheBestWeightsAreNeverLost(t *testing.T) {
	base := t.TempDir()
	run := func(folder string, seed uint64, epochs int, resume *train.Checkpoint) *train.Result {
		c := config(t)
		c.Settings = "the same"
		c.Folder, c.Seed, c.Epochs, c.Resume, c.Callbacks = folder, seed, epochs, resume, []train.Callback{&callbacks.Best{}}
		return fit(t, c)
	}
	folder := filepath.Join(base, "run")
	run(folder, 1, 2, nil)
	first := file(t, folder, callbacks.BestFile)
	r := run(folder, 2, 1, nil)
	require.Equal(t, first, file(t, r.Earlier, callbacks.BestFile))
	second := file(t, folder, callbacks.BestFile)

	load := func(folder string) *train.Checkpoint {
		c, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
		require.NoError(t, err)
		return c
	}
	for _, left := range []string{"", first} { // nothing, or what another run left
		require.NoError(t, os.Remove(filepath.Join(folder, callbacks.BestFile)))
		if left != "" {
			require.NoError(t, os.WriteFile(filepath.Join(folder, callbacks.BestFile), []byte(left), 0o600))
		}
		run(folder, 2, 1, load(folder))
		require.Equal(t, second, file(t, folder, callbacks.BestFile))
	}

	whole := filepath.Join(base, "whole")
	run(whole, 5, 8, nil)
	for epochs := 1; epochs < 8; epochs++ {
		from, to := filepath.Join(base, fmt.Sprint("from", epochs)), filepath.Join(base, fmt.Sprint("to", epochs))
		run(from, 5, epochs, nil)
		run(to, 5, 8, load(from))
		require.Equal(t, file(t, whole, callbacks.BestFile), file(t, to, callbacks.BestFile))
	}
	from := filepath.Join(base, "from7")
	state := load(from)
	var best struct{ Epoch int }
	require.NoError(t, json.Unmarshal(state.Progress.Callbacks["best"], &best))
	require.Less(t, best.Epoch, 7, "choose another seed")
	require.NoError(t, os.Remove(filepath.Join(from, callbacks.BestFile)))
	c := config(t)
	c.Folder, c.Seed, c.Resume, c.Callbacks = from, 5, state, []train.Callback{&callbacks.Best{}}
	_, err := train.Fit(context.Background(), c)
	require.ErrorContains(t, err, fmt.Sprintf("train: Best: the best weights so far are those of epoch %d, and %s does not have them", best.Epoch, filepath.Join(from, callbacks.BestFile)))
}

// Callbacks belong to rank 0; what they decide holds on all.
func TestCallbacksDecideForAllRanks(t *testing.T) {
	run := func(ranks int, folder string) (*train.Result, []*train.Result) {
		results := make([]*train.Result, ranks)
		c := config(t)
		c.Shards, c.Folder, c.Epochs = 4, folder, 20
		c.Callbacks = []train.Callback{
			&callbacks.CSV{Path: filepath.Join(folder, "epochs.csv")},
			&callbacks.Best{Metric: "f1.macro"},
			&callbacks.EarlyStopping{Metric: "f1.macro", Patience: 3},
			&callbacks.ReduceOnPlateau{Metric: "f1.macro", Patience: 1, Factor: 0.5},
		}
		err := local.Run(ranks, func(g dist.Group) error {
			c := c
			c.Group = g
			var err error
			results[g.Rank()], err = train.Fit(context.Background(), c)
			return err
		})
		require.NoError(t, err)
		return results[0], results
	}
	dir := t.TempDir()
	one, _ := run(1, filepath.Join(dir, "1"))
	require.Less(t, len(one.Epochs), 20, "it did not stop early")
	require.Less(t, one.Epochs[len(one.Epochs)-1].Rate, one.Epochs[0].Rate/2, "the rate was not reduced")
	for _, ranks := range []int{2, 4} {
		folder := filepath.Join(dir, fmt.Sprint(ranks))
		_, all := run(ranks, folder)
		for _, r := range all {
			require.Len(t, r.Epochs, len(one.Epochs))
			for _, name := range one.Checkpoint.Store.Names() {
				a, err := one.Checkpoint.Store.Value(name)
				require.NoError(t, err)
				b, err := r.Checkpoint.Store.Value(name)
				require.NoError(t, err)
				require.Equal(t, a.Data(), b.Data(), name)
			}
		}
		for _, name := range []string{train.CheckpointFile, callbacks.BestFile, "epochs.csv"} {
			require.Equal(t, file(t, dir, "1", name), file(t, folder, name))
		}
	}
}

// script is a metric on validation data whose values are given.
type script struct {
	train.NoCallback
	values []float64
	lower  bool
}

// scripted makes c measure the values, one an epoch, under the name "script".
func (s *script) scripted(c *train.Config) {
	epoch := 0
	c.ValidationMetrics = []metrics.Metric{metrics.Mean("script", s.lower, func(_, _ []float64) float64 { return s.values[epoch] })}
	c.Epochs = len(s.values)
	c.OnEpoch = func(train.Epoch) error { epoch++; return nil }
}

func TestARunStopsWhenItsPatienceIsExhausted(t *testing.T) {
	nan := math.NaN()
	for _, x := range []struct {
		values   []float64
		lower    bool
		patience int
		delta    float64
		epochs   int
		best     int
	}{
		{[]float64{5, 4, 3, 2, 1}, true, 1, 0, 5, 5},
		{[]float64{5, 4, 4, 3, 3, 3, 1}, true, 2, 0, 6, 4},
		{[]float64{5, 4, 3, 2, 1}, false, 2, 0, 3, 1},
		{[]float64{1, 1.05, 1.09, 1.12, 1.15, 0}, false, 3, 0.1, 6, 4},
		{[]float64{nan, nan, 1, nan, nan, nan, 2}, false, 3, 0, 6, 3},
		{[]float64{nan, nan, nan}, true, 2, 0, 2, 0},
	} {
		c := config(t)
		s := script{values: x.values, lower: x.lower}
		s.scripted(&c)
		stop := &callbacks.EarlyStopping{Metric: "script", Patience: x.patience, MinDelta: x.delta}
		c.Callbacks = []train.Callback{stop}
		r := fit(t, c)
		require.Len(t, r.Epochs, x.epochs, "%v", x)
		best, stopped := stop.Stopped()
		require.Equal(t, x.best, best)
		require.Equal(t, x.epochs < len(x.values), stopped, "%v", x)
		if !stopped {
			continue
		}
		c.Resume = r.Checkpoint
		require.Len(t, fit(t, c).Epochs, x.epochs, "it goes on although its patience was exhausted")
	}
}

func TestRatesOnPlateausAreThoseOfPyTorch(t *testing.T) {
	var all struct {
		Cases []struct {
			Lower              bool
			Patience, Cooldown int
			Factor, Delta      float64
			Least              float64
			Values, Rates      []float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(file(t, "testdata", "plateau.json")), &all))
	require.NotEmpty(t, all.Cases)
	reduced := 0
	for _, x := range all.Cases {
		c := config(t)
		c.Train, c.Validation, c.Metrics = pictures(t, 2, 0), pictures(t, 2, 1), nil
		s := script{values: x.Values, lower: x.Lower}
		s.scripted(&c)
		c.Optimizer = optim.Recipe{Rule: optim.SGD{LR: 0.5}, Scaled: true}
		c.Callbacks = []train.Callback{&callbacks.ReduceOnPlateau{
			Metric: "script", Patience: x.Patience, Cooldown: x.Cooldown, Factor: x.Factor, MinDelta: x.Delta, Least: x.Least,
		}}
		for i, e := range fit(t, c).Epochs[1:] {
			require.InDelta(t, 0.5*x.Rates[i], e.Rate, 1e-12, "epoch %d of %v", i+2, x)
			if e.Rate < 0.5 {
				reduced++
			}
		}
	}
	require.Greater(t, reduced, 100)
}

// A factor of 1 is none: the bits are those without it.
func TestAScaleOfOneChangesNothing(t *testing.T) {
	c := config(t)
	scaled := fit(t, c)
	recipe := c.Optimizer.(optim.Recipe)
	recipe.Scaled = false
	c.Optimizer = recipe
	plain := fit(t, c)
	for _, name := range plain.Checkpoint.Store.Names() {
		a, err := plain.Checkpoint.Store.Value(name)
		require.NoError(t, err)
		b, err := scaled.Checkpoint.Store.Value(name)
		require.NoError(t, err)
		require.Equal(t, a.Data(), b.Data(), name)
	}
	require.Contains(t, optim.Kept(scaled.Checkpoint.Store.Names()), optim.RateScale)
}

func TestTheTableHasTheEpochs(t *testing.T) {
	c := config(t)
	path := filepath.Join(t.TempDir(), "epochs.csv")
	c.Callbacks = []train.Callback{&callbacks.CSV{Path: path}}
	r := fit(t, c)
	rows, err := csv.NewReader(strings.NewReader(file(t, path))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"epoch", "learning_rate", "loss", "accuracy", "f1.macro", "validation_loss", "validation_accuracy", "validation_f1.macro"}, rows[0])
	require.Len(t, rows, 9)
	for i, e := range r.Epochs {
		f1, _ := e.Validation.Value("f1.macro")
		require.Equal(t, []string{fmt.Sprint(i + 1), fmt.Sprint(e.Rate), fmt.Sprint(e.Train.Loss())}, rows[i+1][:3])
		require.Equal(t, fmt.Sprint(f1), rows[i+1][7])
	}
}

// Accuracy has one column, also where it is asked for by name.
func TestTheTableHasEachMetricOnce(t *testing.T) {
	c := config(t)
	path := filepath.Join(t.TempDir(), "epochs.csv")
	c.Callbacks, c.Epochs = []train.Callback{&callbacks.CSV{Path: path}}, 1
	var err error
	c.Metrics, err = metrics.Parse("accuracy,f1.macro")
	require.NoError(t, err)
	fit(t, c)
	header, _, _ := strings.Cut(file(t, path), "\n")
	require.Equal(t, "epoch,learning_rate,loss,accuracy,f1.macro,validation_loss,validation_accuracy,validation_f1.macro", header)
}

func TestTensorBoardShowsTheRun(t *testing.T) {
	interpreter, err := python.Find("tensorboard.backend.event_processing.event_accumulator")
	if err != nil {
		t.Skip(err)
	}
	folder := filepath.Join(t.TempDir(), "run")
	logs := filepath.Join(folder, "tensorboard")
	c, made := config(t), 0
	c.Folder, c.Epochs = folder, 3
	begin := func() {
		c.Callbacks = []train.Callback{&callbacks.TensorBoard{Dir: logs, Every: 1, Examples: c.Train}}
	}
	begin()
	c.OnStep = func(train.Step) error {
		if made++; made == 6 {
			return errStopped
		}
		return nil
	}
	first := ""
	c.OnEpoch = func(train.Epoch) error { first = file(t, folder, train.CheckpointFile); return nil }
	_, err = train.Fit(context.Background(), c)
	require.ErrorIs(t, err, errStopped)
	// As if it had been killed: it goes on from the end of the first epoch, and repeats two steps.
	require.NoError(t, os.WriteFile(filepath.Join(folder, train.CheckpointFile), []byte(first), 0o600))
	c.Resume, err = train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	begin()
	r := fit(t, c)

	out, err := exec.Command(interpreter, filepath.Join("..", "..", "interop", "tensorboard", "testdata", "read.py"), logs).Output()
	require.NoError(t, err)
	var found struct {
		Scalars    map[string][][2]float64
		Histograms map[string][]struct {
			Step int
			Num  float64
		}
		Images map[string][][4]any
		Graph  [][5]any
	}
	require.NoError(t, json.NewDecoder(bytes.NewReader(out)).Decode(&found))
	steps := found.Scalars["step/loss"]
	require.Len(t, steps, 12, "each step once, although the run went on")
	for i, v := range steps {
		require.EqualValues(t, i+1, v[0])
	}
	for i, e := range r.Epochs {
		f1, _ := e.Validation.Value("f1.macro")
		require.Equal(t, [2]float64{float64(4 * (i + 1)), float64(float32(f1))}, found.Scalars["f1.macro/validation"][i])
		require.Equal(t, float64(float32(e.Train.Loss())), found.Scalars["loss/training"][i][1])
		require.Equal(t, 80., found.Histograms["hidden/weight"][i].Num)
	}
	require.Len(t, found.Images, 8)
	ops := map[any]int{}
	for _, n := range found.Graph {
		ops[n[1]]++
	}
	require.Equal(t, 2, ops["MatMul"], "%v", found.Graph)
}

func TestMistakesAreToldBeforeTheFirstStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for want, change := range map[string]func(*train.Config){
		`train: Best: "f2" is not measured in validation; there are loss, accuracy, f1.macro, and those that Config.Metrics adds`: func(c *train.Config) {
			c.Callbacks = []train.Callback{&callbacks.Best{Metric: "f2"}}
		},
		"train: Best: the run has no Folder": func(c *train.Config) { c.Folder, c.Callbacks = "", []train.Callback{&callbacks.Best{}} },
		"train: Best: the Config has no Validation on which loss could be measured": func(c *train.Config) {
			c.Validation, c.Callbacks = nil, []train.Callback{&callbacks.Best{}}
		},
		"train: EarlyStopping: Patience is 0; want at least 1 epoch": func(c *train.Config) { c.Callbacks = []train.Callback{&callbacks.EarlyStopping{}} },
		"train: EarlyStopping: MinDelta is NaN": func(c *train.Config) {
			c.Callbacks = []train.Callback{&callbacks.EarlyStopping{Patience: 1, MinDelta: math.NaN()}}
		},
		"train: ReduceOnPlateau: Factor is 2": func(c *train.Config) {
			c.Callbacks = []train.Callback{&callbacks.ReduceOnPlateau{Patience: 1, Factor: 2}}
		},
		"train: ReduceOnPlateau: the optimiser's rate cannot be scaled; set Scaled of the optim.Recipe": func(c *train.Config) {
			c.Optimizer, c.Callbacks = optim.SGD{LR: 1}, []train.Callback{&callbacks.ReduceOnPlateau{Patience: 1}}
		},
		"train: CSV: no Path":                            func(c *train.Config) { c.Callbacks = []train.Callback{&callbacks.CSV{}} },
		"train: TensorBoard: no Dir":                     func(c *train.Config) { c.Callbacks = []train.Callback{&callbacks.TensorBoard{}} },
		"tensorboard: mkdir " + file:                     func(c *train.Config) { c.Callbacks = []train.Callback{&callbacks.TensorBoard{Dir: file}} },
		`the Config has two Callbacks with the state "b`: func(c *train.Config) { c.Callbacks = []train.Callback{&callbacks.Best{}, &callbacks.Best{}} },
	} {
		c := config(t)
		c.Folder = filepath.Join(t.TempDir(), "run")
		c.OnStep = func(train.Step) error { t.Error("a step was made"); return nil }
		change(&c)
		r, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
		if c.Folder != "" {
			require.NoDirExists(t, c.Folder)
		}
	}
}

// The state of a checkpoint may be from anywhere.
// What decides after an epoch allocates nothing, so that a run of any length keeps nothing for it.
func TestAnEpochAllocatesNothing(t *testing.T) {
	stopping, best := &callbacks.EarlyStopping{Patience: math.MaxInt}, &callbacks.Best{}
	start := train.Start{Checkpoint: &train.Checkpoint{}, Folder: t.TempDir(), Validated: true}
	require.NoError(t, stopping.Start(start))
	require.NoError(t, best.Start(start))
	for name, change := range map[string]float64{"better": -1e-3, "worse": 1e-3} {
		e := train.Epoch{Validation: &train.Metrics{Examples: 1, LossSum: 100}}
		var failed error
		require.Zero(t, allocs.PerRun(100, func() {
			e.Number++
			e.Validation.LossSum += change
			failed = cmp.Or(failed, stopping.Epoch(e), best.Epoch(e))
		}), name)
		require.NoError(t, failed)
	}
}

// The table is written anew after each epoch: the memory for it grows with its lines, by a few cells for each.
func TestTheTableTakesMemoryForItsLinesOnly(t *testing.T) {
	ck := &train.Checkpoint{}
	table := &callbacks.CSV{Path: filepath.Join(t.TempDir(), "epochs.csv")}
	require.NoError(t, table.Start(train.Start{Checkpoint: ck, Validated: true, Labelled: true}))
	written := func(epochs int) float64 {
		ck.Progress.Epochs = nil
		for n := range epochs {
			e := train.Epoch{Number: n + 1, Rate: 0.1, Train: train.Metrics{Examples: 3, LossSum: float64(n)}}
			e.Validation = &e.Train
			ck.Progress.Epochs = append(ck.Progress.Epochs, e)
		}
		var failed error
		n := allocs.PerRun(3, func() { failed = cmp.Or(failed, table.Saved(train.Epoch{})) })
		require.NoError(t, failed)
		return n
	}
	const cells, slices = 6, 4 // of a line
	require.LessOrEqual(t, written(300)-written(100), 200.*(cells+slices))
}

func TestAStateThatIsNoneIsAnError(t *testing.T) {
	c := config(t)
	c.Folder = filepath.Join(t.TempDir(), "run")
	c.Epochs, c.Callbacks = 1, kit(c.Folder)
	r := fit(t, c)
	require.Len(t, r.Checkpoint.Progress.Callbacks, 3)
	for key := range r.Checkpoint.Progress.Callbacks {
		for _, bad := range []string{`3`, `{"epoch":-1}`, `{"waited":-1}`, `{"best":7}`, `{"best":{"epoch":-1},"cool":-3}`} {
			resume := *r.Checkpoint
			resume.Progress.Callbacks = map[string]json.RawMessage{key: json.RawMessage(bad)}
			c.Resume, c.Epochs, c.Callbacks = &resume, 2, kit(c.Folder)
			_, err := train.Fit(context.Background(), c)
			if strings.Contains(bad, "best") == (key == "plateau.rate.scale") || bad == "3" {
				require.ErrorContains(t, err, fmt.Sprintf("train: resuming: the state of %q: ", key), bad)
			}
		}
	}
}

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Types: []any{new(callbacks.Best), new(callbacks.CSV), new(callbacks.EarlyStopping), new(callbacks.ReduceOnPlateau), new(callbacks.TensorBoard)},
		Good: func() []any {
			return []any{&train.Result{}, errStopped, train.Start{Checkpoint: &train.Checkpoint{Store: vm.NewStore(1)}}, train.Epoch{}, train.Step{}, json.RawMessage("{}"), tensor.New(tensor.FromScalar(1.))}
		},
		Unheld: []string{"*.Start", "*.Epoch", "*.Step", "*.Saved", "*.End", "*.Key", "*.State", "*.Restore"},
	})
}
