package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// winogradCase is a convolution that goes by Winograd's algorithm.
type winogradCase struct {
	op      engine.Conv2D
	x, w, y shape.Type
}

func winogradCases() map[string]winogradCase {
	op := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1, Pad: [2][2]int{{1, 1}, {1, 0}}}
	wide := op
	wide.Pad = [2][2]int{{2, 2}, {1, 2}}
	return map[string]winogradCase{
		"3×3": {op, shape.F32(3, 18, 13, 12), shape.F32(21, 18, 3, 3), shape.F32(3, 21, 13, 11)},
		"5×5": {wide, shape.F32(3, 34, 13, 12), shape.F32(37, 34, 5, 5), shape.F32(3, 37, 13, 11)},
	}
}

// convWay is a convolution or one of its gradients.
type convWay struct {
	name string
	bind func(e engine.Conv2Der) func() (engine.Bound, error)
	in   [2]shape.Type
	out  shape.Type
}

func (c winogradCase) ways() []convWay {
	way := func(name string, bind func(engine.Conv2Der, engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error), a, b, out engine.Operand) convWay {
		return convWay{name, func(e engine.Conv2Der) func() (engine.Bound, error) {
			return func() (engine.Bound, error) { return bind(e, c.op, engine.InRows(a.Type, b.Type), out) }
		}, [2]shape.Type{a.Type, b.Type}, out.Type}
	}
	return []convWay{
		way("forward", engine.Conv2Der.BindConv2D, engine.InRow(c.x), engine.InRow(c.w), engine.InRow(c.y)),
		way("input gradient", engine.Conv2Der.BindConv2DInputGrad, engine.InRow(c.y), engine.InRow(c.w), engine.InRow(c.x)),
		way("filter gradient", engine.Conv2Der.BindConv2DFilterGrad, engine.InRow(c.x), engine.InRow(c.y), engine.InRow(c.w)),
	}
}

// vectorLevels are the levels at which the shapes of winogradCases go by Winograd's algorithm;
// in plain Go they are too small to gain by it.
func vectorLevels() []isa.Level {
	return slices.DeleteFunc(isa.Levels(), func(l isa.Level) bool { return l == isa.Generic })
}

// Results are within Winograd's error of the definition's, and the same at every number of workers.
func TestWinogradFollowsDefinition(t *testing.T) {
	pool := par.NewPool(5)
	defer pool.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(5, 5))
	for _, level := range vectorLevels() {
		e := Engine{pool: pool, simd: simd.With(level)}
		for name, c := range winogradCases() {
			for _, c := range c.ways() {
				t.Run(fmt.Sprint(level, " ", name, " ", c.name), func(t *testing.T) {
					b, err := c.bind(e)()
					require.NoError(t, err)
					require.Equal(t, "winograd", b.Alg)
					in := []engine.Buffer{random(r, c.in[0]), random(r, c.in[1])}
					runtime.GOMAXPROCS(8)
					got := run(t, c.bind(e), in, c.out)
					requireClose(t, run(t, c.bind(ref.Engine{}), in, c.out), got, 5e-4)
					require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](run(t, c.bind(Engine{simd: e.simd}), in, c.out)))
					runtime.GOMAXPROCS(1)
					require.Equal(t, engine.Slice[float32](got), engine.Slice[float32](run(t, c.bind(e), in, c.out)))
				})
			}
		}
	}
}

// Filters packed before give the same bits, in less scratch memory, and those that are not finite
// are known.
func TestPackedFiltersGiveTheSameBits(t *testing.T) {
	for _, level := range vectorLevels() {
		for name, c := range winogradCases() {
			for _, bad := range []float32{0, float32(math.NaN()), float32(math.Inf(1))} {
				t.Run(fmt.Sprint(level, " ", name, " ", bad), func(t *testing.T) {
					requirePackedSame(t, Engine{pool: par.Default(), simd: simd.With(level)}, c, bad)
				})
			}
		}
	}
}

func requirePackedSame(t *testing.T, e Engine, c winogradCase, bad float32) {
	r := rand.New(rand.NewPCG(7, 7))
	c.op.Epilogue = engine.Epilogue{Bias: true, ReLU: true}
	bias := shape.F32(shape.Dim(c.w.Int(0)))
	b, err := e.BindConv2D(c.op, engine.InRows(c.x, c.w, bias), engine.InRow(c.y))
	require.NoError(t, err)
	p := b.Packing
	require.Equal(t, 1, p.In)
	require.Less(t, p.Rest, b.Scratch)

	x, w := random(r, c.x), random(r, c.w)
	engine.Slice[float32](w)[7] += bad
	garbage := func(n int) []byte {
		m := engine.Aligned(n)
		for i := range m {
			m[i] = 0x7f
		}
		return m
	}
	packed, scratch := garbage(p.Bytes), garbage(p.Scratch)
	pack := &engine.Call{In: []engine.Buffer{w}, Out: []engine.Buffer{engine.BufferOf(packed)}, Scratch: engine.BufferOf(scratch)}
	require.NoError(t, p.Kernel(pack))

	plain := &engine.Call{In: []engine.Buffer{x, w, random(r, bias)}, Out: []engine.Buffer{newBuffer(c.y)}, Scratch: engine.BufferOf(garbage(b.Scratch))}
	require.NoError(t, b.Kernel(plain))
	ready := &engine.Call{In: plain.In, Out: []engine.Buffer{newBuffer(c.y)}, Scratch: engine.BufferOf(garbage(p.Rest)), Packed: engine.BufferOf(packed)}
	require.NoError(t, b.Kernel(ready))
	require.Equal(t, plain.Out[0].Bytes(), ready.Out[0].Bytes())
	require.Zero(t, allocs.PerRun(3, func() { _ = b.Kernel(ready) }))
	require.Zero(t, allocs.PerRun(3, func() { _ = p.Kernel(pack) }))
}

// What is not finite reaches the results whose windows hold it and no others, though Winograd's
// algorithm would spread it over tiles.
func TestWinogradLeavesNonFiniteNumbersToOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	wino := winogradCases()["3×3"]
	wino.op.Pad[1][1], wino.y = 1, shape.F32(3, 21, 13, 12) // so that the filters' middles meet no padding
	for _, c := range wino.ways() {
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
