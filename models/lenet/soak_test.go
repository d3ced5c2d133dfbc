package lenet_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

var soak = flag.Duration("soak", 0, "how long TestSoak goes on after its first two rounds")

// TestSoak trains and infers by several machines at once, while the garbage collector is kept busy:
// every result has the bits that it has alone, and neither goroutines nor memory grow from round to
// round. To let it go on:
//
//	go test ./models/lenet -run TestSoak -soak 10m -timeout 15m
func TestSoak(t *testing.T) {
	if testing.Short() && *soak == 0 {
		t.Skip("trains some networks")
	}
	s := newSoaker(t)
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	s.round(t) // what is made once
	before, goroutines := settled(), runtime.NumGoroutine()
	rounds := 1
	for start := time.Now(); rounds < 2 || time.Since(start) < *soak; rounds++ {
		s.round(t)
	}
	const slack = 4 << 20
	after := settled()
	t.Logf("%d rounds; heap %d KiB, before %d KiB; goroutines %d, before %d", rounds, after>>10, before>>10, runtime.NumGoroutine(), goroutines)
	require.Less(t, after, before+slack, "the heap grew over %d rounds", rounds)
	for range 1000 { // those that have ended may not be gone yet
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

// settled is the size of the heap when all garbage is gone.
func settled() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// soaker knows what is right.
type soaker struct {
	weights []float32 // after training
	infer   *vm.Program
	store   *vm.Store // of infer
	inputs  [][]*tensor.Dense
	outputs [][]float32 // by input
}

// sizes are batch sizes that machines go through in turn.
var sizes = []int{64, 1, 13, 32, 7}

func newSoaker(t *testing.T) *soaker {
	g := graph.New()
	logits := lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	p, err := vm.Compile(cpu.New(), []*graph.Node{logits})
	require.NoError(t, err)
	s := &soaker{infer: p, store: vm.NewStore(7)}
	for _, n := range sizes {
		s.inputs = append(s.inputs, batch(n))
	}
	s.weights = s.train(t)
	m, err := p.NewMachine(s.store)
	require.NoError(t, err)
	for _, in := range s.inputs {
		out, err := m.Run(context.Background(), in[0])
		require.NoError(t, err)
		s.outputs = append(s.outputs, slices.Clone(out[0].Float32s()))
	}
	return s
}

// train returns the weights after a few steps of a new network.
func (s *soaker) train(t testing.TB) []float32 {
	tr := newTrainer(t, cpu.New())
	for _, in := range s.inputs {
		tr.step(t, in)
	}
	return tr.weights(t)
}

// round lets some goroutines train, others infer by machines that share their weights, and one make
// garbage.
func (s *soaker) round(t *testing.T) {
	const trainers, inferrers, turns = 2, 3, 20
	errs := make([]error, trainers+inferrers)
	var work, rest sync.WaitGroup
	done := make(chan struct{})
	rest.Go(func() { litter(done) })
	for i := range errs {
		work.Go(func() {
			if i < trainers {
				if !slices.Equal(s.weights, s.train(t)) {
					errs[i] = fmt.Errorf("training gave other weights")
				}
				return
			}
			errs[i] = s.inferAll(turns)
		})
	}
	work.Wait()
	close(done)
	rest.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func (s *soaker) inferAll(turns int) error {
	m, err := s.infer.NewMachine(s.store)
	if err != nil {
		return err
	}
	for k := range turns {
		i := k % len(s.inputs)
		out, err := m.Run(context.Background(), s.inputs[i][0])
		if err != nil {
			return err
		}
		if !slices.Equal(s.outputs[i], out[0].Float32s()) {
			return fmt.Errorf("a batch of %d gave other scores", sizes[i])
		}
	}
	return nil
}

// litter makes garbage of many sizes, some of it reachable for a while.
func litter(done <-chan struct{}) {
	var keep [64][]*[]byte
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		b := make([]byte, 16<<(i%12))
		keep[i%len(keep)] = append(keep[(i*7)%len(keep)], &b)
		if len(keep[i%len(keep)]) > 32 {
			keep[i%len(keep)] = nil
		}
		runtime.Gosched()
	}
}
