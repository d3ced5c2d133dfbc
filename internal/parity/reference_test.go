package parity

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

// far is the error of v where PyTorch has want.
func far(t *testing.T, v, want []float64, m measure) float64 {
	t.Helper()
	r := Reference{Shape: []int{len(want)}, V: kept(want)}
	squares := 0.
	for _, x := range want {
		squares += x * x
		r.Sum += x
	}
	r.Norm = math.Sqrt(squares)
	e, err := r.compare(shape.F64(shape.Dim(len(v))), v, m)
	require.NoError(t, err)
	return e
}

func TestErrorsAreRelativeToTheLargestElement(t *testing.T) {
	require.Zero(t, far(t, []float64{1, -4}, []float64{1, -4}, overall))
	require.InDelta(t, .25, far(t, []float64{1, -3}, []float64{1, -4}, overall), 1e-15)
	require.InDelta(t, .25, far(t, []float64{2, -4}, []float64{1, -4}, overall), 1e-15)
	require.InDelta(t, .5, far(t, []float64{.5, 0}, []float64{0, 0}, overall), 1e-15)
	require.InDelta(t, 1, far(t, []float64{2, 100}, []float64{1, 100}, apart), 1e-15)
	require.InDelta(t, .01, far(t, []float64{.5, 101}, []float64{.5, 100}, apart), 1e-15)
}

func TestNaNAndInfinitiesMustBeWhereTheyAre(t *testing.T) {
	nan := math.NaN()
	for _, m := range []measure{overall, apart} {
		require.Zero(t, far(t, []float64{nan, inf, -inf, 1}, []float64{nan, inf, -inf, 1}, m))
		for _, v := range []float64{nan, -inf, 1e300} {
			require.Equal(t, inf, far(t, []float64{v, 1}, []float64{inf, 1}, m), "%v", v)
			require.Equal(t, inf, far(t, []float64{inf, 1}, []float64{v, 1}, m), "%v", v)
		}
		require.Equal(t, inf, far(t, []float64{1, 1}, []float64{nan, 1}, m))
	}
}

// What lies between the elements that are kept shows in the norm, or, where only signs change, in
// the sum.
func TestChangesBetweenTheKeptElementsAreSeen(t *testing.T) {
	want := counter(3, 5000, 1)
	require.Zero(t, far(t, want, want, overall))
	places := kept(countTo(5000))
	for _, change := range []func(x float64) float64{func(float64) float64 { return 2 }, func(x float64) float64 { return -x }} {
		v := slices.Clone(want)
		for i := range v[:100] {
			if !slices.Contains(places, float64(i)) {
				v[i] = change(v[i])
			}
		}
		require.Equal(t, kept(want), kept(v))
		require.Greater(t, far(t, v, want, overall), 1e-5)
	}
}

func TestKeptElementsAreSpreadOverTheWhole(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 1001, 1999, 5000, 1_000_003} {
		places := kept(countTo(n))
		require.Len(t, places, min(n, whole))
		for k, at := range places {
			if n > whole {
				require.True(t, float64(k*n/whole) <= at && at < float64((k+1)*n/whole), "%d of %d: %v", k, n, at)
			}
		}
	}
}

func countTo(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}

// A case with another attribute, another op or other numbers is told from PyTorch's.
func TestWrongResultsAreSeen(t *testing.T) {
	cases, err := Cases()
	require.NoError(t, err)
	at := func(op string) Case {
		return cases[slices.IndexFunc(cases, func(c Case) bool { return c.Op == op })]
	}
	wrong := at("AvgPool2D")
	wrong.Op = "MaxPool2D"
	wrong.Attrs = []byte(`{"Kernel":[2,2],"Stride":[1,1]}`)
	moved := at("Transpose")
	moved.Y.V = slices.Clone(moved.Y.V)
	moved.Y.V[0], moved.Y.V[1] = moved.Y.V[1], moved.Y.V[0]
	grad := at("Tanh")
	grad.Grads = slices.Clone(grad.Grads)
	grad.Grads[0].V = slices.Clone(grad.Grads[0].V)
	grad.Grads[0].V[3] *= 1 + 1e-4
	for name, c := range map[string]Case{"op": wrong, "order": moved, "gradient": grad} {
		errs, err := c.Run(t.Context(), ref.Engine{}, shape.Float64)
		require.NoError(t, err, name)
		require.Greater(t, max(errs.Value, errs.Grad), 1e-5, name)
	}
	for want, c := range map[string]Case{
		"attributes: json: unknown field":     {Op: "Sum", Attrs: []byte(`{"Axis":[0]}`), In: at("Sum").In},
		`no function "Nothing"`:               {Op: "Nothing"},
		`no kind "odd" of input`:              {Op: "Neg", In: []Input{{Kind: "odd"}}},
		"1 gradients, PyTorch has 2":          {Op: "Neg", Attrs: []byte("{}"), In: at("Neg").In, Grads: make([]Reference, 2)},
		"PyTorch's has shape [1]":             {Op: "Neg", Attrs: []byte("{}"), In: at("Neg").In, Y: Reference{Shape: []int{1}}},
		"PyTorch's result has 0 elements":     {Op: "Neg", Attrs: []byte("{}"), In: at("Neg").In, Y: Reference{Shape: at("Neg").Y.Shape}},
		"MatMul: input 0 is int32(2,3); want": {Op: "MatMul", Attrs: []byte("{}"), In: []Input{{"ids", []int{2, 3}}, {"ids", []int{3, 2}}}},
	} {
		_, err := c.Run(t.Context(), ref.Engine{}, shape.Float64)
		require.ErrorContains(t, err, want)
	}
}
