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

// Results are within Winograd's error of the definition's, and the same at every number of workers.
func TestWinogradFollowsDefinition(t *testing.T) {
	op, x, w, y := winogradCase()
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
			serial := Engine{simd: e.simd}
			forward := func(e engine.Conv2Der) (engine.Bound, error) {
				return e.BindConv2D(op, []shape.Type{x, w}, y)
			}
			backward := func(e engine.Conv2Der) (engine.Bound, error) {
				return e.BindConv2DInputGrad(op, []shape.Type{y, w}, x)
			}
			for name, c := range map[string]struct {
				bind    func(engine.Conv2Der) (engine.Bound, error)
				in, out shape.Type
			}{"forward": {forward, x, y}, "input gradient": {backward, y, x}} {
				b, err := c.bind(e)
				require.NoError(t, err)
				require.Equal(t, "winograd", b.Alg, name)
				in := []engine.Buffer{random(r, c.in), random(r, w)}
				with := func(e engine.Conv2Der) engine.Buffer {
					return run(t, func() (engine.Bound, error) { return c.bind(e) }, in, c.out)
				}
				runtime.GOMAXPROCS(8)
				got := with(e)
				requireClose(t, with(ref.Engine{}), got, 1e-4)
				require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](with(serial)), name)
				runtime.GOMAXPROCS(1)
				require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](with(e)), name)
			}
		})
	}
}

// What is not finite reaches the results whose windows hold it and no others, though Winograd's
// algorithm would spread it over tiles.
func TestWinogradLeavesNonFiniteNumbersToOthers(t *testing.T) {
	op, x, w, y := winogradCase()
	r := rand.New(rand.NewPCG(6, 6))
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e30} {
		for input := range 2 {
			t.Run(fmt.Sprint(v, " in input ", input), func(t *testing.T) {
				in := []engine.Buffer{random(r, x), random(r, w)}
				engine.Slice[float32](in[input])[400] = v
				bind := func(e engine.Conv2Der) func() (engine.Bound, error) {
					return func() (engine.Bound, error) { return e.BindConv2D(op, []shape.Type{x, w}, y) }
				}
				want := engine.Slice[float32](run(t, bind(ref.Engine{}), in, y))
				for i, got := range engine.Slice[float32](run(t, bind(New()), in, y)) {
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
