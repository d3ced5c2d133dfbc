package watch

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

// BenchmarkWatchedTraining trains LeNet with the page, which a browser reads, and without, in turn.
// What the page costs is reported in percent: "hooks-%" of the time of training is spent in its
// callbacks, and "slower-%" is the median over the turns by which the time of a whole epoch
// differs, what the server does on another core included. One turn is 200 steps of each:
//
//	go test ./watch -run '^$' -bench WatchedTraining -benchtime 40x
func BenchmarkWatchedTraining(b *testing.B) {
	all, err := mnist.Train()
	require.NoError(b, err)
	c := train.Config{
		Model: lenet.Model, Train: data.Limit(all, 64*200), Engine: cpu.New(), Batch: 64, Workers: 1,
		Optimizer: optim.SGD{LR: .01, Momentum: .9}, Epochs: b.N,
	}
	plain, watched := newPair(b, c, false), newPair(b, c, true)
	plain.begin()
	watched.begin()
	var slower []float64
	b.ResetTimer()
	for range b.N {
		without, with := plain.epoch(), watched.epoch()
		slower = append(slower, 100*(with/without-1))
	}
	b.StopTimer()
	plain.end(b)
	watched.end(b)
	slices.Sort(slower)
	b.ReportMetric(slower[len(slower)/2], "slower-%")
	b.ReportMetric(100*watched.inHooks.Seconds()/watched.seconds, "hooks-%")
	b.ReportMetric(watched.seconds/float64(b.N)/200*1e6, "µs/step")
}

// pair is a run that is let go on for an epoch at a time.
type pair struct {
	config  train.Config
	run     *Run // nil where it is not watched
	server  *Server
	turn    chan bool
	done    chan float64 // seconds of an epoch
	result  chan error
	inHooks time.Duration
	seconds float64
	idle    time.Duration
}

func newPair(b *testing.B, c train.Config, watched bool) *pair {
	p := &pair{turn: make(chan bool), done: make(chan float64), result: make(chan error, 1)}
	var begun time.Time
	if watched {
		p.run = NewRun(Options{Title: "benchmark"})
		p.run.clock = func() time.Time { return time.Now().Add(-p.idle) }
		var err error
		p.server, err = Serve(":0", p.run)
		require.NoError(b, err)
		answer, err := http.Get(p.server.URL() + "api/events")
		require.NoError(b, err)
		go func() {
			defer answer.Body.Close()
			_, _ = io.Copy(io.Discard, answer.Body)
		}()
		p.run.Attach(&c)
		step := c.OnStep
		c.OnStep = func(s train.Step) error {
			t := time.Now()
			defer func() { p.inHooks += time.Since(t) }()
			return step(s)
		}
	}
	start, epoch := c.OnStart, c.OnEpoch
	c.OnStart = func(s train.Start) error {
		if start != nil {
			if err := start(s); err != nil {
				return err
			}
		}
		p.done <- 0
		begun = p.wait()
		return nil
	}
	c.OnEpoch = func(e train.Epoch) error {
		if epoch != nil {
			if err := epoch(e); err != nil {
				return err
			}
		}
		p.done <- time.Since(begun).Seconds()
		begun = p.wait()
		return nil
	}
	p.config = c
	return p
}

// wait waits for the run's turn, while its clock stands still.
func (p *pair) wait() time.Time {
	from := time.Now()
	<-p.turn
	p.idle += time.Since(from)
	return time.Now()
}

func (p *pair) begin() {
	go func() {
		_, err := train.Fit(context.Background(), p.config)
		p.result <- err
	}()
	<-p.done
}

func (p *pair) epoch() float64 {
	p.turn <- true
	seconds := <-p.done
	p.seconds += seconds
	return seconds
}

func (p *pair) end(b *testing.B) {
	p.turn <- true
	require.NoError(b, <-p.result)
	require.NoError(b, p.server.Close())
}
