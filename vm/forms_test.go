package vm_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// reversing gives x times w read backwards, from w as it is or from a packed form, which is w
// reversed. A row of x is as long as w.
type reversing struct{ Log *packLog }

// packLog counts what the kernels of reversing do.
type packLog struct {
	form     any
	fails    error
	packings atomic.Int64
	unpacked atomic.Int64 // runs without a packed form
	scratch  atomic.Int64 // bytes that the last run was given
}

func (*packLog) String() string { return "log" }

func (reversing) Name() string                              { return "Reversing" }
func (reversing) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (o reversing) Bind(_ engine.Engine, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	n := in[1].Len()
	pack := func(dst, src []float32) {
		for i := range dst {
			dst[i] = src[n-1-i]
		}
	}
	return engine.Bound{
		By: "test", Scratch: 4 * n,
		Kernel: func(c *engine.Call) error {
			o.Log.scratch.Store(int64(c.Scratch.Len()))
			mem := c.Packed
			if !mem.Valid() {
				o.Log.unpacked.Add(1)
				mem = c.Scratch
				pack(engine.Slice[float32](mem.At(0, shape.Float32, n)), engine.Slice[float32](c.In[1]))
			}
			w, y := engine.Slice[float32](mem.At(0, shape.Float32, n)), engine.Slice[float32](c.Out[0])
			for i, x := range engine.Slice[float32](c.In[0]) {
				y[i] = x * w[i%n]
			}
			return nil
		},
		Packing: engine.Packing{
			In: 1, Bytes: 4 * n, Scratch: 4 * n, Form: o.Log.form,
			Kernel: func(c *engine.Call) error {
				if o.Log.fails != nil {
					return o.Log.fails
				}
				o.Log.packings.Add(1)
				tmp := engine.Slice[float32](c.Scratch.At(0, shape.Float32, n))
				pack(tmp, engine.Slice[float32](c.In[0]))
				copy(c.Out[0].Bytes(), c.Scratch.Bytes())
				return nil
			},
		},
	}, nil
}

// reversed is a graph that multiplies x by w, backwards.
func reversed(log *packLog) (g *graph.Graph, w, y *graph.Node) {
	g = graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	w = g.Param("w", shape.F32(1, 2), graph.Fill(3))
	return g, w, graph.Apply(reversing{log}, x, ops.Reshape(w, 2))
}

// runs runs m and compares.
func runs(t *testing.T, m *vm.Machine, want []float32, in ...float32) {
	t.Helper()
	out, err := m.Run(ctx, f32(in, len(in)/2, 2))
	require.NoError(t, err)
	require.Equal(t, want, floats(out[0]))
}

func TestAValueThatStaysIsPackedOnce(t *testing.T) {
	log := &packLog{}
	_, _, y := reversed(log)
	m, s := machine(t, []*graph.Node{y})
	require.NoError(t, s.Set("w", f32([]float32{10, 1}, 1, 2)))
	for range 3 {
		runs(t, m, []float32{1, 20}, 1, 2)
	}
	require.EqualValues(t, 1, log.packings.Load())
	require.Zero(t, log.unpacked.Load())
	in := f32([]float32{1, 2}, 1, 2)
	require.Zero(t, allocs.PerRun(10, func() { _, _ = m.Run(ctx, in) }))
	require.Zero(t, log.scratch.Load(), "the kernel keeps scratch memory that it does not need")

	m, s = machine(t, []*graph.Node{y}, vm.Without("pack"))
	require.NoError(t, s.Set("w", f32([]float32{10, 1}, 1, 2)))
	runs(t, m, []float32{1, 20}, 1, 2)
	require.EqualValues(t, 1, log.unpacked.Load())
}

func TestPackedMemoryIsKnown(t *testing.T) {
	_, _, y := reversed(&packLog{})
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	mem, err := p.Memory(1)
	require.NoError(t, err)
	require.Equal(t, 8, mem.Packed)
	require.Equal(t, 64, mem.Arena, "what packing needs shares memory with the rest")
	list, err := p.Describe(1)
	require.NoError(t, err)
	require.Equal(t, 8, list[1].Packed)
	require.Zero(t, list[1].Scratch)
	require.Contains(t, list[1].Text, "packed")

	p, err = vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Without("pack"))
	require.NoError(t, err)
	mem, err = p.Memory(1)
	require.NoError(t, err)
	require.Zero(t, mem.Packed)
	require.Equal(t, 128, mem.Arena)
}

func TestAFormIsStaleOnceItsValueChanges(t *testing.T) {
	log := &packLog{}
	g, w, y := reversed(log)
	m, s := machine(t, []*graph.Node{y})
	packed := func(times int64) {
		t.Helper()
		require.Equal(t, times, log.packings.Load())
	}
	runs(t, m, []float32{3, 6}, 1, 2)
	packed(1)
	require.NoError(t, s.Set("w", f32([]float32{7, 5}, 1, 2)))
	runs(t, m, []float32{5, 14}, 1, 2)
	packed(2)

	g.Update(w, ops.MulScalar(w, 2)) // as training in another machine does
	training, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(w)}, vm.Train)
	require.NoError(t, err)
	trainer, err := training.NewMachine(s)
	require.NoError(t, err)
	for range 2 {
		_, err = trainer.Run(ctx)
		require.NoError(t, err)
	}
	runs(t, m, []float32{20, 56}, 1, 2)
	runs(t, m, []float32{20, 56}, 1, 2)
	packed(3)

	require.NoError(t, s.Delete("w"))
	require.NoError(t, s.Init(w))
	runs(t, m, []float32{3, 6}, 1, 2)
	packed(4)
}

func TestWhatAProgramUpdatesIsNotPacked(t *testing.T) {
	log := &packLog{}
	g, w, y := reversed(log)
	g.Update(w, ops.AddScalar(w, 1))
	m, _ := machine(t, []*graph.Node{ops.Sum(y)}, vm.Train)
	for i := range 3 {
		out, err := m.Run(ctx, f32([]float32{1, 2}, 1, 2))
		require.NoError(t, err)
		require.Equal(t, []float32{float32(9 + 3*i)}, floats(out[0]))
	}
	require.Zero(t, log.packings.Load())
	require.EqualValues(t, 3, log.unpacked.Load())
}

func TestAParameterThatIsFrozenIsPackedInTraining(t *testing.T) {
	log := &packLog{}
	g, _, y := reversed(log)
	b := g.Param("b", shape.F32(), graph.Fill(0))
	g.Update(b, ops.AddScalar(b, 1))
	m, s := machine(t, []*graph.Node{ops.Add(ops.Sum(y), b)}, vm.Train)
	for range 3 {
		_, err := m.Run(ctx, f32([]float32{1, 2}, 1, 2))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, log.packings.Load())
	require.NoError(t, s.Set("w", f32([]float32{1, 1}, 1, 2)))
	out, err := m.Run(ctx, f32([]float32{1, 2}, 1, 2))
	require.NoError(t, err)
	require.Equal(t, []float32{6}, floats(out[0]))
}

func TestConstantsArePackedOnceForAllStores(t *testing.T) {
	log := &packLog{}
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{graph.Apply(reversing{log}, x, g.Const(shape.F32(2), []float64{7, 5}))})
	require.NoError(t, err)
	var machines []*vm.Machine // which keep the form
	for range 2 {
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		runs(t, m, []float32{5, 14}, 1, 2)
		machines = append(machines, m)
	}
	require.EqualValues(t, 1, log.packings.Load())
	runtime.KeepAlive(machines)
}

// Batch sizes, and programs, share a form that has a name; else each instruction has its own.
func TestFormsOfOneNameAreShared(t *testing.T) {
	for _, c := range []struct {
		form any
		want int64
	}{{nil, 4}, {"reversed", 1}} {
		log := &packLog{form: c.form}
		_, _, y := reversed(log)
		s := vm.NewStore(1)
		var machines []*vm.Machine
		for range 2 {
			p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
			require.NoError(t, err)
			for range 2 {
				m, err := p.NewMachine(s)
				require.NoError(t, err)
				runs(t, m, []float32{3, 6}, 1, 2)
				runs(t, m, []float32{3, 6, 9, 12}, 1, 2, 3, 4)
				machines = append(machines, m)
			}
		}
		require.Equal(t, c.want, log.packings.Load(), "%v", c.form)
		runtime.KeepAlive(machines)
	}
}

// A store does not hold on to the forms of machines that are gone.
func TestAFormGoesWithItsLastMachine(t *testing.T) {
	log := &packLog{form: "reversed"}
	_, _, y := reversed(log)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	s := vm.NewStore(1)
	for i := range 2 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		runs(t, m, []float32{3, 6}, 1, 2)
		require.EqualValues(t, i+1, log.packings.Load())
		runtime.KeepAlive(m)
		m = nil
		runtime.GC()
	}
	require.NoError(t, s.Set("w", f32([]float32{1, 1}, 1, 2)))
}

func TestMachinesThatPackAtTheSameTime(t *testing.T) {
	log := &packLog{}
	_, _, y := reversed(log)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	s := vm.NewStore(1)
	machines := make([]*vm.Machine, 8)
	for i := range machines {
		machines[i], err = p.NewMachine(s)
		require.NoError(t, err)
	}
	for round := range 10 {
		v := float32(round)
		require.NoError(t, s.Set("w", f32([]float32{v, -v}, 1, 2)))
		var all sync.WaitGroup
		results := make([][]float32, len(machines))
		for i, m := range machines {
			all.Go(func() {
				if out, err := m.Run(ctx, f32([]float32{1, 2}, 1, 2)); err == nil {
					results[i] = floats(out[0])
				}
			})
		}
		all.Wait()
		for _, have := range results {
			require.Equal(t, []float32{-v, 2 * v}, have)
		}
	}
	require.EqualValues(t, 10, log.packings.Load())
}

func TestPackingThatFailsOrIsCancelled(t *testing.T) {
	log := &packLog{fails: errors.New("boom")}
	_, _, y := reversed(log)
	m, s := machine(t, []*graph.Node{y})
	in := f32([]float32{1, 2}, 1, 2)
	_, err := m.Run(ctx, in)
	require.ErrorIs(t, err, log.fails)
	require.ErrorContains(t, err, "packing input 1")
	require.ErrorContains(t, err, "forms_test.go:")
	log.fails = nil
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.Run(cancelled, in)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, log.packings.Load())
	require.NoError(t, s.Set("w", f32([]float32{1, 2}, 1, 2))) // nothing is left locked
	runs(t, m, []float32{2, 2}, 1, 2)
}

// The result of the run before lies where packing works.
func TestPackingSparesAnOutputThatIsFedBack(t *testing.T) {
	log := &packLog{}
	_, _, y := reversed(log)
	m, s := machine(t, []*graph.Node{y})
	out, err := m.Run(ctx, f32([]float32{1, 2}, 1, 2))
	require.NoError(t, err)
	require.NoError(t, s.Set("w", f32([]float32{2, 1}, 1, 2)))
	out, err = m.Run(ctx, out[0])
	require.NoError(t, err)
	require.Equal(t, []float32{3, 12}, floats(out[0]))
}

func TestPackingsThatABinderGetsWrong(t *testing.T) {
	for want, k := range map[string]engine.Packing{
		"packs input 1 of 1": {In: 1, Kernel: noop},
		"packs input -1":     {In: -1, Kernel: noop},
		"packs into -8":      {Bytes: -8, Kernel: noop},
		"then -4 bytes":      {Rest: -4, Kernel: noop},
		"not comparable":     {Form: []int{1}, Kernel: noop},
	} {
		_, x := vector()
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{graph.Apply(bound{&engine.Bound{Kernel: noop, By: "test", Packing: k}}, x)})
		require.NoError(t, err)
		_, err = p.Memory(1)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "forms_test.go:")
	}
}

// multiplying is reversing of a form by another name: x times w times By.
type multiplying struct {
	By   float64
	Form string
}

func (multiplying) Name() string                              { return "Multiplying" }
func (multiplying) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (o multiplying) Bind(_ engine.Engine, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	n := in[1].Len()
	return engine.Bound{
		By: "test",
		Kernel: func(c *engine.Call) error {
			w, y := engine.Slice[float32](c.Packed.At(0, shape.Float32, n)), engine.Slice[float32](c.Out[0])
			for i, x := range engine.Slice[float32](c.In[0]) {
				y[i] = x * w[i%n]
			}
			return nil
		},
		Packing: engine.Packing{In: 1, Bytes: 4 * n, Form: o.Form, Kernel: func(c *engine.Call) error {
			w := engine.Slice[float32](engine.BufferAt(c.Out[0].Bytes(), shape.Float32, n))
			for i, x := range engine.Slice[float32](c.In[0]) {
				w[i] = x * float32(o.By)
			}
			return nil
		}},
	}, nil
}

// Two forms of one value that take as many bytes are two, in one program as between programs.
func TestFormsOfEqualSizeAreToldApart(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 2)), g.Param("w", shape.F32(2), graph.Fill(3))
	twice := graph.Apply(multiplying{2, "twice"}, x, w)
	thrice := graph.Apply(multiplying{3, "thrice"}, x, w)
	s := vm.NewStore(1)
	p := vm.MustCompile(ref.Engine{}, []*graph.Node{twice, thrice})
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	mem, err := p.Memory(1)
	require.NoError(t, err)
	require.Equal(t, 2*8, mem.Packed)
	for range 2 {
		out, err := m.Run(ctx, f32([]float32{1, 10}, 1, 2))
		require.NoError(t, err)
		require.Equal(t, []float32{6, 60}, floats(out[0]))
		require.Equal(t, []float32{9, 90}, floats(out[1]))
	}
	other, err := vm.MustCompile(ref.Engine{}, []*graph.Node{thrice}).NewMachine(s)
	require.NoError(t, err)
	runs(t, other, []float32{9, 90}, 1, 10)
	runtime.KeepAlive(m)
}
