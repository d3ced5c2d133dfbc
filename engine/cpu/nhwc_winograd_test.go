package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// sweptCases are convolutions whose filters are swept: many of them, which of 5×5 are packed as what they are
// transformed to, and fewer that meet few tiles.
func sweptCases() map[string]winogradCase {
	op := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1, Pad: [2][2]int{{1, 1}, {1, 0}}}
	wide := op
	wide.Pad = [2][2]int{{2, 2}, {1, 2}}
	return map[string]winogradCase{
		"many filters": {op, shape.F32(3, 353, 10, 9), shape.F32(347, 353, 3, 3), shape.F32(3, 347, 10, 8)},
		"many of 5×5":  {wide, shape.F32(2, 353, 7, 6), shape.F32(347, 353, 5, 5), shape.F32(2, 347, 7, 5)},
		"few tiles":    {op, shape.F32(1, 259, 13, 14), shape.F32(250, 259, 3, 3), shape.F32(1, 250, 13, 13)},
	}
}

// lastWays are the ways of a convolution, of images with channels last, that read its filters.
func (c winogradCase) lastWays() []convWay {
	last := func(t shape.Type) engine.Operand { return engine.Operand{Type: t, Layout: channelsLast} }
	way := func(name string, bind func(engine.Conv2Der, engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error), from, to shape.Type) convWay {
		return convWay{name, func(e engine.Conv2Der) func() (engine.Bound, error) {
			return func() (engine.Bound, error) {
				return bind(e, c.op, []engine.Operand{last(from), engine.InRow(c.w)}, last(to))
			}
		}, [2]shape.Type{from, c.w}, to}
	}
	return []convWay{way("forward", engine.Conv2Der.BindConv2D, c.x, c.y), way("input gradient", engine.Conv2Der.BindConv2DInputGrad, c.y, c.x)}
}

// Results are within Winograd's error of the exact kernel's, the same at every number of workers, and the
// exact kernel's own where numbers are not finite.
func TestSweepsFollowTheExactKernel(t *testing.T) {
	pool := par.NewPool(5)
	defer pool.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(15, 15))
	for _, level := range vectorLevels() {
		e := Engine{pool: pool, simd: simd.With(level)}
		exact := Engine{simd: e.simd, exact: true}
		for name, c := range sweptCases() {
			for _, c := range c.lastWays() {
				t.Run(fmt.Sprint(level, " ", name, " ", c.name), func(t *testing.T) {
					b, err := c.bind(e)()
					require.NoError(t, err)
					require.Equal(t, nhwcWinogradAlg, b.Alg)
					in := []engine.Buffer{random(r, c.in[0]), random(r, c.in[1])}
					runtime.GOMAXPROCS(8)
					got := run(t, c.bind(e), in, c.out)
					requireClose(t, run(t, c.bind(exact), in, c.out), got, 2e-3) // of some 30
					require.Equal(t, got.Bytes(), run(t, c.bind(Engine{simd: e.simd}), in, c.out).Bytes())
					runtime.GOMAXPROCS(1)
					require.Equal(t, got.Bytes(), run(t, c.bind(e), in, c.out).Bytes())
					call := &engine.Call{In: in, Out: []engine.Buffer{got}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
					require.Zero(t, allocs.PerRun(3, func() { _ = b.Kernel(call) }))
					requirePackedGives(t, b, in, got)
					for _, as := range []shape.DType{shape.BFloat16, shape.Int8} {
						rounded := []engine.Buffer{in[0], newBuffer(c.in[1])}
						engine.Round(engine.Slice[float32](rounded[1]), engine.Slice[float32](in[1]), c.in[1], 0, as)
						small := b.WithWeights(engine.Weights{In: 1}, c.in[1], as)
						want := run(t, c.bind(e), rounded, c.out)
						require.Equal(t, want.Bytes(), run(t, func() (engine.Bound, error) { return small, nil }, in, c.out).Bytes())
						requirePackedGives(t, small, in, want)
						if name == "many filters" && c.name == "forward" {
							require.Less(t, small.Packing.Bytes, c.in[1].Bytes()*2/3)
						}
					}

					engine.Slice[float32](in[r.IntN(2)])[400] = float32(math.NaN())
					requireSameNumbers(t, run(t, c.bind(exact), in, c.out), run(t, c.bind(e), in, c.out))
				})
			}
		}
	}
}

// requirePackedGives wants the bits of want from filters that are packed before.
func requirePackedGives(t *testing.T, b engine.Bound, in []engine.Buffer, want engine.Buffer) {
	aligned := func(n int) engine.Buffer { return engine.BufferAt(engine.Aligned(n), shape.Uint8, n) }
	packed := aligned(b.Packing.Bytes)
	require.NoError(t, b.Packing.Kernel(&engine.Call{In: in[1:], Out: []engine.Buffer{packed}, Scratch: aligned(b.Packing.Scratch)}))
	got := engine.BufferAt(engine.Aligned(len(want.Bytes())), shape.Float32, len(want.Bytes())/4)
	call := &engine.Call{In: in, Out: []engine.Buffer{got}, Scratch: aligned(b.Packing.Rest), Packed: packed}
	require.NoError(t, b.Kernel(call))
	require.Equal(t, want.Bytes(), got.Bytes())
	require.Zero(t, allocs.PerRun(3, func() { _ = b.Kernel(call) }))
}

// requireSameNumbers wants equal numbers, or NaN for NaN.
func requireSameNumbers(t *testing.T, want, got engine.Buffer) {
	w := engine.Slice[float32](want)
	for i, v := range engine.Slice[float32](got) {
		if w[i] == w[i] || v == v {
			require.Equal(t, w[i], v, "element %d", i)
		}
	}
}
