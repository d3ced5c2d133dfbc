package vm_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// sharingEngine is ref, whose maps may run side by side; it counts the groups that ran.
type sharingEngine struct {
	enginetest.Laid
	shared *atomic.Int64
}

func newSharingEngine() sharingEngine { return sharingEngine{interleaving(3), new(atomic.Int64)} }

func (e sharingEngine) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	b.Serial = true
	return b, err
}

func (e sharingEngine) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindReduce(r, axes, in, out)
	b.Serial = true
	return b, err
}

// Share runs each part on a goroutine of its own, for the race detector to watch.
func (e sharingEngine) Share(n int, body func(lo, hi int)) {
	e.shared.Add(1)
	done := make(chan bool, n)
	for i := range n {
		go func() {
			body(i, i+1)
			done <- true
		}()
	}
	for range n {
		<-done
	}
}

// sums are two chains that do not depend on each other, and one thing made of both.
func sums() []*graph.Node {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 4)), g.Input("y", shape.F32(shape.N, 4))
	a, b := ops.Sum(ops.Exp(x), 1), ops.Sum(ops.Tanh(y), 1)
	w := g.Param("w", shape.F32(), nil)
	g.Update(w, ops.Add(w, ops.Sum(ops.Mul(a, b))))
	return []*graph.Node{a, b}
}

func TestSmallInstructionsRunSideBySide(t *testing.T) {
	run := func(opts ...vm.Option) ([]float32, float64, int64) {
		e := newSharingEngine()
		p, err := vm.Compile(e, sums(), append(opts, vm.Train, vm.Checked)...)
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		var all []float32
		for range 3 {
			out, err := m.Run(ctx, f32([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 2, 4), f32([]float32{8, 7, 6, 5, 4, 3, 2, 1}, 2, 4))
			require.NoError(t, err)
			all = append(append(all, floats(out[0])...), floats(out[1])...)
		}
		return all, number(t, s, "w"), e.shared.Load()
	}
	alone, w0, none := run(vm.Without("group"))
	together, w1, groups := run()
	require.Zero(t, none)
	require.EqualValues(t, 2*3, groups, "the two maps, then the two sums, in each step")
	require.Equal(t, alone, together)
	require.Equal(t, w0, w1)
}

// failing gives its input, or an error where that is negative.
type failing struct{}

func (failing) Name() string                              { return "Failing" }
func (failing) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (failing) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	kernel := func(c *engine.Call) error {
		x := engine.Slice[float32](c.In[0])
		copy(engine.Slice[float32](c.Out[0]), x)
		if x[0] < 0 {
			return errors.New("it is negative")
		}
		return nil
	}
	return engine.Bound{Kernel: kernel, Fails: true, Serial: true, By: "test"}, nil
}

// An error inside a group names its own instruction, and the step is undone.
func TestAnErrorSideBySideIsThatOfItsInstruction(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(1)), g.Input("y", shape.F32(1))
	a, b := graph.Apply(failing{}, x), graph.Apply(failing{}, y)
	w := g.Param("w", shape.F32(1), nil)
	g.Update(w, ops.Add(w, ops.Add(a, b)))
	e := newSharingEngine()
	p, err := vm.Compile(e, []*graph.Node{a, b}, vm.Train, vm.Checked)
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	_, err = m.Run(ctx, f32([]float32{1}, 1), f32([]float32{-1}, 1))
	require.ErrorContains(t, err, "it is negative")
	var at *graph.Error
	require.ErrorAs(t, err, &at)
	require.Equal(t, b.Pos(), at.Pos)
	require.NotContains(t, err.Error(), "part of this step")
	require.Zero(t, s.Writes("w"))
	require.EqualValues(t, 1, e.shared.Load())
	_, err = m.Run(ctx, f32([]float32{1}, 1), f32([]float32{2}, 1))
	require.NoError(t, err)
}
