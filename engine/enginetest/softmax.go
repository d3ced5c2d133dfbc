package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of softmax. A probability of 2^-126 is e^-87, and subtracting the maximum of the logits
// rounds by up to half a unit in the last place of that exponent; hence 64 units of the result,
// although for e^-1 it is exact to 2. A log-probability may be off by 4 units, of itself and of 1.
// A gradient may be off by 4 units of 1 for dy within -1..1, and in the logarithmic form by as much
// for every four terms of the sum.
const softmaxUlps, logSoftmaxUlps, softmaxGradUlps = 64, 4, 4

func softmaxTrials(x shape.Type, axis int, log bool, logits source) []trial {
	forward := trial{
		op: fmt.Sprintf("Softmax{log %t axis %d}", log, axis),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Softmaxer).BindSoftmax(log, axis, in, out)
		}),
		in: []shape.Type{x}, out: []shape.Type{x}, data: []source{logits},
		limit: limit{result: softmaxUlps},
	}
	backward := trial{
		op: fmt.Sprintf("SoftmaxGrad{log %t axis %d}", log, axis),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Softmaxer).BindSoftmaxGrad(log, axis, in, out)
		}),
		in: []shape.Type{x, x}, out: []shape.Type{x},
		data:  []source{uniform(0, 1/float64(max(x.Int(axis), 1))), rarely(5000, noNumber, signed)},
		limit: limit{one: softmaxGradUlps},
	}
	if log {
		forward.limit = limit{result: logSoftmaxUlps, one: logSoftmaxUlps}
		backward.data[0] = uniform(-20, 0)
		backward.limit.one *= 1 + float64(x.Int(axis))/4
	}
	return []trial{forward, backward}
}

// logits returns logits of every size: ordinary ones, ones so large that their exponential
// overflows, and ones with excluded classes.
func logits(g *gen) source {
	return pick(g, uniform(-3, 3), uniform(-30, 30), uniform(-1e4, 1e4),
		rarely(50, among(-inf), uniform(-5, 5)), rarely(200, nonFinite, uniform(-5, 5)))
}

func softmaxTable(g *gen) (all []trial) {
	for _, log := range []bool{false, true} {
		all = append(all, softmaxTrials(shape.F32(64, 10), 1, log, uniform(-3, 3))...)
		all = append(all, softmaxTrials(shape.F32(33, 1000), 1, log, uniform(-1e4, 1e4))...)
		all = append(all, softmaxTrials(shape.F32(3, 21, 129), 1, log, uniform(-9, 9))...)
		all = append(all, softmaxTrials(shape.F32(5), 0, log, among(-inf))...)
		for n := 8; n <= 67; n++ { // fewer rows than go side by side, whose largest logits are everywhere
			all = append(all, softmaxTrials(shape.F32(31, shape.Dim(n)), 1, log, peaks(31, n, 200))[0])
		}
		all = append(all, softmaxTrials(shape.F32(200, 129), 1, log, peaks(200, 129, 200))[0])
		for _, n := range edges {
			rows, slab := shape.OfInts(3, n), shape.OfInts(2, n, 17)
			all = append(all, softmaxTrials(shape.Type{DType: shape.Float32, Shape: rows}, 1, log, logits(g))...)
			all = append(all, softmaxTrials(shape.Type{DType: shape.Float32, Shape: slab}, 1, log, logits(g))...)
			all = append(all, softmaxTrials(shape.Type{DType: shape.Float32, Shape: slab}, 2, log, logits(g))[n%2])
		}
		all = append(all, softmaxTrials(shape.F64(7, 10), 1, log, uniform(-3, 3))...)
	}
	return all
}

func randomSoftmax(g *gen) trial {
	x := shape.Type{DType: pick(g, floats...), Shape: g.shape(1+g.IntN(4), 3000)}
	return pick(g, softmaxTrials(x, g.IntN(x.Rank()), g.bool(), logits(g))...)
}
