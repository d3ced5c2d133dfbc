package shape_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/shape"
)

func TestDimArithmetic(t *testing.T) {
	type op func(a, b shape.Dim) (shape.Dim, error)
	add, mul, div := op(shape.Dim.Add), op(shape.Dim.Mul), op(shape.Dim.Div)
	for _, c := range []struct {
		name string
		op   op
		a, b shape.Dim
		want shape.Dim
		err  string
	}{
		{"numbers", add, 3, 4, 7, ""},
		{"N+N", add, shape.N, shape.N, shape.Batch(2), ""},
		{"N+0", add, shape.N, 0, shape.N, ""},
		{"0+N", add, 0, shape.N, shape.N, ""},
		{"N+3", add, shape.N, 3, 0, "N+3"},
		{"3+N", add, 3, shape.N, 0, "3+N"},
		{"0+(-3)", add, 0, -3, 0, "0+invalid(-3) is not a valid extent"},
		{"overflow to a multiple of N", add, 1 << 62, 1 << 62, 0, "is not a valid extent"},
		{"overflow to 0", add, math.MinInt64, math.MinInt64, 0, "is not a valid extent"},
		{"below zero", add, 2, -3, 0, "2+invalid(-3) is not a valid extent"},
		{"2N*3", mul, shape.Batch(2), 3, shape.Batch(6), ""},
		{"3*N", mul, 3, shape.N, shape.Batch(3), ""},
		{"0*N", mul, 0, shape.N, 0, ""},
		{"N*N", mul, shape.N, shape.N, 0, "N*N"},
		{"too large", mul, 1 << 40, 1 << 40, 0, "too large"},
		{"6N/3", div, shape.Batch(6), 3, shape.Batch(2), ""},
		{"6N/2N", div, shape.Batch(6), shape.Batch(2), 3, ""},
		{"N/2", div, shape.N, 2, 0, "N/2"},
		{"8/N", div, 8, shape.N, 0, "8/N"},
		{"7/2", div, 7, 2, 0, "7 is not a multiple of 2"},
		{"N/-1", div, shape.N, -1, 0, "N/invalid(-1) is not a size"},
		{"6/-3", div, 6, -3, 0, "6/invalid(-3) is not a size"},
		{"-6/3", div, -6, 3, 0, "invalid(-6)/3 is not a size"},
		{"by zero", div, 7, 0, 0, "7/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.op(c.a, c.b)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// What the methods would refuse is caught as well where it was done with Go's operators.
func TestSlipsOfArithmeticAreInvalid(t *testing.T) {
	for _, d := range []shape.Dim{shape.N + 3, shape.N / 2, shape.N - 1, -3, 1 << 31} {
		require.False(t, d.Valid(), "%d", d)
		require.Error(t, shape.Of(2, d).Err())
		require.False(t, shape.F32(d).Valid())
	}
	require.Equal(t, shape.Batch(2), 2*shape.N)
}

func TestAMultipleOfNThatIsNoneIsInvalid(t *testing.T) {
	require.True(t, shape.Batch(math.MaxInt32).Valid())
	for _, k := range []int{-1, 1 << 31, 1 << 32, 1 << 40, math.MinInt} {
		d := shape.Batch(k)
		require.False(t, d.Valid(), "%d*N is %v", k, d)
	}
}

func TestABatchSizeBeyondAnyExtentIsInvalid(t *testing.T) {
	for _, n := range []int{-1, 1 << 31, 1 << 32, 1 << 62, -1 << 32} { // 4*(1<<62) wraps around to 0, N*(-1<<32) is N again
		require.False(t, shape.Batch(4).At(n).Valid(), "%d", n)
		require.False(t, shape.N.At(n).Valid(), "%d", n)
	}
	require.Equal(t, shape.Dim(8), shape.Batch(4).At(2))
}

func TestDimAtAgreesWithArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dim := func() shape.Dim {
		if r.IntN(2) == 0 {
			return shape.Batch(1 + r.IntN(5))
		}
		return shape.Dim(r.IntN(50))
	}
	for range 2000 {
		a, b, n := dim(), dim(), 1+r.IntN(9)
		if s, err := a.Add(b); err == nil {
			require.Equal(t, a.At(n)+b.At(n), s.At(n))
		}
		if p, err := a.Mul(b); err == nil {
			require.Equal(t, a.At(n)*b.At(n), p.At(n))
		}
		if q, err := a.Div(b); err == nil {
			require.Equal(t, a.At(n), q.At(n)*b.At(n))
		}
	}
}

func TestShapesAreMapKeys(t *testing.T) {
	a, b := shape.Of(shape.N, 3), shape.Of(2, shape.N, 3).Drop(0)
	require.True(t, a == b, "what is dropped leaves no trace")
	m := map[shape.Type]int{shape.F32(1, 2): 1}
	require.Equal(t, 1, m[shape.F32(1, 2)])
	require.Zero(t, m[shape.F64(1, 2)])
}

func TestSize(t *testing.T) {
	size := func(s shape.Shape) shape.Dim {
		d, err := s.Size()
		require.NoError(t, err)
		return d
	}
	require.Equal(t, shape.Dim(1), size(shape.Of()))
	require.Equal(t, shape.Batch(784), size(shape.Of(shape.N, 1, 28, 28)))
	require.Equal(t, shape.Dim(0), size(shape.Of(3, 0, 5)))
	_, err := shape.Of(shape.N, shape.N).Size()
	require.ErrorIs(t, err, shape.ErrSymbolic)
}

func TestRankIsBounded(t *testing.T) {
	require.NoError(t, shape.Of(1, 1, 1, 1, 1, 1, 1, 1).Err())
	require.ErrorContains(t, shape.Of(1, 1, 1, 1, 1, 1, 1, 1, 1).Err(), "more than 8 axes")
}

func TestInsertDropWith(t *testing.T) {
	s := shape.Of(2, 3, 4)
	require.Equal(t, shape.Of(2, 9, 3, 4), s.Insert(1, 9))
	require.Equal(t, shape.Of(2, 3, 4, 9), s.Insert(3, 9))
	require.Equal(t, shape.Of(2, 4), s.Drop(1))
	require.Equal(t, shape.Of(2, 3), s.Drop(-1))
	require.Equal(t, shape.Of(2, 3, 7), s.With(-1, 7))
	require.Equal(t, []int{12, 4, 1}, s.Strides())
	require.Panics(t, func() { s.With(3, 1) }, "it would be a trace of an axis that s lacks")
	_, err := s.Axis(3)
	require.ErrorContains(t, err, "no axis 3 in (2,3,4)")
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct {
		a, b, want shape.Shape
		err        string
	}{
		{shape.Of(shape.N, 3), shape.Of(3), shape.Of(shape.N, 3), ""},
		{shape.Of(4, 1), shape.Of(1, 5), shape.Of(4, 5), ""},
		{shape.Of(), shape.Of(2), shape.Of(2), ""},
		{shape.Of(1), shape.Of(0), shape.Of(0), ""},
		{shape.Of(1, 3), shape.Of(shape.N, 3), shape.Of(shape.N, 3), ""},
		{shape.Of(2, 3), shape.Of(4, 3), shape.Shape{}, "2 against 4"},
		{shape.Of(shape.N), shape.Of(4), shape.Shape{}, "N against 4"},
	} {
		got, err := shape.Broadcast(c.a, c.b)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got)
		back, err := shape.Broadcast(c.b, c.a)
		require.NoError(t, err)
		require.Equal(t, got, back)
	}
}

func TestDTypesHoldTheNumbersInTheirRange(t *testing.T) {
	for _, c := range []struct {
		d       shape.DType
		in, out []float64
	}{
		{shape.Float32, []float64{0, .1, 1e300, math.Inf(-1), math.NaN()}, nil},
		{shape.Int32, []float64{0, -1 << 31, 1<<31 - 1}, []float64{.5, 1 << 31, -1<<31 - 1, math.NaN()}},
		{shape.Int64, []float64{-1 << 63, 1<<63 - 1024}, []float64{1 << 63, math.Inf(1), math.NaN()}},
		{shape.Uint8, []float64{0, 255}, []float64{-1, 256, 1.5}},
		{shape.Bool, []float64{0, 1}, []float64{2, .5, -1}},
		{shape.Invalid, nil, []float64{0}},
	} {
		for _, v := range c.in {
			require.True(t, c.d.Holds(v), "%v %v", c.d, v)
		}
		for _, v := range c.out {
			require.False(t, c.d.Holds(v), "%v %v", c.d, v)
		}
	}
}

func TestParseDType(t *testing.T) {
	for d := shape.Float32; d <= shape.Bool; d++ {
		got, ok := shape.ParseDType(d.String())
		require.True(t, ok)
		require.Equal(t, d, got)
		require.Positive(t, d.Width())
	}
	_, ok := shape.ParseDType("invalid")
	require.False(t, ok)
	require.Equal(t, "invalid", shape.DType(99).String())
}

func TestATypeOfNoKnownElementsIsInvalid(t *testing.T) {
	require.False(t, shape.Make(shape.DType(99), 2).Valid())
}

func ExampleDim() {
	images := shape.F32(shape.N, 1, 28, 28)
	pixels, _ := images.Shape.Size()
	_, err := shape.N.Add(3)
	fmt.Println(images, pixels, images.At(64))
	fmt.Println(err)
	// Output:
	// float32(N,1,28,28) 784N float32(64,1,28,28)
	// N+3: not possible with the symbolic batch size
}
