package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// Of logits that are sure, the loss is log1p(sum(exp(-margin))), and its gradient at the target
// what all others get together: a margin of 17 is what float32 rounds away next to 1. Rows are few
// and many, short and long, and of any axis; the others are zeros and the target is each class in
// turn.
func TestLossesOfSureLogitsKeepTheirDigits(t *testing.T) {
	for _, x := range []struct {
		s    shape.Shape
		axis int
	}{
		{shape.Of(64, 10), 1}, {shape.Of(3, 10), 1}, {shape.Of(40, 64), 1}, {shape.Of(40, 65), 1}, {shape.Of(5, 1000), 1}, {shape.Of(2, 21, 37), 1}, {shape.Of(10, 3), 0},
	} {
		for _, margin := range []float64{.1, .5, 1, 5, 10, 15, 17, 20, 40, 80} {
			for _, level := range isa.Levels() {
				e := New(AtLevel(level))
				requireSure(t, e, fmt.Sprintf("%v along %d, margin %v at level %v", x.s, x.axis, margin, level), x.s, x.axis, margin)
			}
		}
	}
}

func requireSure(t *testing.T, e Engine, of string, s shape.Shape, axis int, margin float64) {
	typ := shape.Type{DType: shape.Float32, Shape: s}
	l := slabsOf(axis, s)
	x, dy := newBuffer(typ), newBuffer(typ)
	target := func(line int) int { return line/l.width*l.size() + line%l.width + line%l.n*l.width }
	lines := l.count * l.width
	for line := range lines {
		engine.Slice[float32](x)[target(line)] = float32(margin)
		engine.Slice[float32](dy)[target(line)] = -1. / 3
	}
	y := run(t, func() (engine.Bound, error) { return e.BindSoftmax(true, axis, engine.InRows(typ), engine.InRow(typ)) }, []engine.Buffer{x}, typ)
	dx := run(t, func() (engine.Bound, error) {
		return e.BindSoftmaxGrad(true, axis, engine.InRows(typ, typ), engine.InRow(typ))
	}, []engine.Buffer{y, dy}, typ)

	others := float64(l.n-1) * math.Exp(-float64(float32(margin)))
	loss, missing := math.Log1p(others), others/(1+others)
	for line := range lines {
		at := target(line)
		require.InEpsilon(t, -loss, engine.Slice[float32](y)[at], 1e-6, "%s: loss of line %d", of, line)
		require.InEpsilon(t, -missing/3, engine.Slice[float32](dx)[at], 2e-6, "%s: gradient of line %d", of, line)
	}
}
