package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func reducer(r engine.Reduction, axes engine.Axes) func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindReduce(r, axes, in, out)
	}
}

// reduced computes one reduction by index. Of the axes reduced, those in keep stay.
func reduced(r engine.Reduction, axes, keep engine.Axes, x tensorOf) tensorOf {
	var dims []shape.Dim
	for i, d := range x.Dims() {
		switch {
		case !axes.Has(i):
			dims = append(dims, d)
		case keep.Has(i):
			dims = append(dims, 1)
		}
	}
	y := tensorOf{Type: x.Of(shape.Of(dims...))}
	y.v = make([]float64, y.Len())
	fresh := make([]bool, y.Len())
	each(x.Shape, func(index []int) {
		var to []int
		for i, k := range index {
			switch {
			case !axes.Has(i):
				to = append(to, k)
			case keep.Has(i):
				to = append(to, 0)
			}
		}
		acc, v := y.at(to), *x.at(index)
		first := &fresh[flatIndex(y.Shape, to)]
		switch {
		case !*first:
			*acc = v
		case r == engine.Sum:
			*acc += v
		case r == engine.Prod:
			*acc *= v
		case r == engine.Maximum:
			*acc = max(*acc, v)
		default:
			*acc = min(*acc, v)
		}
		*first = true
	})
	return y
}

func flatIndex(s shape.Shape, index []int) int {
	flat := 0
	for i, n := range s.Ints() {
		flat = flat*n + index[i]
	}
	return flat
}

func TestInnerAxisMean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, s := range []shape.Shape{shape.Of(), shape.Of(5), shape.Of(3, 4, 2, 5), shape.Of(2, 3, 2, 4, 3), shape.Of(1, 3, 1, 4), shape.Of(2, 1, 1, 70)} {
		for axes := range engine.Axes(1 << s.Rank()) {
			for _, d := range dtypes[:5] {
				r := engine.Reduction(rnd.IntN(4))
				x := tensorOf{shape.Type{DType: d, Shape: s}, make([]float64, s.Len())}
				for i := range x.v {
					x.v[i] = float64(rnd.IntN(3) + 1)
				}
				if r == engine.Prod { // that no product is large
					for i := range x.v {
						x.v[i] = 1
					}
					for range 3 {
						x.v[rnd.IntN(len(x.v))] = float64(2 + rnd.IntN(2))
					}
				}
				want := reduced(r, axes, axes&engine.Axes(rnd.IntN(64)), x)
				if d == shape.Uint8 && slices.Max(append(want.v, 0)) > 255 {
					continue
				}
				got, err := compute(t, want.Type, reducer(r, axes), x)
				require.NoError(t, err)
				require.Equal(t, want.v, got, "%v of %v over %b", r, x.Type, axes)
			}
		}
	}
}

func TestReductionsOfNothing(t *testing.T) {
	for r, want := range map[engine.Reduction]float64{engine.Sum: 0, engine.Prod: 1} {
		for _, d := range dtypes[:5] {
			x := tensorOf{shape.Make(d, 2, 0, 3), nil}
			got, err := compute(t, shape.Make(d, 2, 3), reducer(r, engine.AxesOf(1)), x)
			require.NoError(t, err)
			require.Equal(t, []float64{want, want, want, want, want, want}, got, fmt.Sprint(r, d))
			got, err = compute(t, shape.Make(d, 0, 3), reducer(r, engine.AxesOf(0)), x)
			require.NoError(t, err)
			require.Empty(t, got)
		}
	}
	_, err := Engine{}.BindReduce(engine.Maximum, engine.AxesOf(0), engine.InRows(shape.F32(0, 2)), engine.InRow(shape.F32(2)))
	require.ErrorContains(t, err, "Max of no elements")
}

func TestMaxAndMinGiveNaNWhereThereIsOne(t *testing.T) {
	x := tensorOf{shape.F32(3, 3), []float64{1, nan, 2, -inf, -inf, -inf, negZero, 0, negZero}}
	got, err := compute(t, shape.F32(3), reducer(engine.Maximum, engine.AxesOf(1)), x)
	require.NoError(t, err)
	sameNumbers(t, []float64{nan, -inf, 0}, got)
	got, err = compute(t, shape.F32(3), reducer(engine.Minimum, engine.AxesOf(1)), x)
	require.NoError(t, err)
	sameNumbers(t, []float64{nan, -inf, negZero}, got)
}

func TestIntegerReductionsWrapAround(t *testing.T) {
	got, err := compute(t, shape.U8(), reducer(engine.Sum, 1), vector(shape.Uint8, 200, 100))
	require.NoError(t, err)
	require.Equal(t, []float64{44}, got)
	got, err = compute(t, shape.I32(), reducer(engine.Minimum, 1), vector(shape.Int32, -5, math.MinInt32))
	require.NoError(t, err)
	require.Equal(t, []float64{math.MinInt32}, got)
}

func TestLongFloat32SumsAreExactToTheLastBit(t *testing.T) {
	n := 1 << 20
	x := tensorOf{shape.F32(shape.Dim(n)), make([]float64, n)}
	for i := range x.v {
		x.v[i] = .1
	}
	got, err := compute(t, shape.F32(), reducer(engine.Sum, 1), x)
	require.NoError(t, err)
	require.Equal(t, float64(float32(.1))*float64(n), got[0])
}

func TestReductionsRefuseWhatTheyCannotGive(t *testing.T) {
	_, err := Engine{}.BindReduce(engine.Sum, 1, engine.InRows(shape.Mask(2)), engine.InRow(shape.Mask()))
	require.ErrorContains(t, err, "engine ref has no Sum kernel")
	_, err = Engine{}.BindReduce(engine.Sum, 1, engine.InRows(shape.F32(2, 3)), engine.InRow(shape.F32(2)))
	require.ErrorContains(t, err, "does not return float32(2)")
	_, err = Engine{}.BindReduce(engine.Sum, 1, engine.InRows(shape.F32(2)), engine.InRow(shape.F64()))
	require.Error(t, err)
}
