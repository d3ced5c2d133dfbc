package enginetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// resampleUlps is the limit of weighted sums, in units in the last place of the sum of the magnitudes.
const resampleUlps = 8

// resample has m sums along an axis of x, of none to several elements each.
func resample(axis, m int, x shape.Type) trial {
	starts := make([]float64, m+1)
	for i := range m {
		starts[i+1] = starts[i] + float64((7*i+3)%5)
	}
	if int(starts[m]) == m+1 {
		starts[m]++ // starts have another shape than ids, so that no trial gives both one memory
	}
	l := shape.Dim(starts[m])
	given := func(*rand.Rand) func() float64 {
		at := -1
		return func() float64 { at++; return starts[at%len(starts)] }
	}
	return trial{
		op: fmt.Sprintf("Resample{axis %d}", axis),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Resampler).BindResample(axis, in, out)
		}),
		in:  []shape.Type{x, shape.I32(shape.Dim(m) + 1), shape.I32(l), shape.Make(x.DType, l)},
		out: []shape.Type{x.Of(x.With(axis, shape.Dim(m)))}, data: []source{signed, given, whole(0, max(x.Int(axis)-1, 0)), signed},
		limit: limit{terms: resampleUlps},
	}
}

func resampleTable(*gen) []trial {
	all := []trial{
		resample(0, 5, shape.F32(3)), resample(1, 4, shape.F64(2, 3, 2)), resample(0, 0, shape.F32(3, 2)),
		resample(2, 40, shape.F32(3, 17, 20)), resample(1, 40, shape.F32(3, 17, 20)),
	}
	for _, n := range edges {
		x := shape.Type{DType: shape.Float32, Shape: shape.OfInts(n, 7)}
		all = append(all, resample(1, 9, x), resample(1, n, x.As(shape.Float64)))
		x.Shape = shape.OfInts(5, n)
		all = append(all, resample(0, 9, x))
	}
	return all
}

func randomResample(g *gen) trial {
	x := shape.Type{DType: pick(g, floats...), Shape: g.shape(1+g.IntN(4), 3000)}
	axis := g.IntN(x.Rank())
	x.Shape = x.With(axis, shape.Dim(g.positive(65)))
	return resample(axis, g.extent(33), x)
}
