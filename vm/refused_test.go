package vm_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// tied are training steps in which a loss, all numbers being scalars, and new values of leaves
// could be joined in one instruction.
var tied = map[string]func(g *graph.Graph, x *graph.Node) []*graph.Node{
	"the loss is the next value": func(g *graph.Graph, x *graph.Node) []*graph.Node {
		w := g.Param("w", shape.F32(), graph.Fill(1))
		loss := ops.Mul(x, w)
		g.Update(w, loss)
		return []*graph.Node{loss}
	},
	"the next value is made of the loss": func(g *graph.Graph, x *graph.Node) []*graph.Node {
		w, v := g.Param("w", shape.F32(), graph.Fill(1)), g.Param("v", shape.F32(), graph.Fill(2))
		loss := ops.Mul(x, ops.Mul(w, v))
		g.Update(w, ops.Sub(w, loss))
		g.Update(v, ops.Sub(v, ops.Sin(loss)))
		return []*graph.Node{loss}
	},
	"the loss is made of the next value": func(g *graph.Graph, x *graph.Node) []*graph.Node {
		w, v := g.Param("w", shape.F32(), graph.Fill(1)), g.Param("v", shape.F32(), graph.Fill(2))
		next := ops.Add(w, ops.Mul(x, v))
		g.Update(w, next)
		g.Update(v, ops.Sin(next))
		return []*graph.Node{ops.Mul(next, next)}
	},
	"two losses, each beside another's next value": func(g *graph.Graph, x *graph.Node) []*graph.Node {
		w, v := g.Param("w", shape.F32(), graph.Fill(1)), g.Param("v", shape.F32(), graph.Fill(2))
		a := ops.Sin(ops.Mul(x, w))
		b := ops.Mul(ops.Cos(x), v)
		g.Update(w, ops.Add(w, ops.Exp(b)))
		g.Update(v, ops.Mul(v, ops.Exp(a)))
		return []*graph.Node{ops.Square(a), ops.Square(b)}
	},
	"a value for both": func(g *graph.Graph, x *graph.Node) []*graph.Node {
		w := g.Param("w", shape.F32(), graph.Fill(1))
		n := g.State("n", shape.F32(), nil)
		shared := ops.Sin(ops.Mul(x, w))
		g.Update(n, ops.Add(n, ops.Scalar(n, 1)))
		g.Update(w, ops.Sub(w, ops.Mul(shared, n)))
		return []*graph.Node{ops.Exp(shared)}
	},
}

// A step with a loss that is not finite leaves every leaf as it was, whatever the passes join.
func TestARefusedStepLeavesTheStoreWhole(t *testing.T) {
	for name, build := range tied {
		for _, off := range [][]string{nil, {"inplace"}, {"schedule"}, {"fuse"}, {"group"}} {
			t.Run(name, func(t *testing.T) {
				g := graph.New()
				outs := build(g, g.Input("x", shape.F32()))
				p, err := vm.Compile(newSharingEngine(), outs, vm.Train, vm.Checked, vm.Without(off...))
				require.NoError(t, err)
				s := vm.NewStore(1)
				m, err := p.NewMachine(s)
				require.NoError(t, err)
				_, err = m.Run(ctx, f32([]float32{.5}))
				require.NoError(t, err)
				before := values(t, s)
				for _, bad := range []float64{math.NaN(), math.Inf(1)} {
					_, err = m.Run(ctx, f32([]float32{float32(bad)}))
					require.ErrorIs(t, err, vm.ErrNotFinite)
					require.Equal(t, before, values(t, s))
				}
				_, err = m.Run(ctx, f32([]float32{.5}))
				require.NoError(t, err)
			})
		}
	}
}

// What is checked is not joined with the next value of a leaf, which then could not be computed in
// its place.
func TestALossIsNotTiedToANextValue(t *testing.T) {
	for _, name := range []string{"the next value is made of the loss"} {
		g := graph.New()
		list, err := vm.MustCompile(ref.Engine{}, tied[name](g, g.Input("x", shape.F32())), vm.Train).Describe(1)
		require.NoError(t, err)
		for _, in := range list {
			require.NotEqual(t, "Write", in.Name, "%s: %s", name, in.Text)
		}
	}
}

// computing counts the instructions that compute n.
func computing(list []vm.Instruction, n *graph.Node) (times int) {
	for _, in := range list {
		if slices.ContainsFunc(in.Out, func(r vm.Result) bool { return r.Node == n }) {
			times++
		}
	}
	return times
}

// values are all leaves of a store.
func values(t *testing.T, s *vm.Store) map[string][]float32 {
	all := map[string][]float32{}
	for _, name := range s.Names() {
		v, err := s.Value(name)
		require.NoError(t, err)
		all[name] = floats(v)
	}
	return all
}

// Within a budget what may fail is not run again, perhaps after the first write.
func TestWhatMayFailIsNotComputedAgain(t *testing.T) {
	g := graph.New()
	ids := g.Input("ids", shape.I32(64))
	table := g.Param("table", shape.F32(8, 16), spread(1))
	rows := ops.Gather(table, 0, ids)
	x := ops.Softmax(rows, 1)
	for range 3 {
		x = ops.Softmax(ops.Concat(0, x, x), 1)
	}
	loss := ops.Add(ops.Mean(x), ops.Mean(ops.Softmax(ops.Mul(rows, ops.Mean(x)), 1)))
	g.Update(table, ops.Mul(table, ops.Scalar(table, 2)))
	free := vm.MustCompile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	all, err := free.Memory(1)
	require.NoError(t, err)
	kept := 0
	for budget := all.Arena; budget > all.Arena/2; budget -= 512 {
		p := vm.MustCompile(ref.Engine{}, []*graph.Node{loss}, vm.Train, vm.Checked, vm.WithMemory(budget))
		list, err := p.Describe(1)
		if err != nil {
			require.ErrorIs(t, err, vm.ErrMemory)
			continue
		}
		kept++
		gathers := 0
		for _, in := range list {
			if in.Name == "Gather" {
				gathers++
			}
		}
		require.Equal(t, 1, gathers, "within %d bytes", budget)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		before := values(t, s)
		bad := make([]int32, 64)
		bad[63] = 8
		_, err = m.Run(ctx, tensor.New(tensor.WithShape(64), tensor.WithBacking(bad)))
		require.ErrorContains(t, err, "id 8")
		require.Equal(t, before, values(t, s))
	}
	require.Positive(t, kept)
}

// A value that a leaf is to take is not computed again, perhaps from leaves that have changed.
func TestTheNextValueOfALeafIsNotComputedAgain(t *testing.T) {
	g := graph.New()
	a, b := g.State("a", shape.F32(256), spread(1)), g.State("b", shape.F32(256), spread(2))
	nextA, nextB := ops.Softmax(ops.Mul(a, b), 0), ops.Softmax(ops.Sub(a, b), 0)
	x := ops.Softmax(ops.Concat(0, nextA, nextB), 0)
	for range 2 {
		x = ops.Softmax(ops.Concat(0, x, x), 0)
	}
	g.Update(a, nextA)
	g.Update(b, nextB)
	outs := []*graph.Node{ops.Mean(x)}
	run := func(opts ...vm.Option) (map[string][]float32, error) {
		p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Train, vm.Checked)...)
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		for range 2 {
			if _, err := m.Run(ctx); err != nil {
				return nil, err
			}
		}
		return values(t, s), nil
	}
	want, err := run()
	require.NoError(t, err)
	for budget := 1024; budget < 20_000; budget += 256 {
		list, err := vm.MustCompile(ref.Engine{}, outs, vm.Train, vm.WithMemory(budget)).Describe(1)
		if err == nil {
			require.Equal(t, 1, computing(list, nextA), "within %d bytes", budget)
			require.Equal(t, 1, computing(list, nextB), "within %d bytes", budget)
		}
		got, err := run(vm.WithMemory(budget))
		if err != nil {
			require.ErrorIs(t, err, vm.ErrMemory)
			continue
		}
		require.Equal(t, want, got, "within %d bytes", budget)
	}
}
