package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// madeByAbsorb is the reason why fused ops have no gradient.
const madeByAbsorb = "made when a program is specialised, after gradients are taken"

// extend returns the epilogue ep extended by next, if next adds a bias along the axis or is a ReLU,
// and e's kernels support it. The axis counts from the end.
func extend(e engine.Engine, ep engine.Epilogue, axis int, next graph.Op, at int, nextIn []shape.Type) (engine.Epilogue, bool) {
	f, ok := e.(engine.Fuser)
	switch {
	case !ok || ep.ReLU:
		return ep, false
	case next == graph.Op(relu):
		ep.ReLU = true
	case next == graph.Op(add) && !ep.Bias && isBias(nextIn[1-at], nextIn[at], axis):
		ep.Bias = true
	default:
		return ep, false
	}
	return ep, f.Fuses(ep)
}

// isBias reports whether b, broadcast to t, is one number for each index along the axis.
func isBias(b, t shape.Type, axis int) bool {
	if b.DType != t.DType || b.Rank() > t.Rank() || b.Rank() < -axis {
		return false
	}
	for i := -b.Rank(); i < 0; i++ {
		want := shape.Dim(1)
		if i == axis {
			want = t.Dim(i)
		}
		if b.Dim(i) != want {
			return false
		}
	}
	return true
}

// inferFused is type inference for op with an epilogue; the bias is the last input.
func inferFused(op graph.Op, ep engine.Epilogue, axis int, in []shape.Type) (shape.Type, error) {
	if !ep.Bias || len(in) == 0 {
		return op.Infer(in)
	}
	t, err := op.Infer(in[:len(in)-1])
	if err != nil {
		return t, err
	}
	if b := in[len(in)-1]; !isBias(b, t, axis) {
		return shape.Type{}, fmt.Errorf("%v is not a bias along axis %d of %v", b, axis, t)
	}
	return t, nil
}

// flatBias returns in with the bias reshaped to one axis, as engines expect.
func flatBias(ep engine.Epilogue, in []shape.Type) []shape.Type {
	if !ep.Bias {
		return in
	}
	in = slices.Clone(in)
	b := &in[len(in)-1]
	*b = b.Of(shape.OfInts(b.Len()))
	return in
}

// flatOperands is flatBias for operands, which keep their layouts.
func flatOperands(ep engine.Epilogue, in []engine.Operand) []engine.Operand {
	flat := slices.Clone(in)
	for i, t := range flatBias(ep, engine.Types(in)) {
		flat[i].Type = t
	}
	return flat
}

func epilogueName(ep engine.Epilogue) (s string) {
	if ep.Bias {
		s += "+Bias"
	}
	if ep.ReLU {
		s += "+ReLU"
	}
	return s
}
