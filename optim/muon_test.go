package optim_test

import (
	"math"
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

// stepped returns a parameter of zeros after a step along the gradient -d.
func stepped(t *testing.T, o optim.Optimizer, d []float64, dims ...int) []float64 {
	t.Helper()
	s := shape.Of()
	for i, n := range dims {
		s = s.Insert(i, shape.Dim(n))
	}
	g := graph.New()
	w := g.Param("w", shape.Type{DType: shape.Float64, Shape: s}, nil)
	loss := ops.Neg(ops.Sum(ops.Mul(w, g.Const(w.Type(), d))))
	o.Apply(g, autodiff.Grad(loss, w))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	store := vm.NewStore(1)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	_, err = m.Run(t.Context())
	require.NoError(t, err)
	return values(t, store, "w")
}

func ramp(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(float64(3*i*i + 1))
	}
	return v
}

// Filters (O,C,H,W) are matrices (O,C*H*W); a matrix and its transpose have the same directions.
func TestMuonStepsFiltersAndBothKindsOfMatrices(t *testing.T) {
	o := optim.Muon{LR: 1, Plain: true}
	wide := stepped(t, o, ramp(24), 3, 8)
	require.InDeltaSlice(t, wide, stepped(t, o, ramp(24), 3, 2, 2, 2), 1e-12)
	turned := make([]float64, 24)
	for i, v := range ramp(24) {
		turned[i%8*3+i/8] = v
	}
	tall := stepped(t, o, turned, 8, 3)
	for i, v := range wide {
		require.InDelta(t, v*math.Sqrt(8./3), tall[i%8*3+i/8], 1e-9)
	}
	// The rows of the step are almost orthogonal, and about as long as each other.
	for a := range 3 {
		for b := range 3 {
			dot := 0.
			for c := range 8 {
				dot += wide[8*a+c] * wide[8*b+c]
			}
			want := 0.
			if a == b {
				want = 1
			}
			require.InDelta(t, want, dot, .55)
		}
	}
}

func TestOptimisersOfNothing(t *testing.T) {
	require.Equal(t, make([]float64, 4), stepped(t, optim.Muon{}, make([]float64, 4), 2, 2), "no gradient")
	require.Equal(t, make([]float64, 4), stepped(t, optim.LAMB{}, make([]float64, 4), 4), "no gradient")
	require.InDeltaSlice(t, []float64{.1, -.1}, stepped(t, optim.LAMB{LR: .1}, []float64{2, -3}, 2), 1e-6, "a parameter of zeros steps as Adam")
	require.Equal(t, []float64{.1, -.1, 0}, stepped(t, optim.Lion{LR: .1}, []float64{2, -3, 0}, 3))
}

func TestSettingsOfNewRulesAreChecked(t *testing.T) {
	for want, o := range map[string]optim.Rule{
		"Momentum is 1; it must be at least 0": optim.Muon{Momentum: 1},
		"Steps is -1":                          optim.Muon{Steps: -1},
		"more than 100 Steps":                  optim.Muon{Steps: 101},
		"Betas[1] is 2":                        optim.Lion{Betas: [2]float64{0, 2}},
		"WeightDecay is -1":                    optim.LAMB{WeightDecay: -1},
	} {
		_, err := o.Settings()
		require.ErrorContains(t, err, want)
	}
}
