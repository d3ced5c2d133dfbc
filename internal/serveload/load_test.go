package main

import (
	"bytes"
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

var length = flag.Duration("load", 2*time.Second, "for how long clients ask; from 30s on, memory is compared too")

// digits is LeNet with the weights of a seed.
func digits(t *testing.T, seed uint64) serve.Model {
	g := graph.New()
	lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	w := &train.Checkpoint{Name: "lenet", Info: mnist.Info(), Store: vm.NewStore(seed)}
	require.NoError(t, w.Store.Init(g.Leaves()...))
	p, err := train.NewPredictor(lenet.Model, w, cpu.New(), vm.WithThreads(1))
	require.NoError(t, err)
	m, err := serve.NewPredictor(p, mnist.Prepare)
	require.NoError(t, err)
	return m
}

// For as long as 64 clients ask, no request fails, though the model is replaced now and then, and
// neither goroutines nor memory grow.
func TestManyClientsForLong(t *testing.T) {
	s, err := serve.New(serve.Options{Delay: 2 * time.Millisecond, Sessions: 2})
	require.NoError(t, err)
	require.NoError(t, s.Add("lenet", digits(t, 1), nil))
	web := httptest.NewServer(s)
	defer web.Close()
	for _, as := range []struct {
		name string
		text bool
	}{{"bytes", false}, {"JSON", true}} {
		t.Run(as.name, func(t *testing.T) {
			l := load{url: web.URL, model: "lenet", clients: 64, rows: 1, length: *length, text: as.text}
			done := make(chan result, 1)
			go func() {
				r, err := l.run(context.Background())
				if err != nil {
					t.Error(err)
				}
				done <- r
			}()
			begin := time.Now()
			for seed := range uint64(3) {
				time.Sleep(*length / 24)
				require.NoError(t, s.Replace("lenet", digits(t, seed)))
			}
			time.Sleep(time.Until(begin.Add(*length / 6)))
			goroutines, memory := usage(t)
			time.Sleep(time.Until(begin.Add(*length)))
			atEnd, memoryAtEnd := usage(t)
			r := <-done
			t.Logf("%v; goroutines %d, then %d; resident bytes %d, then %d", r, goroutines, atEnd, memory, memoryAtEnd)
			require.Zero(t, r.failed, "%v", r.first)
			// A request has some goroutines while it is answered; one that stayed would be one of a million.
			require.LessOrEqual(t, atEnd, goroutines+goroutines/2)
			if *length >= 30*time.Second {
				require.LessOrEqual(t, float64(memoryAtEnd), 1.1*float64(memory))
			}
		})
	}
	require.NoError(t, s.Close(context.Background()))
}

// usage returns the medians of the numbers of goroutines and, where the system tells it, of bytes
// in memory.
func usage(t *testing.T) (goroutines, memory int) {
	var g, m []int
	for range 9 {
		g = append(g, runtime.NumGoroutine())
		if text, err := os.ReadFile("/proc/self/statm"); err == nil {
			pages, err := strconv.Atoi(string(bytes.Fields(text)[1]))
			require.NoError(t, err)
			m = append(m, pages*os.Getpagesize())
		}
		time.Sleep(*length / 200)
	}
	slices.Sort(g)
	slices.Sort(m)
	if len(m) > 0 {
		memory = m[len(m)/2]
	}
	return g[len(g)/2], memory
}

func TestQuantilesAreRightToAPerCent(t *testing.T) {
	var a, b tally
	for i := range 1000 {
		side := &a
		if i%2 == 0 {
			side = &b
		}
		side.add(time.Duration(i+1) * time.Millisecond)
	}
	a.join(b)
	for part, want := range map[float64]float64{0: .001, .5: .5, .99: .99, .999: 1} {
		require.InEpsilon(t, want, a.quantile(part).Seconds(), .02, "%v", part)
	}
	a.add(time.Hour)
	a.add(0)
	require.Equal(t, 1002, a.answered)
}
