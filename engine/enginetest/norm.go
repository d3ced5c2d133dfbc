package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of normalisations, for numbers of about 1. Moments may be off by 8 units in the last place
// of what they add up; results and gradients, which a rounded mean shifts, by 64 of themselves or
// of 1, where they are not sums.
const momentUlps, normUlps, normSumUlps = 16, 64, 64

// normTrials are those of the normalisation over the axes, with a gamma of that shape.
func normTrials(x shape.Type, axes engine.Axes, gamma shape.Shape, given bool) []trial {
	n := engine.Norm{Axes: axes, Eps: 0.1, Given: given}
	m := x.Of(shape.Of(2))
	for i, d := range x.Dims() {
		if !axes.Has(i) {
			m.Shape = m.Insert(m.Rank(), d)
		}
	}
	by := x.Of(gamma)
	sums := func(over engine.Axes) shape.Type { return x.Of(over.Ones(x.Shape).Insert(0, shape.Dim(2))) }
	over := engine.Norm{Axes: 1<<x.Rank() - 1}.Along(x.Shape, gamma)
	data := rarely(2000, among(nan), uniform(-1, 2))
	new := func(what string, l limit, out shape.Type, bind func(b engine.Normaliser) func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error), in ...shape.Type) trial {
		tr := trial{op: fmt.Sprintf("%s{axes %b given %t}", what, axes, given), in: in, out: []shape.Type{out}, data: repeat(data, len(in)), limit: l,
			bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return bind(e.(engine.Normaliser))(n, in, out)
			})}
		if given {
			tr.in, tr.data = append(tr.in, m), append(tr.data, uniform(0.25, 1.5))
		}
		return tr
	}
	summed := n
	summed.Summed = true
	moments := trial{op: fmt.Sprintf("Moments{axes %b}", axes), in: []shape.Type{x}, out: []shape.Type{m}, data: []source{data}, limit: limit{one: momentUlps, result: momentUlps},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Normaliser).BindMoments(axes, in, out)
		})}
	return []trial{
		moments,
		new("Norm", limit{result: normUlps, one: normUlps}, x, func(b engine.Normaliser) func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error) {
			return b.BindNorm
		}, x, by, by),
		new("NormInputGrad", limit{result: normUlps, one: normUlps}, x, func(b engine.Normaliser) func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error) {
			return b.BindNormInputGrad
		}, x, x, by),
		new("NormInputGrad, given sums,", limit{result: normUlps, one: normUlps}, x, func(b engine.Normaliser) func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error) {
			return func(_ engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return b.BindNormInputGrad(summed, in, out)
			}
		}, x, x, by, sums(n.Along(x.Shape, gamma))),
		new(fmt.Sprintf("NormSums over %b", over), limit{result: normUlps, one: normSumUlps * (4 + float64(x.Len())/64)}, sums(over), func(b engine.Normaliser) func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error) {
			return func(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return b.BindNormSums(n, over, in, out)
			}
		}, x, x),
	}
}

// normTable has the normalisations of networks: of batches, layers, groups and instances, with runs
// that are long, short and odd, and gammas of every shape.
func normTable(*gen) (all []trial) {
	add := func(given bool, gamma []int, axes engine.Axes, x ...int) {
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			all = append(all, normTrials(shape.Type{DType: d, Shape: shape.OfInts(x...)}, axes, shape.OfInts(gamma...), given)...)
		}
	}
	for _, given := range []bool{false, true} {
		for _, size := range []int{1, 2, 7, 16, 33} {
			add(given, []int{5, 1, 1}, engine.AxesOf(0, 2, 3), 16, 5, size, 7)
		}
		add(given, []int{3, 1, 1}, engine.AxesOf(0, 2, 3), 2, 3, 60, 80)
		for _, c := range []int{1, 2, 17, 64, 65, 520} {
			add(given, []int{c}, engine.AxesOf(0), 37, c)
			add(given, []int{c}, engine.AxesOf(1), 33, c)
		}
		add(given, []int{10}, engine.AxesOf(0), 3001, 10)
		add(given, []int{9001}, engine.AxesOf(1), 3, 9001)
		add(given, []int{2, 3, 1}, engine.AxesOf(2, 3), 4, 2, 3, 49)
		add(given, []int{2, 3, 1}, engine.AxesOf(2, 3), 4, 2, 3, 1)
		add(given, []int{6, 1}, engine.AxesOf(2), 4, 6, 31)
		add(given, []int{5, 6}, engine.AxesOf(1, 2), 40, 5, 6)
		add(given, []int{}, engine.AxesOf(0, 1), 4, 6)
		add(given, []int{3}, engine.AxesOf(1), 4, 6, 3)
		add(given, []int{6, 1}, engine.AxesOf(1), 4, 6, 3)
		add(given, []int{3}, engine.AxesOf(0), 0, 3)
		add(given, []int{1}, 0, 2, 3)
	}
	return all
}

func randomNorm(g *gen) trial {
	x := shape.Type{DType: pick(g, floats...), Shape: g.shape(2+g.IntN(3), 3000)}
	axes := engine.Axes(1 + g.IntN(1<<x.Rank()-1))
	gamma := x.Shape
	for i := range gamma.Rank() {
		if g.bool() {
			gamma = gamma.With(i, 1)
		}
	}
	return pick(g, normTrials(x, axes, gamma, g.bool())...)
}
