package interleaved

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// randomWinogradOp draws a convolution with odd extents, of windows partly or wholly in the padding
// too, that Winograd's algorithm along rows can do and gains by.
func randomWinogradOp(rng *rand.Rand) window.Conv {
	for {
		op := randomConv(rng)
		op.KW, op.SH, op.SW, op.DH, op.DW, op.Left = abi.RowTaps, 1, 1, 1, 1, rng.IntN(abi.RowTaps)
		op.C, op.M, op.W, op.OW = op.C+3, op.M+3, 1+rng.IntN(30), 1+rng.IntN(30)
		lanes := opOf(op)
		gains := func(channels, filters, width int) bool {
			work, ok := lanes.winogradWork(channels, filters, width)
			return ok && work < abi.RowTaps*width*channels*filters*lanes.KH
		}
		if gains(op.C, op.M, op.OW) && gains(op.M, op.C, op.W) {
			return op
		}
	}
}

// winogradLimit is what of the largest result an error may be.
const winogradLimit = 4e-6

func largest(v []float64) (most float64) {
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}

func runWinograd(p *Winograd, n int, x, w, bias []float32) (y []float32, finite bool) {
	nan := float32(math.NaN())
	packed, y, scratch := simdtest.Repeat(nan, p.PackedLen()), simdtest.Repeat(nan, n), simdtest.Repeat(nan, p.Scratch())
	finite = p.Pack(packed, w, simdtest.Repeat(nan, p.PackScratch()))
	return y, p.Run(y, x, packed, bias, scratch, 0, p.Tasks()) && finite
}

func TestWinogradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(41, 41))
		for range 10 {
			op := randomWinogradOp(rng)
			x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
			want, _ := simdtest.Convolution(op, nil, x, w, bias)
			limit := winogradLimit * largest(want)
			p, ok := NewWinograd(k, opOf(op))
			require.True(t, ok)
			y, finite := runWinograd(p, len(want), interleave(x, op.C*op.H*op.W), w, bias)
			require.True(t, finite)
			for i, v := range apart(y, op.M*op.Cols()) {
				simdtest.RequireWithin(t, want[i], float64(v), limit, i, op)
			}
		}
	})
}

func TestWinogradInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(42, 42))
		for range 10 {
			op := randomWinogradOp(rng)
			dy, w := simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Randoms[float32](rng, op.M*op.Rows())
			want := simdtest.ImageGradient(op, dy, w)
			limit := winogradLimit * largest(want)
			p, ok := NewWinogradInputGrad(k, opOf(op))
			require.True(t, ok)
			dx, finite := runWinograd(p, len(want), interleave(dy, op.M*op.Cols()), w, nil)
			require.True(t, finite)
			for i, v := range apart(dx, op.C*op.H*op.W) {
				simdtest.RequireWithin(t, want[i], float64(v), limit, i, op)
			}
		}
	})
}

func TestWinogradTellsOfWhatIsNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(43, 43))
		op := randomWinogradOp(rng)
		n := op.N * op.M * op.Cols()
		p, _ := NewWinograd(k, opOf(op))
		for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e30} {
			x, w := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows())
			w[rng.IntN(len(w))] = v
			_, finite := runWinograd(p, n, x, w, make([]float32, op.M))
			require.False(t, finite, "filters with %v", v)
		}
	})
}

func BenchmarkWinograd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	op := simdtest.ConvShapes["lenet2"]
	lanes := opOf(op)
	x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
	y, operations := simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), 2*float64(op.N*op.M*op.Rows()*op.Cols())
	share := func(way string, tasks, room int, run func(scratch []float32, lo, hi int)) {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("T%d/%s", threads, way), func(b *testing.B) {
				each := make([][]float32, tasks)
				for i := range each {
					each[i] = make([]float32, room)
				}
				simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { pool.For(tasks, 1, func(lo, hi int) { run(each[lo], lo, hi) }) })
			})
		}
	}
	forward, _ := NewWinograd(best(), lanes)
	back, _ := NewWinogradInputGrad(best(), lanes)
	grad, _ := NewWinogradFilterGrad(best(), lanes)
	packed, turned, sums := make([]float32, forward.PackedLen()), make([]float32, back.PackedLen()), make([]float32, grad.SumsLen())
	forward.Pack(packed, w, make([]float32, forward.PackScratch()))
	back.Pack(turned, w, make([]float32, back.PackScratch()))
	share("forward", forward.Tasks(), forward.Scratch(), func(scratch []float32, lo, hi int) { forward.Run(y, x, packed, bias, scratch, lo, hi) })
	share("input", back.Tasks(), back.Scratch(), func(scratch []float32, lo, hi int) { back.Run(x, y, turned, nil, scratch, lo, hi) })
	share("filter", grad.Tasks(), grad.Scratch(), func(scratch []float32, lo, hi int) { grad.Run(sums, x, y, scratch, lo, hi) })
}

func TestWinogradFilterGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(44, 44))
		for range 10 {
			op := randomWinogradOp(rng)
			x, dy := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.N*op.M*op.Cols())
			dw := simdtest.Repeat(float32(math.NaN()), op.M*op.Rows())
			want := simdtest.Gradient(op, dw, x, dy)
			limit := winogradLimit * largest(want)
			got, finite := runWinogradGrad(t, k, op, x, dy)
			require.True(t, finite)
			for i := range want {
				simdtest.RequireWithin(t, want[i], float64(got[i]), limit, i, op)
			}
			x[rng.IntN(len(x))] = float32(math.Inf(1))
			dy[rng.IntN(len(dy))] = float32(math.NaN())
			_, finite = runWinogradGrad(t, k, op, x, dy)
			require.False(t, finite)
		}
	})
}

func runWinogradGrad(t *testing.T, k *Kernels, op window.Conv, x, dy []float32) (dw []float32, finite bool) {
	p, ok := NewWinogradFilterGrad(k, opOf(op))
	require.True(t, ok)
	nan := float32(math.NaN())
	dw, sums := simdtest.Repeat(nan, op.M*op.Rows()), simdtest.Repeat(nan, p.SumsLen())
	finite = p.Run(sums, interleave(x, op.C*op.H*op.W), interleave(dy, op.M*op.Cols()), simdtest.Repeat(nan, p.Scratch()), 0, p.Tasks())
	p.Total(dw, sums, simdtest.Repeat(nan, p.TotalScratch()))
	return dw, finite
}
