package vm_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// lenetStep is a training step of LeNet on e.
func lenetStep(t testing.TB, e engine.Engine, batch int) (*vm.Program, *vm.Machine, []*tensor.Dense) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
	loss := ops.CrossEntropy(lenet.Model.Apply(nn.Root(g), x), y)
	optim.SGD{LR: .05, Momentum: .9}.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(e, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	pixels := make([]float32, batch*784)
	for i := range pixels {
		pixels[i] = float32(i%23) / 23
	}
	return p, m, []*tensor.Dense{f32(pixels, batch, 1, 28, 28), tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int32))}
}

func TestEveryInstructionHasASpan(t *testing.T) {
	p, m, in := lenetStep(t, ref.Engine{}, 2)
	var spans []vm.Span
	require.NoError(t, m.Observe(vm.Observer{Span: func(s vm.Span) { spans = append(spans, s) }}))
	for range 2 {
		_, err := m.Run(ctx, in...)
		require.NoError(t, err)
	}
	list, err := p.Describe(2)
	require.NoError(t, err)
	var want []string
	for _, in := range list {
		if in.Engine != "" || in.Name == "Write" {
			want = append(want, in.Text)
		}
	}
	require.Len(t, spans, 2*len(want))
	for i, s := range spans {
		require.Equal(t, want[i%len(want)], s.Instruction.Text)
		require.Equal(t, i/len(want), s.Run)
		require.Zero(t, s.Worker)
		if i > 0 {
			require.False(t, s.Start.Before(spans[i-1].Start.Add(spans[i-1].Took)), "one after the other")
		}
	}
}

// What is watched computes the same bits by the same instructions, and what no longer is allocates
// nothing.
func TestWatchingChangesNothing(t *testing.T) {
	plain, m, in := lenetStep(t, cpu.New(), 64)
	_, watched, _ := lenetStep(t, cpu.New(), 64)
	want, err := plain.Describe(64)
	require.NoError(t, err)
	spans := map[int]map[string]bool{}
	require.NoError(t, watched.Observe(vm.Observer{Labels: true, Runs: 3, Span: func(s vm.Span) {
		if spans[s.Run] == nil {
			spans[s.Run] = map[string]bool{}
		}
		spans[s.Run][s.Instruction.Text] = true
		require.Less(t, s.Worker, cpu.New().Workers())
	}}))
	for range 6 {
		a, err := m.Run(ctx, in...)
		require.NoError(t, err)
		b, err := watched.Run(ctx, in...)
		require.NoError(t, err)
		require.Equal(t, floats(a[0]), floats(b[0]))
	}
	require.Len(t, spans, 3)
	for _, in := range want {
		require.True(t, in.Engine == "" || spans[2][in.Text], in.Text)
	}
	run := func() { _, err = watched.Run(ctx, in...) }
	require.Zero(t, allocs.PerRun(10, run))
	require.NoError(t, err)
}

// The lanes of workers do not overlap, and there is more than one.
func TestEachWorkerHasALane(t *testing.T) {
	if cpu.New().Workers() < 2 {
		t.Skip("one processor")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	_, m, in := lenetStep(t, cpu.New(), 64)
	ends, count := map[int]time.Time{}, map[int]int{}
	require.NoError(t, m.Observe(vm.Observer{Span: func(s vm.Span) {
		require.False(t, s.Start.Before(ends[s.Worker]), "worker %d: %s", s.Worker, s.Instruction.Text)
		ends[s.Worker] = s.Start.Add(s.Took)
		count[s.Worker]++
	}}))
	for i := 0; count[1] == 0 && i < 1000; i++ {
		_, err := m.Run(ctx, in...)
		require.NoError(t, err)
	}
	require.NotZero(t, count[1])
}

// meeting is an op whose kernel is shared by two goroutines, which meet in it.
type meeting struct{ profile *string }

func (meeting) Name() string                              { return "Meeting" }
func (meeting) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (op meeting) Bind(e engine.Engine, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	return engine.Bound{By: "test", Kernel: func(c *engine.Call) error {
		var here, seen sync.WaitGroup
		here.Add(2)
		seen.Add(1)
		e.(engine.Sharer).Share(2, func(lo, hi int) {
			here.Done()
			here.Wait()
			if lo == 0 {
				var b bytes.Buffer
				_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
				*op.profile = b.String()
				seen.Done()
			}
			seen.Wait()
		})
		copy(c.Out[0].Bytes(), c.In[0].Bytes())
		return nil
	}}, nil
}

var labels = regexp.MustCompile(`(\d+) @[^\n]*\n# labels: \{([^}]*)\}`)

func TestWorkersHaveTheLabelsOfWhatTheyDo(t *testing.T) {
	if cpu.New().Workers() < 2 {
		t.Skip("one processor")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	var profile string
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N))
	var y *graph.Node
	g.Within("hall", func() { y = graph.Apply(meeting{&profile}, x) })
	p, err := vm.Compile(cpu.New(), []*graph.Node{y})
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	of := func(o vm.Observer) (all []string) {
		require.NoError(t, m.Observe(o))
		pprof.Do(t.Context(), pprof.Labels("mine", "1"), func(ctx context.Context) {
			_, err := m.Run(ctx, f32([]float32{1}, 1))
			require.NoError(t, err)
		})
		for _, found := range labels.FindAllStringSubmatch(profile, -1) {
			for range found[1][0] - '0' {
				all = append(all, found[2])
			}
		}
		return all
	}
	require.Equal(t, []string{`"mine":"1"`}, of(vm.Observer{}))
	both := `"layer":"hall", "mine":"1", "op":"Meeting"`
	require.Equal(t, []string{both, both}, of(vm.Observer{Labels: true}))
	require.Equal(t, []string{both, both}, of(vm.Observer{Labels: true, Span: func(vm.Span) {}}))
	require.Equal(t, []string{`"mine":"1"`}, of(vm.Observer{Span: func(vm.Span) {}}), "the worker has lost them")

	var b bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
	require.NotContains(t, b.String(), "Meeting")
}

// embedding computes as another engine does, which can be watched; it cannot.
type embedding struct{ cpu.Engine }

func (embedding) Name() string { return "embedding" }

func TestAnEngineThatEmbedsOneStaysItself(t *testing.T) {
	_, m, in := lenetStep(t, embedding{cpu.New()}, 8)
	workers := map[int]bool{}
	require.NoError(t, m.Observe(vm.Observer{Span: func(s vm.Span) { workers[s.Worker] = true }}))
	_, err := m.Run(ctx, in...)
	require.NoError(t, err)
	require.Equal(t, map[int]bool{0: true}, workers)
}

func TestMistakesOfObserve(t *testing.T) {
	var none *vm.Machine
	require.ErrorContains(t, none.Observe(vm.Observer{}), "no machine")
	_, m, in := lenetStep(t, ref.Engine{}, 1)
	require.ErrorContains(t, m.Observe(vm.Observer{Runs: -1}), "-1 runs; want at least 1, or 0 for all")
	var inside error
	require.NoError(t, m.Observe(vm.Observer{Span: func(vm.Span) { inside = m.Observe(vm.Observer{}) }}))
	_, err := m.Run(ctx, in...)
	require.NoError(t, err)
	require.ErrorIs(t, inside, vm.ErrBusy)
}

func ExampleMachine_Observe() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))
	y := nn.Sequential{nn.Linear{Name: "hidden", Out: 8}, nn.ReLU{}, nn.Linear{Name: "out", Out: 2}}.Apply(nn.Root(g), x)
	m, err := vm.MustCompile(ref.Engine{}, []*graph.Node{y}).NewMachine(vm.NewStore(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = m.Observe(vm.Observer{Labels: true, Runs: 1, Span: func(s vm.Span) {
		fmt.Println("worker", s.Worker, "was busy with", s.Instruction.Name, "of layer", s.Instruction.Layer)
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Run(context.Background(), tensor.New(tensor.WithShape(1, 4), tensor.Of(tensor.Float32))); err != nil {
		fmt.Println(err)
	}
	// Output:
	// worker 0 was busy with MatMul+Bias+ReLU of layer hidden
	// worker 0 was busy with MatMul+Bias of layer out
}

func BenchmarkWatched(b *testing.B) {
	for name, o := range map[string]vm.Observer{"off": {}, "labels": {Labels: true}, "spans": {Span: func(vm.Span) {}}} {
		b.Run(name, func(b *testing.B) {
			_, m, in := lenetStep(b, cpu.New(), 64)
			require.NoError(b, m.Observe(o))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Run(ctx, in...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
