package optim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// lateProgram minimises (a*b - 2)², and b is frozen, or late.
func lateProgram(t *testing.T, frozen bool) *vm.Program {
	g := graph.New()
	a := g.Param("a", shape.F64(), graph.Fill(1))
	b := (*graph.Node)(nil)
	if frozen {
		b = g.FrozenParam("b", shape.F64(), graph.Fill(.5))
	} else {
		b = g.Param("b", shape.F64(), graph.Fill(.5))
		optim.Late(g, b)
	}
	loss := ops.Square(ops.AddScalar(ops.Mul(a, b), -2))
	recipe := optim.Recipe{Rule: optim.Adam{LR: .1, Betas: [2]float64{.7, .8}}}
	recipe.Apply(g, autodiff.Grad(loss, g.Params()...))
	require.NoError(t, g.Err())
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	return p
}

// A parameter that is trained later takes Adam's first step then, as in PyTorch, where each has a counter of its own.
func TestLateParametersCountTheirOwnSteps(t *testing.T) {
	store := vm.NewStore(1)
	a, b := adamNumber{p: 1}, adamNumber{p: .5}
	for step := range 9 {
		frozen := step < 4
		p := lateProgram(t, frozen)
		if !frozen {
			require.NoError(t, store.Extend(p))
		}
		m, err := p.NewMachine(store)
		require.NoError(t, err)
		_, err = m.Run(t.Context())
		require.NoError(t, err)
		d := 2 * (a.p*b.p - 2)
		da, db := d*b.p, d*a.p
		a.step(da, .1, .7, .8)
		if !frozen {
			b.step(db, .1, .7, .8)
		}
		require.InDelta(t, a.p, values(t, store, "a")[0], 1e-12)
		require.InDelta(t, b.p, values(t, store, "b")[0], 1e-12)
	}
	require.Equal(t, []string{"step", "step.late"}, optim.Kept([]string{"step", "step.late", "a"}))
}
