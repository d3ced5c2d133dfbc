package vm_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/vm"
)

// Machines of programs with different limits share a store, and compute the same bits.
func TestThreadsChangeNoBit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	s, outs, in := vm.NewStore(3), fire(ops.ReLU), pixels(9, .5)
	want := bits(run(t, hoisting(t, cpu.New(), s, outs), in))
	for n := 1; n <= 5; n++ {
		require.Equal(t, want, bits(run(t, hoisting(t, cpu.New(), s, outs, vm.WithThreads(n)), in)), "%d threads", n)
	}
	require.Equal(t, bits(run(t, hoisting(t, ref.Engine{}, s, outs), in)), bits(run(t, hoisting(t, ref.Engine{}, s, outs, vm.WithThreads(2)), in)))
}

// limits is an engine that keeps the limit that it is given.
type limits struct {
	cpu.Engine
	limit *int
}

func (l limits) Limited(n int) engine.Engine {
	*l.limit = n
	return limits{l.Engine.Limited(n).(cpu.Engine), l.limit}
}

// Kernels are bound to the engine with the limit.
func TestThreadsLimitTheEngine(t *testing.T) {
	e := limits{cpu.New(), new(int)}
	vm.MustCompile(e, fire(ops.ReLU), vm.WithThreads(3))
	require.Equal(t, 3, *e.limit)
	require.NotEqual(t, engine.Engine(cpu.New()), cpu.New().Limited(1), "it has a limit")
	require.Equal(t, cpu.New().Limited(1), cpu.New().Limited(1))
	require.Equal(t, engine.Engine(cpu.New()), cpu.New().Limited(1024), "which more threads than there are do not change")
	var goroutines, most atomic.Int64
	cpu.New().Limited(1).(engine.Sharer).Share(8, func(_, _ int) {
		if n := goroutines.Add(1); n > most.Load() {
			most.Store(n)
		}
		runtime.Gosched()
		goroutines.Add(-1)
	})
	require.Equal(t, int64(1), most.Load())
}

// grown is an engine that loses its type when it is limited.
type grown struct{ cpu.Engine }

// broken panics when it is.
type broken struct{ cpu.Engine }

func (broken) Limited(int) engine.Engine { panic("no limit") }

func TestThreadsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		e    engine.Engine
		n    int
		want string
	}{
		{cpu.New(), 0, "vm: WithThreads(0): want at least 1"},
		{cpu.New(), -3, "vm: WithThreads(-3): want at least 1"},
		{grown{cpu.New()}, 1, `vm: WithThreads: engine "cpu" is a vm_test.grown, but its Limited returns a cpu.Engine`},
		{broken{cpu.New()}, 1, `vm: WithThreads: engine "cpu": panic: no limit`},
	} {
		_, err := vm.Compile(c.e, fire(ops.ReLU), vm.WithThreads(c.n))
		require.ErrorContains(t, err, c.want)
	}
	_, err := vm.Compile(nil, []*graph.Node{}, vm.WithThreads(1))
	require.Error(t, err)
}
