package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// winogradCase is a convolution of 3×3 that goes by Winograd's algorithm, and its two gradients.
func winogradCase() (op engine.Conv2D, x, w, y shape.Type) {
	op = engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1, Pad: [2][2]int{{1, 1}, {1, 0}}}
	return op, shape.F32(3, 18, 13, 12), shape.F32(21, 18, 3, 3), shape.F32(3, 21, 13, 11)
}

// convWay is a convolution or one of its gradients.
type convWay struct {
	name string
	bind func(e engine.Conv2Der) func() (engine.Bound, error)
	in   [2]shape.Type
	out  shape.Type
}

func convWays(op engine.Conv2D, x, w, y shape.Type) []convWay {
	way := func(name string, bind func(engine.Conv2Der, engine.Conv2D, []shape.Type, shape.Type) (engine.Bound, error), a, b, out shape.Type) convWay {
		return convWay{name, func(e engine.Conv2Der) func() (engine.Bound, error) {
			return func() (engine.Bound, error) { return bind(e, op, []shape.Type{a, b}, out) }
		}, [2]shape.Type{a, b}, out}
	}
	return []convWay{
		way("forward", engine.Conv2Der.BindConv2D, x, w, y),
		way("input gradient", engine.Conv2Der.BindConv2DInputGrad, y, w, x),
		way("filter gradient", engine.Conv2Der.BindConv2DFilterGrad, x, y, w),
	}
}

// Results are within Winograd's error of the definition's, and the same at every number of workers.
func TestWinogradFollowsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, level := range simd.Levels() {
		if level == simd.Generic { // which has no gain of it
			continue
		}
		t.Run(level.String(), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			pool := par.NewPool(5)
			defer pool.Close()
			e := Engine{pool: pool, simd: simd.With(level)}
			for _, c := range convWays(winogradCase()) {
				b, err := c.bind(e)()
				require.NoError(t, err)
				require.Equal(t, "winograd", b.Alg, c.name)
				in := []engine.Buffer{random(r, c.in[0]), random(r, c.in[1])}
				runtime.GOMAXPROCS(8)
				got := run(t, c.bind(e), in, c.out)
				requireClose(t, run(t, c.bind(ref.Engine{}), in, c.out), got, 1e-4)
				require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](run(t, c.bind(Engine{simd: e.simd}), in, c.out)), c.name)
				runtime.GOMAXPROCS(1)
				require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](run(t, c.bind(e), in, c.out)), c.name)
			}
		})
	}
}

// What is not finite reaches the results whose windows hold it and no others, though Winograd's
// algorithm would spread it over tiles.
func TestWinogradLeavesNonFiniteNumbersToOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	op, x, w, y := winogradCase()
	op.Pad[1][1], y = 1, x.Of(shape.OfInts(3, 21, 13, 12)) // so that the filters' middles meet no padding
	for _, c := range convWays(op, x, w, y) {
		for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e30} {
			for input := range 2 {
				t.Run(fmt.Sprint(c.name, " with ", v, " in input ", input), func(t *testing.T) {
					in := []engine.Buffer{random(r, c.in[0]), random(r, c.in[1])}
					engine.Slice[float32](in[input])[400] = v // of the filters, the middle of one
					want := engine.Slice[float32](run(t, c.bind(ref.Engine{}), in, c.out))
					for i, got := range engine.Slice[float32](run(t, c.bind(New()), in, c.out)) {
						if want[i]-want[i] != 0 {
							require.Equal(t, math.Float32bits(want[i])>>23, math.Float32bits(got)>>23, "element %d", i)
							continue
						}
						require.InDelta(t, want[i], got, 1e-4+1e-5*math.Abs(float64(want[i])), "element %d", i)
					}
				})
			}
		}
	}
}
