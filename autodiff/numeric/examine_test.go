package numeric_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff/numeric"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// layers is ReLU(x*w + b), then a sigmoid, with the biases of the ReLU given.
func layers(t *testing.T, bias ...float64) (loss, w *graph.Node, s *vm.Store) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2))
	w = g.Param("w", shape.F64(2, 3), graph.Fill(.1))
	b := g.Param("b", shape.F64(3), nil)
	s = vm.NewStore(1)
	require.NoError(t, s.Init(w, b))
	require.NoError(t, s.Set("b", dense(bias, 3)))
	var h *graph.Node
	g.Within("hidden", func() { h = ops.ReLU(ops.Add(ops.MatMul(x, w), b)) })
	return ops.Mean(ops.Sigmoid(h)), w, s
}

func TestDeadUnitsAreCounted(t *testing.T) {
	loss, w, s := layers(t, 1, -100, -.25) // the last is alive for one example
	x := dense([]float64{1, 1, 2, 1, .5, .5, 1, -1}, 4, 2)
	before := len(w.Graph().Nodes())
	r, err := numeric.Examine(t.Context(), ref.Engine{}, s, loss, w, x)
	require.NoError(t, err)
	require.Len(t, w.Graph().Nodes(), before)
	require.Equal(t, 2, r.Zeros)
	require.Equal(t, 6, r.Elements)
	require.Len(t, r.Activations, 2)
	require.Equal(t, 3, r.Activations[0].Units)
	require.Equal(t, 1, r.Activations[0].Dead)
	require.Zero(t, r.Activations[1].Dead)
	require.Regexp(t, `^of the gradient of %\d+ Div by w, 2 of 6 elements are zero on this batch\n\tat %5 ReLU float64\(N,3\) \(layer hidden, examine_test.go:\d+\): 1 of 3 units are dead, their derivative is 0 for every example$`, r.String())
}

func TestWhatIsBelowADeadLayerIsToldApart(t *testing.T) {
	loss, w, s := layers(t, 1000, 1000, 1000) // the sigmoid is flat
	r, err := numeric.Examine(t.Context(), ref.Engine{}, s, loss, w, dense([]float64{1, 1}, 1, 2))
	require.NoError(t, err)
	require.Equal(t, 6, r.Zeros)
	relu, sigmoid := r.Activations[0], r.Activations[1]
	require.Zero(t, relu.Dead)
	require.True(t, relu.Unreached)
	require.Equal(t, 3, sigmoid.Dead)
	require.False(t, sigmoid.Unreached)
	require.Regexp(t, `ReLU .*: no gradient arrives from %\d+ Div\n\tat .* Sigmoid .*: 3 of 3 units are dead`, r.String())
}

func TestChannelsAreTheUnitsOfImages(t *testing.T) {
	g := graph.New()
	x, b := g.Input("x", shape.F32(shape.N, 2, 2, 2)), g.Input("b", shape.F32(2))
	y := ops.Sum(ops.ReLU(ops.AddBias(x, b)))
	r, err := numeric.Examine(t.Context(), ref.Engine{}, vm.NewStore(1), y, b,
		tensor.New(tensor.WithShape(1, 2, 2, 2), tensor.WithBacking([]float32{-1, -1, -1, 1, 1, 1, 1, 1})), tensor.New(tensor.WithBacking([]float32{0, -1})))
	require.NoError(t, err)
	require.Equal(t, []numeric.Activation{{Node: y.In(0), Units: 2, Dead: 1, Flat: 7, Values: 8}}, r.Activations)
	require.Equal(t, 1, r.Zeros)
}

func TestAGradientThatIsStoppedIsNotRun(t *testing.T) {
	_, w, s := layers(t, 0, 0, 0)
	r, err := numeric.Examine(t.Context(), ref.Engine{}, s, ops.Sum(ops.StopGradient(w)), w)
	require.NoError(t, err)
	require.False(t, r.Passes)
	require.Contains(t, r.String(), "StopGradient")
	_, err = numeric.Examine(t.Context(), ref.Engine{}, s, w, w)
	require.ErrorIs(t, err, graph.ErrNotScalar)
	_, err = numeric.Examine(t.Context(), ref.Engine{}, s, nil, w)
	require.ErrorContains(t, err, "a node is nil")
}

// The gradient of the mean of s(h) over n values by h is s'(h)/n; the values are worked out by
// hand.
func TestNormsAndFlatValuesOfTheWay(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F64(5), nil)
	s := vm.NewStore(1)
	require.NoError(t, s.Init(w))
	require.NoError(t, s.Set("w", dense([]float64{0, 1, -7, 30, 5}, 5)))
	var h, a *graph.Node
	g.Within("first", func() { h = ops.MulScalar(w, 1) })
	g.Within("second", func() { a = ops.Sigmoid(h) })
	y := ops.Mean(ops.MulScalar(a, 1e-30))
	r, err := numeric.Examine(t.Context(), ref.Engine{}, s, y, w)
	require.NoError(t, err)
	require.Equal(t, []*graph.Node{y, a, h}, []*graph.Node{r.Way[0].Node, r.Way[1].Node, r.Way[2].Node})
	require.Equal(t, 1.0, r.Way[0].Norm)
	require.InEpsilon(t, 1e-30/5*math.Sqrt(5), r.Way[1].Norm, 1e-12)
	slope := func(x float64) float64 { e := math.Exp(-x); return e / (1 + e) / (1 + e) }
	want := 1e-30 / 5 * math.Sqrt(slope(0)*slope(0)+slope(1)*slope(1)+slope(7)*slope(7)+slope(30)*slope(30)+slope(5)*slope(5))
	require.InEpsilon(t, want, r.Way[2].Norm, 1e-12)
	require.InEpsilon(t, want, r.Norm, 1e-12)
	require.Equal(t, []numeric.Activation{{Node: a, Units: 5, Flat: 2, Values: 5}}, r.Activations) // -7 and 30; at 5 it is .0066
}

// In float32 the squares would be 0.
func TestTheNormOfASmallGradientIsNotZero(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(4), graph.Fill(1))
	r, err := numeric.Examine(t.Context(), ref.Engine{}, vm.NewStore(1), ops.Sum(ops.Tanh(ops.MulScalar(w, 1e-30))), w)
	require.NoError(t, err)
	require.InEpsilon(t, 2e-30, r.Norm, 1e-6)
}

func ExampleExamine() {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 2)), g.Param("w", shape.F32(2, 3), graph.Fill(-1))
	loss := ops.Mean(ops.ReLU(ops.MatMul(x, w)))
	batch := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{1, 2}))
	r, err := numeric.Examine(context.Background(), ref.Engine{}, vm.NewStore(1), loss, w, batch)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range r.Activations {
		fmt.Println(a.Node, a.Dead, "of", a.Units, "units are dead")
	}
	// Output: %3 ReLU 3 of 3 units are dead
}
