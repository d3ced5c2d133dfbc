package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
)

// winoWindow is a random window that Winograd's algorithm takes, with places over the edges.
func winoWindow(rng *rand.Rand) Window {
	w := Window{C: 1 + rng.IntN(9), H: 1 + rng.IntN(24), W: 1 + rng.IntN(40), KH: 3 + 2*rng.IntN(2), Top: rng.IntN(6), Left: rng.IntN(6)}
	w.KW = w.KH
	w.OH, w.OW = 1+rng.IntN(w.H+w.Top+1), 1+rng.IntN(w.W+w.Left+1)
	return w
}

// requireClose compares with what the largest result, or operands of about 1, allow.
func requireClose(t *testing.T, want []float64, got []float32, limit float64, op any) {
	worst, most := 0.0, 0.0
	for i := range want {
		require.False(t, got[i] != got[i], "NaN at %d of %+v", i, op)
		worst, most = max(worst, math.Abs(want[i]-float64(got[i]))), max(most, math.Abs(want[i]))
	}
	require.LessOrEqual(t, worst, limit*max(most, 1), "%+v", op)
}

func TestWinogradAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(21, 21))
		for i := range 100 {
			op := ConvOp{Window: winoWindow(rng), N: 1 + rng.IntN(4), M: 1 + rng.IntN(20), Add: i%2 == 0, Bias: []Bias{NoBias, RowBias}[rng.IntN(2)], Act: Act(rng.IntN(2))}
			checkWinograd(t, k, pool, rng, op, i%3 == 0)
		}
	})
}

func checkWinograd(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op ConvOp, flip bool) {
	require.True(t, k.suitsWinograd(op.withDefaultStrides()))
	p := planWinograd(k, op.withDefaultStrides(), flip)
	x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
	y, scratch := randoms[float32](rng, op.N*op.M*op.Cols()), repeat(float32(math.NaN()), p.Scratch())
	plain := w
	if flip {
		plain = make([]float32, len(w))
		FlipFilters(plain, w, op.C, op.M, op.KH*op.KW)
	}
	want, _ := convolution(op, y, x, plain, bias)
	p.Run(pool, y, x, w, bias, scratch)
	requireClose(t, want, y, 2e-5, op)
}

func (op ConvOp) withDefaultStrides() ConvOp {
	op.Window = op.withDefaults()
	return op
}

func TestWinogradGradientAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(28, 28))
		for i := range 80 {
			op := ConvOp{Window: winoWindow(rng), N: 1 + rng.IntN(4), M: 1 + rng.IntN(20), Add: i%2 == 0}.withDefaultStrides()
			p := planWinograd(k, op, false)
			p.setGradVectors(1 + rng.IntN(p.vectors)) // several blocks
			x, dy, dw := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.N*op.M*op.Cols()), randoms[float32](rng, op.M*op.Rows())
			want := gradient(op, dw, x, dy)
			p.RunGrad(pool, dw, x, dy, repeat(float32(math.NaN()), p.GradScratch()))
			requireClose(t, want, dw, 2e-5, op)
		}
	})
}

// matrix is a transform's matrix for an input of n elements, times 24, which makes it whole.
func (f six1D) matrix(n int) (m [6][6]int) {
	for j := range n {
		var unit six
		unit[j] = 1
		for i, x := range f(unit) {
			m[i][j] = int(math.Round(24 * float64(x)))
		}
	}
	return m
}

// TestWinogradIsExactInRationalNumbers holds Y = A'(Gw . B'd) to the definition of a correlation, one axis at a time,
// and the gradients' transforms to be the transposes.
func TestWinogradIsExactInRationalNumbers(t *testing.T) {
	transpose := func(m [6][6]int) (r [6][6]int) {
		for i := range 6 {
			for j := range 6 {
				r[j][i] = m[i][j]
			}
		}
		return r
	}
	for _, f := range []struct {
		tile, size                         int
		result, adjoint, taps, tapsAdjoint six1D
	}{
		{4, 3, winoResult4Go, winoAdjoint4Go, winoTaps3Go, winoTapsAdjoint3Go},
		{2, 5, winoResult2Go, winoAdjoint2Go, winoTaps5Go, winoTapsAdjoint5Go},
	} {
		a, g, b := f.result.matrix(6), f.taps.matrix(f.size), six1D(winoInputGo).matrix(6)
		for out := range f.tile {
			for tap := range f.size {
				for at := range 6 {
					sum, want := 0, 0
					for e := range 6 {
						sum += a[out][e] * g[e][tap] * b[e][at]
					}
					if at == out+tap {
						want = 24 * 24 * 24
					}
					require.Equal(t, want, sum)
				}
			}
		}
		require.Equal(t, transpose(a), f.adjoint.matrix(f.tile))
		require.Equal(t, transpose(g), f.tapsAdjoint.matrix(6))
	}
}

// TestWinogradErrorIsAsDocumented measures layers of large networks, with the usual weights and activations. The
// worst errors are 4e-6 of the largest output.
func TestWinogradErrorIsAsDocumented(t *testing.T) {
	for _, op := range []ConvOp{
		{Window: Window{C: 256, H: 13, W: 13, KH: 3, KW: 3, OH: 13, OW: 13, Top: 1, Left: 1}, N: 1, M: 32},
		{Window: Window{C: 96, H: 27, W: 27, KH: 5, KW: 5, OH: 27, OW: 27, Top: 2, Left: 2}, N: 1, M: 24},
	} {
		rng := rand.New(rand.NewPCG(24, 24))
		x, w, dy := make([]float32, op.N*op.C*op.H*op.W), make([]float32, op.M*op.Rows()), make([]float32, op.N*op.M*op.Cols())
		for i := range x {
			x[i] = float32(max(rng.NormFloat64(), 0))
		}
		for i := range w {
			w[i] = float32(rng.NormFloat64() * math.Sqrt(2/float64(op.Rows())))
		}
		for i := range dy {
			dy[i] = float32(rng.NormFloat64())
		}
		want, _ := convolution(op, nil, x, w, nil)
		wantGrad := gradient(op, make([]float32, len(w)), x, dy)
		eachLevel(t, func(t *testing.T, k *Kernels) {
			p := planWinograd(k, op.withDefaultStrides(), false)
			y, dw := make([]float32, len(want)), make([]float32, len(w))
			p.Run(nil, y, x, w, nil, make([]float32, p.Scratch()))
			requireClose(t, want, y, winogradError, op)
			p.RunGrad(nil, dw, x, dy, make([]float32, p.GradScratch()))
			requireClose(t, wantGrad, dw, 2*winogradError, op)
		})
	}
}

// winogradError is the documented limit of errors, as a share of the largest result; for gradients of filters it
// is twice that.
const winogradError = 1e-5

var winoBitShapes = []ConvOp{
	{Window: Window{C: 32, H: 30, W: 37, KH: 3, KW: 3, OH: 30, OW: 37, Top: 1, Left: 1}, N: 3, M: 50, Bias: RowBias, Act: ReLU},
	{Window: Window{C: 40, H: 7, W: 9, KH: 3, KW: 3, OH: 7, OW: 9, Top: 1, Left: 1}, N: 20, M: 33},
	{Window: Window{C: 33, H: 15, W: 20, KH: 5, KW: 5, OH: 13, OW: 17, Top: 1, Left: 2}, N: 5, M: 40},
}

func TestWinogradHasTheSameBitsForAnyWorkersAndAllocatesNothing(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	pool := par.NewPool(8)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(25, 25))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, op := range winoBitShapes {
			p, ok := NewWinograd(k, op)
			require.True(t, ok)
			x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
			y, again, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
			p.Run(nil, y, x, w, bias, scratch)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				clear(again)
				p.Run(pool, again, x, w, bias, scratch)
				requireBits(t, y, again)
			}
			require.Zero(t, testing.AllocsPerRun(3, func() { p.Run(pool, again, x, w, bias, scratch) }))

			dw, dwAgain, scratch := make([]float32, len(w)), make([]float32, len(w)), make([]float32, p.GradScratch())
			p.RunGrad(nil, dw, x, y, scratch)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				p.RunGrad(pool, dwAgain, x, y, scratch)
				requireBits(t, dw, dwAgain)
			}
			require.Zero(t, testing.AllocsPerRun(3, func() { p.RunGrad(pool, dwAgain, x, y, scratch) }))
		}
	})
}

// TestGradientsOfManyFilters takes shapes whose filters fill lanes.
func TestGradientsOfManyFilters(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	pool := par.NewPool(8)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(26, 26))
		for i := range 60 {
			op := ConvOp{Window: randomWindow(rng), N: 1 + rng.IntN(4), M: 8 + rng.IntN(120), Add: i%2 == 0}
			checkConvGrad(t, k, pool, rng, op)
		}
		// More pixels than panelPixels, so that some lines come after others.
		checkConvGrad(t, k, pool, rng, ConvOp{Window: Window{C: 2, H: 44, W: 41, KH: 3, KW: 2, OH: 42, OW: 40}, N: 2, M: 70})
		op := ConvOp{Window: Window{C: 7, H: 20, W: 33, KH: 3, KW: 5, SW: 2, OH: 18, OW: 15, Left: 1}, N: 5, M: 70}
		p, _ := NewConv(k, op)
		x, dy, dw := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.N*op.M*op.Cols()), make([]float32, op.M*op.Rows())
		again, scratch := make([]float32, len(dw)), make([]float32, p.GradScratch())
		p.RunGrad(nil, dw, x, dy, scratch)
		for _, procs := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(procs)
			p.RunGrad(pool, again, x, dy, scratch)
			requireBits(t, dw, again)
		}
		require.Zero(t, testing.AllocsPerRun(3, func() { p.RunGrad(pool, again, x, dy, scratch) }))
	})
}

// TestWinogradKeepsNaN puts one into an image: every output whose window holds it is NaN, and so may be others
// of the same tiles, but no more.
func TestWinogradKeepsNaN(t *testing.T) {
	op := ConvOp{Window: Window{C: 32, H: 20, W: 40, KH: 3, KW: 3, OH: 20, OW: 40, Top: 1, Left: 1}, N: 2, M: 32, Act: ReLU}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := NewWinograd(k, op)
		rng := rand.New(rand.NewPCG(27, 27))
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			x, w, y := make([]float32, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), make([]float32, op.N*op.M*op.Cols())
			row, col := 9, 22
			x[(op.C+3)*op.H*op.W+row*op.W+col] = bad // channel 3 of the second image
			p.Run(nil, y, x, w, nil, make([]float32, p.Scratch()))
			for i, v := range y {
				image, dr, dc := i/(op.M*op.Cols()), i/op.OW%op.OH, i%op.OW
				inside := image == 1 && abs(dr-row) <= 1 && abs(dc-col) <= 1
				tile := image == 1 && abs(dr/4*4+1-row) <= 4 && abs(dc/4*4+1-col) <= 4
				if inside && bad != bad {
					require.True(t, v != v, i)
				}
				if !tile {
					require.Zero(t, v, i)
				}
			}
		}
	})
}

func abs(i int) int { return max(i, -i) }

// TestWinogradFlushesDenormals multiplies denormals by what would make them normal.
func TestWinogradFlushesDenormals(t *testing.T) {
	op := winoBitShapes[0]
	op.Bias = NoBias
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := NewWinograd(k, op)
		x, w, y := make([]float32, op.N*op.C*op.H*op.W), make([]float32, op.M*op.Rows()), make([]float32, op.N*op.M*op.Cols())
		fill(x, 0x1p-130)
		fill(w, 0x1p100)
		p.Run(nil, y, x, w, nil, make([]float32, p.Scratch()))
		require.Equal(t, make([]float32, len(y)), y)
	})
}

func TestWinogradRefusesWhatItIsNotFor(t *testing.T) {
	good := winoBitShapes[0]
	for _, change := range []func(op *ConvOp){
		func(op *ConvOp) { op.SH = 2 }, func(op *ConvOp) { op.SW = 2 }, func(op *ConvOp) { op.DH = 2 }, func(op *ConvOp) { op.DW = 2 },
		func(op *ConvOp) { op.KH = 5 }, func(op *ConvOp) { op.KW = 1 },
		func(op *ConvOp) { op.OH = 0 }, func(op *ConvOp) { op.N = 0 }, func(op *ConvOp) { op.C = 1 << 20 },
	} {
		op := good
		change(&op)
		_, ok := NewWinograd(Best(), op)
		require.False(t, ok, "%+v", op)
		_, ok = WinogradWork(Best(), op)
		require.False(t, ok, "%+v", op)
	}
	p, _ := NewWinograd(Best(), good)
	x, w, bias := make([]float32, good.N*good.C*good.H*good.W), make([]float32, good.M*good.Rows()), make([]float32, good.M)
	y, scratch := make([]float32, good.N*good.M*good.Cols()), make([]float32, p.Scratch())
	require.Panics(t, func() { p.Run(nil, y[1:], x, w, bias, scratch) })
	require.Panics(t, func() { p.Run(nil, y, x[1:], w, bias, scratch) })
	require.Panics(t, func() { p.Run(nil, y, x, w[1:], bias, scratch) })
	require.Panics(t, func() { p.Run(nil, y, x, w, bias[1:], scratch) })
	require.Panics(t, func() { p.Run(nil, y, x, w, bias, scratch[1:]) })
}

func BenchmarkWinograd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for _, name := range []string{"3x3/64", "3x3/384", "3x3/128", "3x3/256", "alexnet2"} {
			op := convShapes[name]
			p, ok := NewWinograd(Best(), op)
			require.True(b, ok)
			x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
			y, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
			operations := 2 * float64(op.N*op.M*op.Rows()*op.Cols())
			b.Run(fmt.Sprintf("T%d/%s", threads, name), func(b *testing.B) {
				benchShare(b, threads, operations, func(pool *par.Pool) { p.Run(pool, y, x, w, bias, scratch) })
			})
			scratch = make([]float32, p.GradScratch())
			b.Run(fmt.Sprintf("T%d/%s/gradient", threads, name), func(b *testing.B) {
				benchShare(b, threads, operations, func(pool *par.Pool) { p.RunGrad(pool, w, x, y, scratch) })
			})
		}
	}
}
