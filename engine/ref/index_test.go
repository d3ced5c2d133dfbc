package ref

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// numbers is a tensor of type t that holds v over and over.
func numbers(t shape.Type, v ...float64) tensorOf {
	x := counting(t)
	for i := range x.v {
		x.v[i] = v[i%len(v)]
	}
	return x
}

func TestGatherTakesAndScatterAddIsItsAdjoint(t *testing.T) {
	for i, d := range dtypes {
		x := counting(shape.Make(d, 2, 4, 3))
		ids := numbers(shape.Make([]shape.DType{shape.Int32, shape.Int64, shape.Uint8}[i%3], 2, 3), 3, 0, 3, 2, 1, 3)
		along := numbers(shape.Make(ids.DType, 2, 5, 3), 3, 0, 0, 2, 1, 3, 1)
		for _, c := range []struct {
			g    engine.Gather
			ids  tensorOf
			y    shape.Shape
			from func(at []int) []int
		}{
			{engine.Gather{Axis: 1}, ids, shape.Of(2, 2, 3, 3), func(at []int) []int { return []int{at[0], int(*ids.at(at[1:3])), at[3]} }},
			{engine.Gather{Axis: 1, Along: true}, along, along.Shape, func(at []int) []int { return []int{at[0], int(*along.at(at)), at[2]} }},
		} {
			want, sum := counting(x.Of(c.y)), numbers(x.Type, 0)
			each(c.y, func(at []int) {
				*sum.at(c.from(at)) += *want.at(at)
			})
			dy := counting(want.Type)
			each(c.y, func(at []int) { *want.at(at) = *x.at(c.from(at)) })
			got, err := compute(t, want.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return Engine{}.BindGather(c.g, in, out)
			}, x, c.ids)
			require.NoError(t, err)
			require.Equal(t, want.v, got, "%v of %v", c.g, d)
			if !d.IsFloat() {
				continue
			}
			got, err = compute(t, x.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return Engine{}.BindScatterAdd(c.g, in, out)
			}, dy, c.ids)
			require.NoError(t, err)
			require.Equal(t, sum.v, got, "%v of %v", c.g, d)
		}
	}
}

func TestAnIDBeyondTheAxisIsAnError(t *testing.T) {
	for _, id := range []float64{-1, 3} {
		x, ids := counting(shape.F32(3, 2)), numbers(shape.I32(2), 1, id)
		_, err := compute(t, shape.F32(2, 2), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindGather(engine.Gather{}, in, out)
		}, x, ids)
		require.ErrorContains(t, err, "element 1, is not one of the axis, 0..2")
		_, err = compute(t, shape.F32(3, 2), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindScatterAdd(engine.Gather{}, in, out)
		}, numbers(shape.F32(2, 2), 1), ids)
		require.ErrorContains(t, err, "element 1, is not one of the axis, 0..2")
	}
}

func TestTopKOfLongLinesIsAStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + r.IntN(80)
		k, least := 1+r.IntN(n), r.IntN(2) == 0
		x := make([]float64, n)
		order := make([]float64, n)
		for i := range x {
			x[i], order[i] = float64(r.IntN(n/2+1)), float64(i)
		}
		slices.SortStableFunc(order, func(a, b float64) int {
			if least {
				return cmp.Compare(x[int(a)], x[int(b)])
			}
			return cmp.Compare(x[int(b)], x[int(a)])
		})
		got, err := compute(t, shape.I64(shape.Dim(k)), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindTopK(engine.TopK{Least: least}, in, out)
		}, numbers(shape.F64(shape.Dim(n)), x...))
		require.NoError(t, err)
		require.Equal(t, order[:k], got)
	}
}

func TestTopKIsAStableSortFromTheGreatest(t *testing.T) {
	for _, d := range dtypes[:5] {
		values := []float64{2, 5, 0, 5, 1, 2, 5, 3, 0}
		if d.IsFloat() {
			values = append(values, math.NaN(), math.Inf(1), math.Inf(-1), math.NaN())
		}
		for axis := range 3 {
			for k := range 4 {
				x := numbers(shape.Make(d, 3, 4, 5), values...) // k is at most 3, the extent of axis 0
				out := shape.Make(shape.Int64, x.With(axis, shape.Dim(k)).Dims()...)
				got, err := compute(t, out, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
					return Engine{}.BindTopK(engine.TopK{Axis: axis}, in, out)
				}, x)
				require.NoError(t, err)
				each(out.Shape, func(index []int) {
					at := slices.Clone(index)
					value := func(i int) float64 {
						at[axis] = i
						return *x.at(at)
					}
					order := make([]int, x.Int(axis))
					for i := range order {
						order[i] = i
					}
					slices.SortStableFunc(order, func(a, b int) int {
						if x, y := value(a), value(b); !math.IsNaN(x) && !math.IsNaN(y) {
							return cmp.Compare(y, x)
						}
						return cmp.Compare(value(a), value(b)) // NaN is less than numbers here
					})
					require.Equal(t, float64(order[index[axis]]), got[flatIndex(out.Shape, index)])
				})
			}
		}
	}
}

func TestCumSumAddsUp(t *testing.T) {
	for _, d := range dtypes[:5] {
		for axis := range 3 {
			for _, reverse := range []bool{false, true} {
				x := counting(shape.Make(d, 2, 3, 4))
				got, err := compute(t, x.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
					return Engine{}.BindCumSum(engine.CumSum{Axis: axis, Reverse: reverse}, in, out)
				}, x)
				require.NoError(t, err)
				each(x.Shape, func(index []int) {
					want, at := 0.0, slices.Clone(index)
					for i := range x.Int(axis) {
						if at[axis] = i; i == index[axis] || (i > index[axis]) == reverse {
							want += *x.at(at)
						}
					}
					require.Equal(t, want, got[flatIndex(x.Shape, index)])
				})
			}
		}
	}
}
