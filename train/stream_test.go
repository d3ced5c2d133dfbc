package train_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	measures "github.com/plexaura/plexaura/train/metrics"
)

// reordered is the stream of a dataset in the order that Fit has for it.
type reordered struct {
	data.Dataset
	seed uint64
}

func (s reordered) Open(_ context.Context, epoch int) (data.Reader, error) {
	l, err := data.NewLoader(s.Dataset, data.Batching{Size: s.Len(), Shuffle: true, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	r := &reorderedReader{}
	for b, err := range l.Epoch(epoch) {
		r.order = slices.Clone(b.Examples)
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (s reordered) Decode(r *data.Record, e data.Example) error { return s.Read(r.Index, e) }

type reorderedReader struct{ order []int }

func (r *reorderedReader) Next(to *data.Record) error {
	if len(r.order) == 0 {
		return io.EOF
	}
	to.Index, r.order = r.order[0], r.order[1:]
	return nil
}

func (r *reorderedReader) Close() error { return nil }

// A stream of a dataset's examples in the same order trains to the same bits.
func TestAStreamTrainsAsItsDatasetDoes(t *testing.T) {
	for _, dropLast := range []bool{false, true} {
		c := config(t)
		c.DropLast = dropLast
		c.Metrics = []measures.Metric{measures.PerClass{Of: measures.F1}}
		want := fit(t, c)
		c.Stream, c.Train = reordered{stripes(t, 14), c.Seed}, nil
		for _, c.StepsPerEpoch = range []int{0, 4, 9} {
			have := fit(t, c)
			require.Equal(t, values(t, want.Checkpoint.Store), values(t, have.Checkpoint.Store))
			require.Equal(t, timeless(want.Epochs), timeless(have.Epochs))
		}
	}
}

// streaming is a run of 3 epochs of 4 batches of a stream, with all that is random: a buffer, augmentation,
// mixing and dropout.
func streaming(t testing.TB) train.Config {
	t.Helper()
	c := augmented(t)
	s, err := data.StreamOf(c.Train)
	require.NoError(t, err)
	c.Train, c.Stream, c.Buffer = nil, s, 5
	return c
}

// forever yields the stripes of a dataset over and over.
func forever(t testing.TB, ds data.Dataset) data.Stream {
	t.Helper()
	s, err := data.Generate(ds.Info(), func(_ context.Context, epoch int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			e := data.Example{X: make([]float32, 16), Labels: make([]int32, 1)}
			for i := epoch; yield(e, ds.Read(i%ds.Len(), e)); i++ {
			}
		}
	})
	require.NoError(t, err)
	return s
}

func TestResumeAStreamAtEveryStep(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, config := range map[string]func() train.Config{
		"to its end": func() train.Config { return streaming(t) },
		"endless": func() train.Config {
			c := streaming(t)
			c.Stream, c.StepsPerEpoch = forever(t, stripes(t, 14)), 4
			return c
		},
	} {
		whole := config()
		whole.Folder = t.TempDir()
		want := fit(t, whole)
		require.Equal(t, 12, want.Checkpoint.Progress.Steps(3))
		file := func(folder string) []byte {
			b, err := os.ReadFile(filepath.Join(folder, train.CheckpointFile))
			require.NoError(t, err)
			return b
		}
		for step := 1; step <= 12; step++ {
			t.Run(fmt.Sprint(name, step), func(t *testing.T) {
				c := config()
				c.Folder, c.Workers = t.TempDir(), step%4-1
				_, err := train.Fit(stopAfter(&c, step), c)
				require.ErrorIs(t, err, errStopped)
				c.OnStep, c.Resume, c.Workers = nil, load(t, c.Folder), (step+1)%4-1
				result := fit(t, c)
				require.Equal(t, values(t, want.Checkpoint.Store), values(t, result.Checkpoint.Store))
				require.Equal(t, timeless(want.Epochs), timeless(result.Epochs))
				require.Equal(t, file(whole.Folder), file(c.Folder))
			})
		}
	}
	for i := 0; i < 1000 && runtime.NumGoroutine() > before; i++ {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestAStreamHasTheSameBitsOnAnyNumberOfRanks(t *testing.T) {
	for _, steps := range []int{0, 2} {
		c := streaming(t)
		c.Mix = nil
		c.Metrics = []measures.Metric{measures.PerClass{Of: measures.F1}}
		c.Batch, c.Shards, c.StepsPerEpoch = 5, 4, steps
		one := fit(t, c)
		want := values(t, one.Checkpoint.Store)
		for _, ranks := range []int{2, 4} {
			results, errs := onRanks(t, ranks, c, func(rank int, c *train.Config) { c.Workers = rank })
			noErrors(t, errs)
			for _, r := range results {
				require.Equal(t, want, values(t, r.Checkpoint.Store))
				require.Equal(t, timeless(one.Epochs), timeless(r.Epochs))
			}
		}
	}
}

func TestRanksWithDifferentStreamsAreTold(t *testing.T) {
	generated := func(n int, of float32) data.Stream {
		s, err := data.Generate(stripes(t, 2).Info(), func(context.Context, int) iter.Seq2[data.Example, error] {
			return func(yield func(data.Example, error) bool) {
				for range n {
					if !yield(data.Example{X: slices.Repeat([]float32{of}, 16), Labels: []int32{0}}, nil) {
						return
					}
				}
			}
		})
		require.NoError(t, err)
		return s
	}
	for want, streams := range map[string][2]data.Stream{
		"epoch 1 of 3, batch 1 (step 1): the Stream of rank 1 has other examples than that of rank 0: 4 and 4 in this batch": {generated(9, 1), generated(9, 2)},
		"batch 3 (step 3): the Stream of rank 1 has other examples than that of rank 0: 2 and 1 in this batch":               {generated(9, 1), generated(10, 1)},
		"the Stream of rank 1 has other examples than that of rank 0: 1 and 0 in this batch":                                 {generated(8, 1), generated(9, 1)},
	} {
		c := config(t)
		c.Train, c.Shards = nil, 2
		_, errs := onRanks(t, 2, c, func(rank int, c *train.Config) { c.Stream = streams[rank] })
		for _, err := range errs {
			require.ErrorContains(t, err, "the Stream of rank 1 has other")
			var shared *train.SharedError
			require.ErrorAs(t, err, &shared)
			require.NotContains(t, err.Error(), "\n")
		}
		require.ErrorContains(t, errors.Join(errs...), want)
	}
}

func TestConfigsOfStreamsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(c *train.Config){
		"train: the Config has a dataset to Train on and a Stream; leave one out":           func(c *train.Config) { c.Train = stripes(t, 14) },
		"train: the Config has no dataset to Train on, and no Stream":                       func(c *train.Config) { c.Stream = nil },
		"train: Buffer and StepsPerEpoch are of a Stream, and the Config has none":          func(c *train.Config) { c.Train, c.Stream = stripes(t, 14), nil },
		"data: Weights draw from all examples of a dataset; a stream has only the next one": func(c *train.Config) { c.Weights = make([]float64, 14) },
		"data: -1 Steps; want at least 1, or 0 for all":                                     func(c *train.Config) { c.StepsPerEpoch = -1 },
		"data: a Buffer of -2 examples; want 0 to 16777216":                                 func(c *train.Config) { c.Buffer = -2 },
		"train: training: of an epoch of a Stream without StepsPerEpoch, which may have any num": func(c *train.Config) {
			c.Mix, c.Metrics = nil, []measures.Metric{measures.PerClass{Of: measures.ROCAUC}}
		},
	} {
		c := streaming(t)
		change(&c)
		result, err := train.Fit(context.Background(), c)
		require.Nil(t, result)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	c := streaming(t)
	c.Mix, c.Metrics, c.StepsPerEpoch = nil, []measures.Metric{measures.PerClass{Of: measures.ROCAUC}}, 4
	require.Len(t, fit(t, c).Epochs[2].Train.Values, 1, "StepsPerEpoch bounds what is kept")
}

func TestAnotherStreamIsNotResumed(t *testing.T) {
	c := streaming(t)
	c.Folder = t.TempDir()
	_, err := train.Fit(stopAfter(&c, 6), c)
	require.ErrorIs(t, err, errStopped)
	for want, change := range map[string]func(c *train.Config){
		"the run began with a Stream with Buffer 5 and StepsPerEpoch 0, this has a Stream with Buffer 6 and StepsPerEpoch 0": func(c *train.Config) { c.Buffer = 6 },
		"this has a Stream with Buffer 5 and StepsPerEpoch 3":                                                                func(c *train.Config) { c.StepsPerEpoch = 3 },
		"this has a dataset": func(c *train.Config) { c.Train, c.Stream, c.Buffer = stripes(t, 14), nil, 0 },
		"epoch 2 of 3, batch 3 (step 7): data: the stream has only 4 examples, 1 batches: it cannot go on after 2": func(c *train.Config) {
			s, err := data.StreamOf(stripes(t, 4))
			require.NoError(t, err)
			c.Stream = s
		},
	} {
		c := c
		c.OnStep, c.Resume, c.Folder = nil, load(t, c.Folder), ""
		change(&c)
		_, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, want)
	}
}

// Steps have numbers that go on, though nobody knows how many there will be.
func TestStepsOfAStreamAreCounted(t *testing.T) {
	c := streaming(t)
	c.Epochs = 2
	s, err := data.Generate(stripes(t, 2).Info(), func(ctx context.Context, epoch int) iter.Seq2[data.Example, error] { // 2 batches, then 3
		return func(yield func(data.Example, error) bool) {
			ds := stripes(t, 8+3*epoch)
			e := data.Example{X: make([]float32, 16), Labels: make([]int32, 1)}
			for i := 0; i < ds.Len() && yield(e, ds.Read(i, e)); i++ {
			}
		}
	})
	require.NoError(t, err)
	c.Stream = s
	var start train.Start
	var steps []train.Step
	c.OnStart = func(s train.Start) error { start = s; return nil }
	c.OnStep = func(s train.Step) error { steps = append(steps, s); return nil }
	dir := t.TempDir()
	c.Callbacks = []train.Callback{
		&callbacks.TensorBoard{Dir: filepath.Join(dir, "board"), Every: 1}, &callbacks.CSV{Path: filepath.Join(dir, "x.csv")},
		&callbacks.Best{}, &callbacks.EarlyStopping{Patience: 5},
	}
	c.Folder = filepath.Join(dir, "run")
	result := fit(t, c)
	require.Zero(t, start.Batches)
	require.Len(t, steps, 5)
	for i, s := range steps {
		require.Equal(t, i+1, s.Number)
		require.Equal(t, []int{1, 1, 2, 2, 2}[i], s.Epoch)
		require.Equal(t, []int{1, 2, 1, 2, 3}[i], s.Batch)
		require.Zero(t, s.Batches)
	}
	p := result.Checkpoint.Progress
	require.Equal(t, []int{0, 2, 5, 5}, []int{p.Steps(-1), p.Steps(1), p.Steps(2), p.Steps(9)})
	require.Equal(t, []int{8, 11}, []int{result.Epochs[0].Train.Examples, result.Epochs[1].Train.Examples})
	table, err := os.ReadFile(filepath.Join(dir, "x.csv"))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(table), "\n"))
}

// named gives records names, as those of archives have.
type named struct{ data.Stream }

func (n named) Open(ctx context.Context, epoch int) (data.Reader, error) {
	r, err := n.Stream.Open(ctx, epoch)
	return namedReader{r}, err
}

type namedReader struct{ data.Reader }

func (n namedReader) Next(r *data.Record) error {
	err := n.Reader.Next(r)
	r.Name = fmt.Sprintf("shard.tar/%d", r.Index)
	return err
}

func TestWhereValuesOfAStreamBecomeNotFinite(t *testing.T) {
	c := diverging(t, func(x *graph.Node) *graph.Node { return x }, func(x []float32) { x[3] = float32(math.Inf(1)) })
	s, err := data.StreamOf(c.Train)
	require.NoError(t, err)
	c.Train, c.Stream, c.Buffer = nil, named{s}, 3
	_, err = train.Fit(context.Background(), c)
	var found *train.NotFiniteError
	require.ErrorAs(t, err, &found)
	require.Equal(t, train.InData, found.Phase)
	require.Equal(t, []int{5}, found.Examples)
	require.Equal(t, []string{"shard.tar/5"}, found.Files)

	o := overflowing(t)
	if s, err = data.StreamOf(o.Train); err != nil {
		t.Fatal(err)
	}
	o.Train, o.Stream, o.StepsPerEpoch = nil, s, 3
	_, err = train.Fit(context.Background(), o)
	require.ErrorAs(t, err, &found)
	require.Equal(t, train.InUpdate, found.Phase, "the step before is made again, from the stream that is read again")
}

// onlyOnce can be opened once, as a pipe can.
type onlyOnce struct {
	data.Stream
	opened *int
}

var errOnce = errors.New("it has been read")

func (o onlyOnce) Open(ctx context.Context, epoch int) (data.Reader, error) {
	if *o.opened++; *o.opened > 1 {
		return nil, errOnce
	}
	return o.Stream.Open(ctx, epoch)
}

func TestAPipeTrainsForOneEpoch(t *testing.T) {
	c := streaming(t)
	once := func() data.Stream { return onlyOnce{c.Stream, new(int)} }
	c.Epochs = 1
	want := fit(t, c)
	first := c
	first.Stream = once()
	require.Equal(t, values(t, want.Checkpoint.Store), values(t, fit(t, first).Checkpoint.Store))

	again := c
	again.Stream, again.Epochs = once(), 2
	result, err := train.Fit(context.Background(), again)
	require.ErrorIs(t, err, errOnce)
	require.ErrorContains(t, err, "train: epoch 2 of 2, batch 1 (step 5): data: opening the stream: it has been read")
	require.Len(t, result.Epochs, 1)

	stopped := c
	stopped.Stream = once()
	result, err = train.Fit(stopAfter(&stopped, 2), stopped)
	require.ErrorIs(t, err, errStopped)
	stopped.OnStep, stopped.Stream, stopped.Resume = nil, once(), result.Checkpoint
	require.Equal(t, values(t, want.Checkpoint.Store), values(t, fit(t, stopped).Checkpoint.Store))
}

func TestAStreamThatIsEmptyInAnEpochEndsTheRun(t *testing.T) {
	ds := stripes(t, 8)
	s, err := data.Generate(ds.Info(), func(_ context.Context, epoch int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			e := data.Example{X: make([]float32, 16), Labels: make([]int32, 1)}
			for i := 0; epoch == 0 && i < ds.Len() && yield(e, ds.Read(i, e)); i++ {
			}
		}
	})
	require.NoError(t, err)
	c := config(t)
	c.Train, c.Stream = nil, s
	result, err := train.Fit(context.Background(), c)
	require.EqualError(t, err, "train: epoch 2 of 3, batch 1 (step 3): data: the stream has no examples")
	require.Len(t, result.Epochs, 1)
}

// A stream that waits for what does not come ends with the context.
func TestACancelledRunDoesNotWaitForItsStream(t *testing.T) {
	before := runtime.NumGoroutine()
	ds := stripes(t, 8)
	waiting := make(chan struct{}, 1)
	s, err := data.Generate(ds.Info(), func(ctx context.Context, _ int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			e := data.Example{X: make([]float32, 16), Labels: make([]int32, 1)}
			for i := 0; i < ds.Len() && yield(e, ds.Read(i, e)); i++ {
			}
			waiting <- struct{}{}
			<-ctx.Done()
		}
	})
	require.NoError(t, err)
	c := config(t)
	c.Train, c.Stream, c.Folder = nil, s, t.TempDir()
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { <-waiting; cancel(errStopped) }()
	result, err := train.Fit(ctx, c)
	require.ErrorIs(t, err, errStopped)
	require.ErrorContains(t, err, "train: epoch 1 of 3, batch ")
	require.LessOrEqual(t, result.Checkpoint.Progress.Batch, 2)
	for i := 0; i < 1000 && runtime.NumGoroutine() > before; i++ {
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestRatesAreFoundOnAStream(t *testing.T) {
	c := train.Config{Model: network, Engine: ref.Engine{}, Optimizer: optim.SGD{LR: .1}, Batch: 4, Seed: 3, Augment: augment.HorizontalFlip{}}
	c.Stream, c.StepsPerEpoch, c.Buffer = forever(t, stripes(t, 14)), 4, 3
	curve, err := train.FindRate(context.Background(), c, train.RateSearch{Steps: 10, To: .1})
	require.NoError(t, err)
	require.Len(t, curve.Rates, 10)
}
