package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// windowUlps is the limit of sums over windows, in units in the last place of the sum of the
// magnitudes.
const windowUlps = 8

func windowSumTrial(w engine.WindowSum, x shape.Type) trial {
	return trial{
		op: fmt.Sprintf("WindowSum%+v", w),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.WindowSummer).BindWindowSum(w, in, out)
		}),
		in: []shape.Type{x}, out: []shape.Type{x}, data: []source{terms}, limit: limit{terms: windowUlps},
	}
}

// windowSumTable has the windows of AlexNet, every edge along the axis and after it, and windows
// that extend beyond both ends.
func windowSumTable(*gen) []trial {
	five := engine.WindowSum{Axis: 1, Before: 2, After: 2}
	all := []trial{
		windowSumTrial(five, shape.F32(2, 96, 27, 27)),
		windowSumTrial(five, shape.F64(2, 9, 5, 3)),
		windowSumTrial(five, shape.F32(0, 3)),
	}
	for _, n := range edges {
		of := func(dims ...int) shape.Type { return shape.Type{DType: shape.Float32, Shape: shape.OfInts(dims...)} }
		all = append(all,
			windowSumTrial(engine.WindowSum{Axis: 1, Before: 1, After: 2}, of(3, n)),
			windowSumTrial(engine.WindowSum{Axis: 1, Before: 3}, of(2, 5, n)),
			windowSumTrial(engine.WindowSum{Axis: 0, Before: n, After: n}, of(n, 33)))
	}
	return all
}

func randomWindowSum(g *gen) trial {
	x := shape.Type{DType: pick(g, floats...), Shape: g.shape(1+g.IntN(4), 4000)}
	return windowSumTrial(engine.WindowSum{Axis: g.IntN(x.Rank()), Before: g.IntN(5), After: g.IntN(5)}, x)
}
