package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of reductions: a sum may be off by 8 units in the last place of the sum of the magnitudes,
// for any number of terms, which excludes adding them one by one; a product by 4 units per factor;
// maxima and minima must be exact.
const sumUlps, factorUlps = 8, 4

func reduceTrial(r engine.Reduction, x shape.Type, axes engine.Axes, keep bool) trial {
	out, n := x.Of(shape.Of()), 1
	for i, d := range x.Dims() {
		switch {
		case !axes.Has(i):
			out.Shape = out.Insert(out.Rank(), d)
		case keep:
			out.Shape = out.Insert(out.Rank(), 1)
		}
		if axes.Has(i) {
			n *= x.Int(i)
		}
	}
	tr := trial{
		op: fmt.Sprintf("%v over axes %b", r, axes),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Reducer).BindReduce(r, axes, in, out)
		}),
		in: []shape.Type{x}, out: []shape.Type{out},
		data: []source{reduceData(r, x.DType)},
	}
	switch {
	case r == engine.Maximum || r == engine.Minimum:
		tr.keeps = true // an exact element, which its gradient searches for
	case r == engine.Sum && x.IsFloat():
		tr.limit.terms = sumUlps
	case r == engine.Prod && x.IsFloat():
		tr.limit.terms = factorUlps * float64(n)
	}
	return tr
}

func reduceData(r engine.Reduction, d shape.DType) source {
	switch {
	case !d.IsFloat():
		return anyOf(d)
	case r == engine.Prod:
		return rarely(100, nonFinite, uniform(-1.5, 1.5))
	case r == engine.Sum:
		return rarely(1000, oneOf(nonFinite, denormal), uniform(-1, 1.5))
	}
	return rarely(300, among(nan, inf, -inf, inf, -inf, 0x1p-149, -0x1p-149), uniform(-1, 1))
}

// reduceTable has every subset of the axes of a 4-D and a 5-D tensor, the reductions of a
// convolutional network at their sizes, every edge along and across rows, and empty reductions.
func reduceTable(*gen) []trial {
	var all []trial
	for _, x := range []shape.Type{shape.F32(3, 4, 5, 6), shape.F64(2, 3, 4, 3, 5)} {
		for axes := range engine.Axes(1 << x.Rank()) {
			for r := engine.Sum; r <= engine.Minimum; r++ {
				all = append(all, reduceTrial(r, x, axes, axes%3 == 0))
			}
		}
	}
	for r := engine.Sum; r <= engine.Minimum; r++ {
		all = append(all,
			reduceTrial(r, shape.F32(16, 6, 28, 28), engine.AxesOf(0, 2, 3), false),
			reduceTrial(r, shape.F32(64, 120), engine.AxesOf(0), false),
			reduceTrial(r, shape.F32(1000, 17), engine.AxesOf(1), true),
			reduceTrial(r, shape.F32(50_021), engine.AxesOf(0), false),
			reduceTrial(r, shape.F32(3, 9001), engine.AxesOf(0), false),
			reduceTrial(r, shape.F32(0, 3), engine.AxesOf(1), false),
			reduceTrial(r, shape.F32(), 0, false))
	}
	all = append(all, peakTrials()...)
	for _, n := range edges {
		for _, d := range []shape.DType{shape.Float32, shape.Float64, shape.Int32} {
			for r := engine.Sum; r <= engine.Minimum; r++ {
				x := func(dims ...int) shape.Type { return shape.Type{DType: d, Shape: shape.OfInts(dims...)} }
				all = append(all,
					reduceTrial(r, x(n), engine.AxesOf(0), false),
					reduceTrial(r, x(3, n), engine.AxesOf(1), true),
					reduceTrial(r, x(n, 5), engine.AxesOf(0), false),
					reduceTrial(r, x(5, n), engine.AxesOf(0), false),
					reduceTrial(r, x(2, n, 3, 7), engine.AxesOf(0, 2), false),
					reduceTrial(r, x(3, 2, n), engine.AxesOf(0, 2), false))
			}
		}
	}
	return append(defined(all),
		reduceTrial(engine.Sum, shape.F32(0, 3), engine.AxesOf(0), false),
		reduceTrial(engine.Prod, shape.F64(2, 0), engine.AxesOf(1), true))
}

// peakTrials has extremes of long rows, along them and across, in every part of a row.
func peakTrials() (all []trial) {
	const rows = 64
	for _, n := range []int{255, 256, 511, 512, 513, 767, 769, 1025, 2600} {
		for _, r := range []engine.Reduction{engine.Maximum, engine.Minimum} {
			height := 3.
			if r == engine.Minimum {
				height = -3
			}
			along := reduceTrial(r, shape.F32(rows, shape.Dim(n)), engine.AxesOf(1), false)
			along.data[0] = peaks(rows, n, height)
			across := reduceTrial(r, shape.F32(shape.Dim(n), 5), engine.AxesOf(0), false)
			across.data[0] = signed
			all = append(all, along, across)
		}
	}
	return all
}

func randomReduce(g *gen) trial {
	for {
		x := shape.Type{DType: pick(g, numeric...), Shape: g.shape(g.IntN(6), 5000)}
		axes := engine.Axes(g.IntN(1 << x.Rank()))
		tr := reduceTrial(engine.Reduction(g.IntN(4)), x, axes, g.bool())
		if len(defined([]trial{tr})) == 1 { // not a maximum of no elements
			return tr
		}
	}
}
