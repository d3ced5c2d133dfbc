package vm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// What is nobody's is updated by the programs that read it, be it for another such update alone.
func TestAProgramMakesTheUpdatesOfWhatItReads(t *testing.T) {
	g := graph.New()
	state := func(name string) *graph.Node { return g.State(name, shape.F32(), nil) }
	w, v := g.Param("w", shape.F32(), nil), g.Param("v", shape.F32(), nil)
	read, behind, unread := state("read"), state("behind"), state("unread")
	one := g.Const(shape.F32(), []float64{1})
	g.Update(unread, ops.Add(unread, one))
	g.Update(behind, ops.Add(behind, one))
	g.Update(read, ops.Add(read, behind))
	g.Owned(graph.Owner{Name: "a"}, func() { g.Update(w, ops.Add(w, read)) })
	g.Owned(graph.Owner{Name: "b"}, func() { g.Update(v, ops.Add(v, one)) })
	require.NoError(t, g.Err())

	for _, tt := range []struct {
		mode vm.Option
		want map[string]float32 // after four runs
	}{
		{vm.TrainBy("a"), map[string]float32{"w": 0 + 0 + 1 + 3, "read": 0 + 1 + 2 + 3, "behind": 4}},
		{vm.TrainBy("b"), map[string]float32{"v": 4}},
		{vm.TrainBy("a", "b"), map[string]float32{"w": 4, "read": 6, "behind": 4, "v": 4}},
		{vm.Train, map[string]float32{"w": 4, "read": 6, "behind": 4, "v": 4, "unread": 4}},
	} {
		m, s := machine(t, []*graph.Node{one}, tt.mode)
		for range 4 {
			_, err := m.Run(ctx)
			require.NoError(t, err)
		}
		have := map[string]float32{}
		for _, name := range s.Names() {
			d, err := s.Value(name)
			require.NoError(t, err)
			have[name] = floats(d)[0]
		}
		require.Equal(t, tt.want, have)
	}
}

// The values of an owner that are deleted and made anew are still its own.
func TestAMachineWhoseOwnerWasReplacedIsRefused(t *testing.T) {
	build := func(param string) []*graph.Node {
		g := graph.New()
		w, n := g.Param(param, shape.F32(), nil), g.State("n", shape.F32(), nil)
		g.Owned(graph.Owner{}, func() {
			g.Update(w, ops.AddScalar(w, 1))
			g.Update(n, ops.AddScalar(n, 1))
		})
		return []*graph.Node{n}
	}
	m, s := machine(t, build("w"), vm.Train)
	_, err := m.Run(ctx)
	require.NoError(t, err)
	p := vm.MustCompile(ref.Engine{}, build("v"), vm.Train)
	_, err = p.NewMachine(s)
	require.ErrorContains(t, err, `"n" is kept in the store for the optimiser without a name of w`)
	require.NoError(t, s.Delete("n"))
	second, err := p.NewMachine(s)
	require.NoError(t, err)
	_, err = m.Run(ctx)
	require.ErrorContains(t, err, `"n" is kept in the store for the optimiser without a name of v`)
	_, err = second.Run(ctx)
	require.NoError(t, err)
	require.Equal(t, 1.0, first(t, s, "n"))
}

// An optimiser goes on with more parameters where that is said; what it keeps of the others stays.
func TestAnOptimiserGoesOnWithMoreParameters(t *testing.T) {
	build := func(params ...string) []*graph.Node {
		g := graph.New()
		g.Owned(graph.Owner{}, func() {
			n := g.State("n", shape.F32(), nil)
			g.Update(n, ops.AddScalar(n, 1))
			for _, name := range params {
				w, m := g.Param(name, shape.F32(), nil), g.State(name+".m", shape.F32(), nil)
				g.Update(m, ops.AddScalar(m, 1))
				g.Update(w, ops.Add(w, m))
			}
		})
		return []*graph.Node{g.Const(shape.F32(), []float64{1})}
	}
	program := func(params ...string) *vm.Program {
		p, err := vm.Compile(ref.Engine{}, build(params...), vm.Train)
		require.NoError(t, err)
		return p
	}
	s := vm.NewStore(1)
	run := func(p *vm.Program) error {
		m, err := p.NewMachine(s)
		if err == nil {
			_, err = m.Run(ctx)
		}
		return err
	}
	require.NoError(t, run(program("a")))
	require.NoError(t, run(program("a")))
	more := program("a", "b")
	require.ErrorContains(t, run(more), "give each a name of its own")
	require.NoError(t, s.Extend(more))
	require.NoError(t, run(more))
	for name, want := range map[string]float32{"n": 3, "a.m": 3, "a": 0 + 1 + 2, "b.m": 1, "b": 0} {
		v, err := s.Value(name)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, floats(v), name)
	}
	require.EqualError(t, s.Extend(program("b")), "vm: extending a store: the optimiser without a name of a and 1 more has updated a, a.m, which the program leaves as they are")
	require.Error(t, s.Extend(nil))
}
