package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
)

// randomLineOp draws a convolution with odd extents, of windows partly or wholly in the padding too, that
// Winograd's algorithm along lines can do and gains by.
func randomLineOp(rng *rand.Rand) ConvOp {
	for {
		op := randomLaneOp(rng)
		op.KW, op.SH, op.SW, op.DH, op.DW, op.Left = lineTaps, 1, 1, 1, 1, rng.IntN(lineTaps)
		op.C, op.M, op.W, op.OW = op.C+3, op.M+3, 1+rng.IntN(30), 1+rng.IntN(30)
		lanes := laneOp(op)
		gains := func(channels, filters, width int) bool {
			work, ok := lanes.lineWork(channels, filters, width)
			return ok && work < lineTaps*width*channels*filters*lanes.KH
		}
		if gains(op.C, op.M, op.OW) && gains(op.M, op.C, op.W) {
			return op
		}
	}
}

// lineWinogradError is what of the largest result an error may be.
const lineWinogradError = 4e-6

func largest(v []float64) (most float64) {
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}

func runLines(p *LineWinograd, n int, x, w, bias []float32) (y []float32, finite bool) {
	nan := float32(math.NaN())
	packed, y, scratch := repeat(nan, p.PackedLen()), repeat(nan, n), repeat(nan, p.Scratch())
	finite = p.Pack(packed, w, repeat(nan, p.PackScratch()))
	return y, p.Run(y, x, packed, bias, scratch, 0, p.Tasks()) && finite
}

func TestLineWinogradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(41, 41))
		for range 10 {
			op := randomLineOp(rng)
			x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
			want, _ := convolution(op, nil, x, w, bias)
			limit := lineWinogradError * largest(want)
			p, ok := NewLineWinograd(k, laneOp(op))
			require.True(t, ok)
			y, finite := runLines(p, len(want), toLanes(x, op.C*op.H*op.W), w, bias)
			require.True(t, finite)
			for i, v := range fromLanes(y, op.M*op.Cols()) {
				requireWithin(t, want[i], float64(v), limit, i, op)
			}
		}
	})
}

func TestLineWinogradInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(42, 42))
		for range 10 {
			op := randomLineOp(rng)
			dy, w := randoms[float32](rng, op.N*op.M*op.Cols()), randoms[float32](rng, op.M*op.Rows())
			want := imageGradient(op, dy, w)
			limit := lineWinogradError * largest(want)
			p, ok := NewLineWinogradInputGrad(k, laneOp(op))
			require.True(t, ok)
			dx, finite := runLines(p, len(want), toLanes(dy, op.M*op.Cols()), w, nil)
			require.True(t, finite)
			for i, v := range fromLanes(dx, op.C*op.H*op.W) {
				requireWithin(t, want[i], float64(v), limit, i, op)
			}
		}
	})
}

func TestLineWinogradTellsOfWhatIsNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(43, 43))
		op := randomLineOp(rng)
		n := op.N * op.M * op.Cols()
		p, _ := NewLineWinograd(k, laneOp(op))
		for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e30} {
			x, w := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows())
			w[rng.IntN(len(w))] = v
			_, finite := runLines(p, n, x, w, make([]float32, op.M))
			require.False(t, finite, "filters with %v", v)
		}
	})
}

func BenchmarkLineWinograd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	op := convShapes["lenet2"]
	lanes := laneOp(op)
	x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
	y, operations := randoms[float32](rng, op.N*op.M*op.Cols()), 2*float64(op.N*op.M*op.Rows()*op.Cols())
	share := func(way string, tasks, room int, run func(scratch []float32, lo, hi int)) {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("T%d/%s", threads, way), func(b *testing.B) {
				each := make([][]float32, tasks)
				for i := range each {
					each[i] = make([]float32, room)
				}
				benchShare(b, threads, operations, func(pool *par.Pool) { pool.For(tasks, 1, func(lo, hi int) { run(each[lo], lo, hi) }) })
			})
		}
	}
	forward, _ := NewLineWinograd(Best(), lanes)
	back, _ := NewLineWinogradInputGrad(Best(), lanes)
	grad, _ := NewLineWinogradGrad(Best(), lanes)
	packed, turned, sums := make([]float32, forward.PackedLen()), make([]float32, back.PackedLen()), make([]float32, grad.SumsLen())
	forward.Pack(packed, w, make([]float32, forward.PackScratch()))
	back.Pack(turned, w, make([]float32, back.PackScratch()))
	share("forward", forward.Tasks(), forward.Scratch(), func(scratch []float32, lo, hi int) { forward.Run(y, x, packed, bias, scratch, lo, hi) })
	share("input", back.Tasks(), back.Scratch(), func(scratch []float32, lo, hi int) { back.Run(x, y, turned, nil, scratch, lo, hi) })
	share("filter", grad.Tasks(), grad.Scratch(), func(scratch []float32, lo, hi int) { grad.Run(sums, x, y, scratch, lo, hi) })
}

func TestLineWinogradGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(44, 44))
		for range 10 {
			op := randomLineOp(rng)
			x, dy := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.N*op.M*op.Cols())
			dw := repeat(float32(math.NaN()), op.M*op.Rows())
			want := gradient(op, dw, x, dy)
			limit := lineWinogradError * largest(want)
			got, finite := gradLines(t, k, op, x, dy)
			require.True(t, finite)
			for i := range want {
				requireWithin(t, want[i], float64(got[i]), limit, i, op)
			}
			x[rng.IntN(len(x))] = float32(math.Inf(1))
			dy[rng.IntN(len(dy))] = float32(math.NaN())
			_, finite = gradLines(t, k, op, x, dy)
			require.False(t, finite)
		}
	})
}

func gradLines(t *testing.T, k *Kernels, op ConvOp, x, dy []float32) (dw []float32, finite bool) {
	p, ok := NewLineWinogradGrad(k, laneOp(op))
	require.True(t, ok)
	nan := float32(math.NaN())
	dw, sums := repeat(nan, op.M*op.Rows()), repeat(nan, p.SumsLen())
	finite = p.Run(sums, toLanes(x, op.C*op.H*op.W), toLanes(dy, op.M*op.Cols()), repeat(nan, p.Scratch()), 0, p.Tasks())
	p.Total(dw, sums, repeat(nan, p.TotalScratch()))
	return dw, finite
}
