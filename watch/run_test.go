package watch

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/metrics"
)

// fit trains with a page that measures at every step it can.
func fit(t testing.TB, c train.Config, r *Run) (*train.Result, error) {
	t.Helper()
	r.pace = budget{share: 1e9}
	r.Attach(&c)
	result, err := train.Fit(context.Background(), c)
	r.Finish(result, err)
	return result, err
}

// The weights, the optimiser's state and the metrics of a run are the same to the bit.
func TestWatchingChangesNothingOfTheRun(t *testing.T) {
	files := map[bool][]byte{}
	for _, watched := range []bool{false, true} {
		c := config(t)
		c.Folder = filepath.Join(t.TempDir(), "run")
		if !watched {
			_, err := train.Fit(context.Background(), c)
			require.NoError(t, err)
		} else {
			r := NewRun(Options{})
			s := serve(t, r)
			events := listen(context.Background(), t, s)
			_, err := fit(t, c, r)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			tables, _ := tablesOf(t, events)
			require.NotEmpty(t, tables["norms"].Rows)
		}
		b, err := os.ReadFile(filepath.Join(c.Folder, train.CheckpointFile))
		require.NoError(t, err)
		files[watched] = b
	}
	require.Equal(t, files[false], files[true])
}

// Where a step has all examples, the change that plain descent makes is the rate times the
// gradient.
func TestNormsAreThoseOfTheStep(t *testing.T) {
	const rate = .125
	c := config(t)
	c.Model = nn.Sequential{nn.Conv2D{Name: "conv", Out: 3, Kernel: 3}, nn.Tanh{}, nn.Flatten{}, nn.Linear{Name: "fc", Out: 2}}
	c.Train, c.Validation, c.Batch, c.Epochs = bars(t, probeBatch), nil, probeBatch, 1
	c.Optimizer = optim.SGD{LR: rate}
	size := map[string]float64{}
	c.OnStart = func(s train.Start) error {
		for _, name := range s.Checkpoint.Store.Names() {
			if layer := filepath.Ext(name); layer == ".weight" || layer == ".bias" {
				v, err := s.Checkpoint.Store.Value(name)
				require.NoError(t, err)
				for _, f := range v.Float32s() {
					size[name[:len(name)-len(layer)]] += float64(f) * float64(f)
				}
			}
		}
		return nil
	}
	r := NewRun(Options{})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	_, err := fit(t, c, r)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	tables, _ := tablesOf(t, events)
	norms := tables["norms"]
	require.Equal(t, []string{"step", "gradient conv", "gradient fc", "update conv", "update fc"}, norms.Columns)
	require.Len(t, norms.Rows, 1)
	for i, layer := range []string{"conv", "fc"} {
		gradient, update := float64(norms.Rows[0][1+i]), float64(norms.Rows[0][3+i])
		require.Positive(t, gradient)
		require.InEpsilon(t, rate*gradient/math.Sqrt(size[layer]), update, 1e-5, layer)
	}
}

// What a browser has read are the steps and epochs of the run.
func TestTheTablesAreTheRun(t *testing.T) {
	c := config(t)
	var losses []float64
	c.OnStep = func(s train.Step) error { losses = append(losses, s.Loss); return nil }
	r := NewRun(Options{Title: "bars"})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	result, err := fit(t, c, r)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	tables, state := tablesOf(t, events)
	require.Equal(t, finished, state.Phase)
	require.Empty(t, state.Notes)
	steps := tables["steps"]
	require.Len(t, steps.Rows, 18)
	for i, row := range steps.Rows {
		require.EqualValues(t, i+1, row[0])
		require.InEpsilon(t, losses[i], float64(row[1]), 1e-5)
	}
	right := 0.0
	for _, row := range steps.Rows[12:] {
		right += 16 * float64(row[2])
	}
	require.InDelta(t, result.Epochs[2].Train.Correct, right, 1e-3)
	epochs := tables["epochs"]
	require.Len(t, epochs.Rows, 3)
	require.InDelta(t, result.Epochs[2].Validation.Accuracy(), float64(epochs.Rows[2][5]), 1e-5)
}

// A stream has steps of which nobody knows how many there will be, and no examples to look at.
func TestARunOfAStreamIsShown(t *testing.T) {
	c := config(t)
	ds := c.Train
	n := (ds.Len()-1)/c.Batch + 1
	var err error
	c.Stream, err = data.StreamOf(ds)
	require.NoError(t, err)
	c.Train, c.Validation = nil, nil
	r := NewRun(Options{})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	_, err = fit(t, c, r)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	tables, state := tablesOf(t, events)
	require.Equal(t, finished, state.Phase)
	require.Zero(t, state.Batches)
	require.True(t, math.IsNaN(float64(state.Left)) || state.Left == 0, "%v", state.Left)
	require.Equal(t, []string{"maps and norms are not shown: a Stream is read to be learnt from; set Validation to have examples to show"}, state.Notes)
	require.Len(t, tables["steps"].Rows, c.Epochs*n)
	for i, row := range tables["steps"].Rows {
		require.EqualValues(t, i+1, row[0])
	}
	require.Len(t, tables["epochs"].Rows, c.Epochs)
	for i, row := range tables["epochs"].Rows {
		require.EqualValues(t, (i+1)*n, row[0])
	}
}

func TestFurtherMetricsHaveColumns(t *testing.T) {
	c := config(t)
	var err error
	c.Metrics, err = metrics.Parse("accuracy,f1.macro,log_loss")
	require.NoError(t, err)
	r := NewRun(Options{})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	result, err := fit(t, c, r)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	tables, _ := tablesOf(t, events)
	epochs := tables["epochs"]
	require.Equal(t, []string{"f1.macro", "validation f1.macro", "log_loss", "validation log_loss"}, epochs.Columns[6:])
	require.Len(t, epochs.Rows, 3)
	for i, e := range result.Epochs {
		training, _ := e.Train.Value("f1.macro")
		validation, _ := e.Validation.Value("log_loss")
		require.InDelta(t, training, float64(epochs.Rows[i][6]), 1e-5)
		require.InDelta(t, validation, float64(epochs.Rows[i][9]), 1e-5)
	}
}

// That something cannot be shown is a note on the page, and the run goes on.
func TestWhatCannotBeShownIsANote(t *testing.T) {
	c := config(t)
	c.Validation = &flaky{Dataset: bars(t, 32)}
	r := NewRun(Options{})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	_, err := fit(t, c, r)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	tables, state := tablesOf(t, events)
	require.Equal(t, finished, state.Phase)
	require.Len(t, state.Notes, 1)
	require.Contains(t, state.Notes[0], "maps and norms are not shown: ")
	require.Contains(t, state.Notes[0], "not now")
	require.Len(t, tables["steps"].Rows, 18)
}

// flaky panics when it is read for the first time.
type flaky struct {
	data.Dataset
	read atomic.Bool
}

func (f *flaky) Read(i int, e data.Example) error {
	if !f.read.Swap(true) {
		panic("not now")
	}
	return f.Dataset.Read(i, e)
}

func TestARunThatFailsSaysSoOnThePage(t *testing.T) {
	c := config(t)
	cause := errors.New("the cat is on the keyboard")
	c.OnStep = func(s train.Step) error {
		if s.Epoch == 2 {
			return cause
		}
		return nil
	}
	r := NewRun(Options{})
	s := serve(t, r)
	events := listen(context.Background(), t, s)
	_, err := fit(t, c, r)
	require.ErrorIs(t, err, cause)
	require.NoError(t, s.Close())
	_, state := tablesOf(t, events)
	require.Equal(t, failed, state.Phase)
	require.Contains(t, state.Message, "the cat is on the keyboard")
}

// A browser that connects and never reads holds no step, nor the end of the server for long.
func TestABrowserThatDoesNotReadHoldsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	c := config(t)
	c.Epochs = 100
	r := NewRun(Options{})
	s, err := Serve("127.0.0.1:0", r)
	require.NoError(t, err)
	for range 3 {
		conn, err := net.Dial("tcp", s.listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1))
		_, err = conn.Write([]byte("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		require.NoError(t, err)
	}
	gone, cancel := context.WithCancel(context.Background())
	listen(gone, t, s)
	c.OnStep = func(s train.Step) error {
		if s.Epoch == 2 {
			cancel() // a browser that goes away
		}
		r.told = time.Time{} // tell of every step
		return nil
	}
	result, err := fit(t, c, r)
	require.NoError(t, err)
	require.Len(t, result.Epochs, 100)
	require.NoError(t, s.Close())
	require.Empty(t, r.readers)
	noneLeft(t, before)
	cancel()
}

// noneLeft waits until there are no more goroutines than before.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
}

// Recording a step allocates nothing, with browsers or without.
func TestAStepAllocatesNothing(t *testing.T) {
	r := NewRun(Options{})
	r.watched = nil
	reader := r.subscribe()
	defer reader.close()
	step := train.Step{Epoch: 1, Batches: 1 << 30, Examples: 64, Loss: 1}
	got := allocs.PerRun(3*maxRows, func() {
		step.Batch++
		step.Timed += 64
		step.Seconds += 1e-3
		require.NoError(t, r.stepped(step))
	})
	require.Zero(t, got)
	require.LessOrEqual(t, r.steps.rows(), maxRows)
}

// By a clock of its own: whatever a measurement takes, it takes a hundredth of the time.
func TestMeasuringTakesAHundredthOfTheTime(t *testing.T) {
	for _, took := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 3 * time.Second} {
		b := NewRun(Options{}).pace
		now := time.Time{}.Add(time.Hour)
		begun, spent := now, time.Duration(0)
		for range 200000 {
			now = now.Add(10 * time.Millisecond) // a step
			if b.due(now) {
				now = now.Add(took)
				spent += took
				b.spent(now, took)
			}
		}
		require.LessOrEqual(t, spent-took, now.Sub(begun)/100, took)
		require.Positive(t, spent)
	}
}
