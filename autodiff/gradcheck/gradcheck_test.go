package gradcheck_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// recorder is a TB that keeps what it is told.
type recorder struct{ errors []string }

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCheckSaysWhichDerivativeIsWrong(t *testing.T) {
	var r recorder
	gradcheck.Check(&r, func(x ...*graph.Node) *graph.Node { return ops.Mul(x[0], x[1]) }, shape.F32(2), shape.F64(2))
	require.Empty(t, r.errors)

	gradcheck.Check(&r, func(x ...*graph.Node) *graph.Node { return ops.Mul(x[0], ops.StopGradient(x[1])) }, shape.F64(2), shape.F64(2))
	require.Len(t, r.errors, 1)
	require.Regexp(t, `^gradcheck: wrong gradient: order [12], derivative by (x1|c0)\[[01]\]: gradient .*, finite differences .* \(error .*\), tolerance 1e-06$`, r.errors[0])
}

func TestMistakesAreNotTakenForWrongGradients(t *testing.T) {
	in := []gradcheck.Input{{Type: shape.F64(2, 3)}}
	for _, c := range []struct {
		name, want string
		f          gradcheck.Func
	}{
		{"graph error", "Reshape: (2,3) has 6 elements, (5) has 5", func(x ...*graph.Node) *graph.Node { return ops.Reshape(x[0], 5) }},
		{"nil", "the function returns nil", func(...*graph.Node) *graph.Node { return nil }},
		{"Bool", "only floating point has gradients", func(x ...*graph.Node) *graph.Node { return ops.Equal(x[0], x[0]) }},
		{"storage", "bfloat16(2,3), whose steps are too large", func(x ...*graph.Node) *graph.Node { return ops.Cast(x[0], shape.BFloat16) }},
	} {
		_, err := gradcheck.Run(c.f, in, gradcheck.Options{})
		require.ErrorContains(t, err, c.want, c.name)
		require.NotErrorIs(t, err, gradcheck.ErrWrong, c.name)
	}
}

func TestAnArgumentOfAStorageTypeIsNoArgumentToDifferentiateBy(t *testing.T) {
	_, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return ops.Cast(x[0], shape.Float64) },
		[]gradcheck.Input{{Type: shape.F16(3)}}, gradcheck.Options{})
	require.ErrorContains(t, err, "is float16(3), whose steps are too large for finite differences")
	_, err = gradcheck.Run(func(x ...*graph.Node) *graph.Node { return ops.Mul(ops.Cast(x[0], shape.Float64), x[1]) },
		[]gradcheck.Input{{Type: shape.I8(3), Values: gradcheck.IDs(5)}, {Type: shape.F64(3)}}, gradcheck.Options{})
	require.NoError(t, err, "integers are constants, of this type too")
}

func TestSymbolicBatchTakesTheSizeAskedFor(t *testing.T) {
	for _, batch := range []int{1, 2, 7} {
		_, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node {
			return ops.Div(ops.Sum(ops.Mul(x[0], x[1])), ops.Count(x[0], 0))
		}, []gradcheck.Input{{Type: shape.F64(shape.N, 2)}, {Type: shape.F64(2)}}, gradcheck.Options{Batch: batch})
		require.NoError(t, err)
	}
}

func TestLargeArgumentsAreProbed(t *testing.T) {
	r, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return ops.Tanh(x[0]) },
		[]gradcheck.Input{{Type: shape.F64(300, 20)}}, gradcheck.Options{})
	require.NoError(t, err)
	require.Contains(t, r.Ops, "Tanh")
}

func TestOrdersAboveTwo(t *testing.T) {
	r, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return ops.Sin(ops.Mul(x[0], x[0])) },
		[]gradcheck.Input{{Type: shape.F64(2)}}, gradcheck.Options{Order: 4})
	require.NoError(t, err)
	require.LessOrEqual(t, r.Worst.Error, 1e-8)
}

func TestTheSameSeedChecksTheSameNumbers(t *testing.T) {
	run := func(seed uint64) gradcheck.Difference {
		r, err := gradcheck.Run(func(x ...*graph.Node) *graph.Node { return ops.Exp(x[0]) },
			[]gradcheck.Input{{Type: shape.F64(3)}}, gradcheck.Options{Seed: seed})
		require.NoError(t, err)
		return r.Worst
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1).Want, run(2).Want)
}

func TestValuesKeepTheirDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	v := make([]float64, 101)
	gradcheck.Spread(r, v)
	slices.Sort(v)
	for i := 1; i < len(v); i++ {
		require.GreaterOrEqual(t, v[i]-v[i-1], 0.0499)
	}
	for _, x := range v {
		require.GreaterOrEqual(t, math.Abs(x), 0.0499)
	}
	gradcheck.NonZero(r, v)
	for _, x := range v {
		require.GreaterOrEqual(t, math.Abs(x), 0.2)
	}
	gradcheck.Positive(r, v)
	require.GreaterOrEqual(t, slices.Min(v), 0.5)
	gradcheck.IDs(3)(r, v)
	require.Equal(t, []float64{0, 1, 2}, slices.Compact(slices.Sorted(slices.Values(v))))
}

func ExampleRun() {
	softsign := func(x ...*graph.Node) *graph.Node {
		return ops.Div(x[0], ops.AddScalar(ops.Abs(x[0]), 1))
	}
	in := []gradcheck.Input{{Type: shape.F64(2, 3), Values: gradcheck.NonZero}}
	r, err := gradcheck.Run(softsign, in, gradcheck.Options{})
	fmt.Println(r.Worst.Error < 1e-8, err)
	// Output: true <nil>
}
