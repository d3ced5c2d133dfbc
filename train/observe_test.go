package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/train"
	measures "github.com/plexaura/plexaura/train/metrics"
)

// measured is the run of config with metrics of each kind of sum.
func measured(t testing.TB) train.Config {
	t.Helper()
	c := config(t)
	var err error
	c.Metrics, err = measures.Parse("f1.macro,roc_auc,log_loss,recall.class,accuracy")
	require.NoError(t, err)
	c.ValidationMetrics, err = measures.Parse("average_precision")
	require.NoError(t, err)
	return c
}

func TestMetricsAreThoseOfAllExamplesOfAnEpoch(t *testing.T) {
	c := measured(t)
	c.Folder = t.TempDir()
	result := fit(t, c)
	for _, e := range result.Epochs {
		require.Len(t, e.Train.Values, 6)
		require.Len(t, e.Validation.Values, 7)
		for _, m := range []train.Metrics{e.Train, *e.Validation} {
			accuracy, ok := m.Values.Get("accuracy")
			require.True(t, ok)
			require.Equal(t, m.Accuracy(), accuracy)
			recall, ok := m.Value("recall.class.1")
			require.True(t, ok)
			require.GreaterOrEqual(t, recall, 0.)
		}
		loss, ok := e.Validation.Value("log_loss")
		require.True(t, ok)
		require.InDelta(t, e.Validation.Loss(), loss, 1e-6, "the default loss is the log loss")
	}
	_, ok := result.Epochs[0].Train.Value("average_precision")
	require.False(t, ok, "it is one of validation")

	p, err := train.NewPredictor(network, result.Checkpoint, ref.Engine{})
	require.NoError(t, err)
	e, err := p.Evaluate(context.Background(), c.Validation, nil, append(c.Metrics, c.ValidationMetrics...)...)
	require.NoError(t, err)
	last := result.Epochs[len(result.Epochs)-1].Validation
	for i, v := range last.Values {
		require.Equal(t, v.Name, e.Values[i].Name)
		require.InDelta(t, v.Value, e.Values[i].Value, 1e-6, v.Name) // in batches of another size
	}

	b, err := os.ReadFile(filepath.Join(c.Folder, train.MetricsFile))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	require.Len(t, lines, c.Epochs)
	var line map[string]float64
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &line))
	require.Equal(t, last.Values[0].Value, line["validation_f1.macro"])
	require.Contains(t, line, "f1.macro")
	require.Contains(t, line, "validation_average_precision")
	require.Equal(t, 1, strings.Count(lines[2], `"accuracy"`))
	require.Regexp(t, `^\{"epoch":3,"loss":.*"wait_share":[^,]*\}$`, lines[2])
}

// In the middle of an epoch the sums are part of the checkpoint, in the file too.
func TestAResumedEpochHasItsMetrics(t *testing.T) {
	whole := measured(t)
	whole.Folder = t.TempDir()
	want := fit(t, whole)
	for steps := 1; steps < 12; steps++ {
		c := measured(t)
		c.Folder = t.TempDir()
		_, err := train.Fit(stopAfter(&c, steps), c)
		require.ErrorIs(t, err, errStopped)
		c.Resume, c.OnStep = load(t, c.Folder), nil
		got := fit(t, c)
		require.Equal(t, timeless(want.Epochs), timeless(got.Epochs), "after %d steps", steps)
		require.Equal(t, metrics(t, whole.Folder), metrics(t, c.Folder))
		a, err := os.ReadFile(filepath.Join(whole.Folder, train.CheckpointFile))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(c.Folder, train.CheckpointFile))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	// Without a folder, and from a file that OnStep saves.
	for _, save := range []bool{false, true} {
		c := measured(t)
		file, steps := filepath.Join(t.TempDir(), "step.safetensors"), 0
		var state *train.Checkpoint
		c.OnStart = func(s train.Start) error { state = s.Checkpoint; return nil }
		c.OnStep = func(train.Step) error {
			if steps++; steps != 6 {
				return nil
			}
			return errors.Join(state.Save(file), train.ErrStop)
		}
		r := fit(t, c)
		c.OnStart, c.OnStep, c.Resume = nil, nil, r.Checkpoint
		if save {
			var err error
			c.Resume, err = train.LoadCheckpoint(file)
			require.NoError(t, err)
		}
		require.Equal(t, timeless(want.Epochs), timeless(fit(t, c).Epochs))
	}
}

func TestAnEpochGoesOnWithItsMetricsOnly(t *testing.T) {
	c := measured(t)
	c.Folder = t.TempDir()
	_, err := train.Fit(stopAfter(&c, 6), c)
	require.ErrorIs(t, err, errStopped)
	for _, list := range []string{"", "f1.macro"} {
		c.Resume, c.OnStep = load(t, c.Folder), nil
		c.Metrics, err = measures.Parse(list)
		require.NoError(t, err)
		r, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, "train: resuming in the middle of an epoch, which needs the metrics that it began with: metrics: ")
		require.Nil(t, r)
	}
}

func TestMetricsThatDoNotFitAreRefusedBeforeTheFirstStep(t *testing.T) {
	own := func(name string) []measures.Metric {
		return []measures.Metric{measures.Mean(name, false, func(_, _ []float64) float64 { return 1 })}
	}
	regression, err := measures.Parse("mae")
	require.NoError(t, err)
	for want, change := range map[string]func(*train.Config){
		"train: training: metrics: mae: the output is float32(N,2) and the target int32(N)":   func(c *train.Config) { c.Metrics = regression },
		"train: validation: metrics: mae: the output is float32(N,2) and the target int32(N)": func(c *train.Config) { c.Metrics, c.ValidationMetrics = nil, regression },
		`train: training: a metric cannot be named "loss": that stands for something else`:    func(c *train.Config) { c.Metrics = own("loss") },
		`a metric cannot be named "validation_f1"`:                                            func(c *train.Config) { c.Metrics = own("validation_f1") },
		"the Config has ValidationMetrics, but no Validation":                                 func(c *train.Config) { c.Validation = nil },
		"metrics: f1.macro is there twice":                                                    func(c *train.Config) { c.ValidationMetrics = c.Metrics },
		"the Config has a Callback that is nil":                                               func(c *train.Config) { c.Callbacks = []train.Callback{nil} },
	} {
		c := measured(t)
		c.OnStep = func(train.Step) error { t.Error("a step was made"); return nil }
		change(&c)
		r, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
		require.Equal(t, 1, strings.Count(err.Error(), "train: "), err)
	}
}

// Mixed targets are no class numbers: validation alone has metrics.
func TestTrainingOnMixedTargetsHasNoMetrics(t *testing.T) {
	c := measured(t)
	c.Mix = augment.MixUp{Classes: 2}
	e := fit(t, c).Epochs[0]
	require.Empty(t, e.Train.Values)
	require.Len(t, e.Validation.Values, 7)
}

// noted is a callback that notes what it is called for.
type noted struct {
	train.NoCallback
	name  string
	notes *[]string
	at    string // where it fails
	err   error
}

func (n noted) note(what string) error {
	*n.notes = append(*n.notes, n.name+" "+what)
	if n.at == what {
		return n.err
	}
	return nil
}

func (n noted) Start(train.Start) error        { return n.note("start") }
func (n noted) Epoch(train.Epoch) error        { return n.note("epoch") }
func (n noted) Saved(train.Epoch) error        { return n.note("saved") }
func (n noted) End(*train.Result, error) error { return n.note("end") }

// What stops a run, stops it once all callbacks have seen the epoch and it is saved.
func TestCallbacksAreCalledInOrder(t *testing.T) {
	var notes []string
	run := func(at string, err error) (*train.Result, error) {
		notes = nil
		c := config(t)
		c.Epochs = 2
		c.Callbacks = []train.Callback{noted{name: "a", notes: &notes, at: at, err: err}, noted{name: "b", notes: &notes}}
		c.OnEpoch = func(e train.Epoch) error { notes = append(notes, "config"); return nil }
		return train.Fit(context.Background(), c)
	}
	epoch := []string{"a epoch", "b epoch", "a saved", "b saved", "config"}
	concat := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	start, end := []string{"a start", "b start"}, []string{"b end", "a end"}

	_, err := run("", nil)
	require.NoError(t, err)
	require.Equal(t, concat(start, epoch, epoch, end), notes)

	r, err := run("epoch", train.ErrStop)
	require.NoError(t, err)
	require.Len(t, r.Epochs, 1)
	require.Equal(t, concat(start, epoch, end), notes)

	failed := errors.New("failed")
	_, err = run("epoch", failed)
	require.ErrorIs(t, err, failed)
	require.Equal(t, concat(start, epoch, end), notes)

	r, err = run("start", train.ErrStop)
	require.NoError(t, err)
	require.Empty(t, r.Epochs)
	require.Equal(t, concat(start, end), notes)

	r, err = run("start", failed)
	require.ErrorIs(t, err, failed)
	require.Nil(t, r)
	require.Equal(t, []string{"a start"}, notes)

	_, err = run("end", failed)
	require.ErrorIs(t, err, failed)
}
