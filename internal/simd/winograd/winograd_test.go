package winograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// randomWindow is a random window that Winograd's algorithm takes, with places over the edges.
func randomWindow(rng *rand.Rand) window.Window {
	w := window.Window{C: 1 + rng.IntN(9), H: 1 + rng.IntN(24), W: 1 + rng.IntN(40), KH: 3 + 2*rng.IntN(2), Top: rng.IntN(6), Left: rng.IntN(6)}
	w.KW = w.KH
	w.OH, w.OW = 1+rng.IntN(w.H+w.Top+1), 1+rng.IntN(w.W+w.Left+1)
	return w
}

func TestWinogradAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(21, 21))
		for i := range 100 {
			op := window.Conv{Window: randomWindow(rng), N: 1 + rng.IntN(4), M: 1 + rng.IntN(20), Add: i%2 == 0, Bias: []isa.Bias{isa.NoBias, isa.RowBias}[rng.IntN(2)], Act: isa.Act(rng.IntN(2))}
			checkWinograd(t, k, pool, rng, op, i%3 == 0)
		}
	})
}

func checkWinograd(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op window.Conv, flip bool) {
	require.True(t, k.suits(withDefaultStrides(op)))
	p := planOf(k, withDefaultStrides(op), flip)
	x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
	y, scratch := simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Repeat(float32(math.NaN()), p.Scratch())
	plain := w
	if flip {
		plain = make([]float32, len(w))
		simdtest.FlipFilters(plain, w, op.C, op.M, op.KH*op.KW)
	}
	want, _ := simdtest.Convolution(op, y, x, plain, bias)
	p.Run(pool, y, x, w, bias, scratch)
	simdtest.RequireClose(t, want, y, 2e-5, op)
}

func withDefaultStrides(op window.Conv) window.Conv {
	op.Window = op.WithDefaults()
	return op
}

func TestWinogradGradientAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(28, 28))
		for i := range 80 {
			op := window.Conv{Window: randomWindow(rng), N: 1 + rng.IntN(4), M: 1 + rng.IntN(20), Add: i%2 == 0}
			p := planOf(k, withDefaultStrides(op), false)
			p.setGradVectors(1 + rng.IntN(p.vectors)) // several blocks
			x, dy, dw := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Randoms[float32](rng, op.M*op.Rows())
			want := simdtest.Gradient(op, dw, x, dy)
			p.RunGrad(pool, dw, x, dy, simdtest.Repeat(float32(math.NaN()), p.GradScratch()))
			simdtest.RequireClose(t, want, dw, 2e-5, op)
		}
	})
}

// matrix is a transform's matrix for an input of n elements, times 24, which makes it whole.
func (f Transform) matrix(n int) (m [6][6]int) {
	for j := range n {
		var unit Line
		unit[j] = 1
		for i, x := range f(unit) {
			m[i][j] = int(math.Round(24 * float64(x)))
		}
	}
	return m
}

// TestWinogradIsExactInRationalNumbers holds Y = A'(Gw . B'd) to the definition of a correlation,
// one axis at a time, and the gradients' transforms to be the transposes.
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
		result, adjoint, taps, tapsAdjoint Transform
	}{
		{4, 3, Result4, Adjoint4, Taps3, TapsAdjoint3},
		{2, 5, Result2, Adjoint2, Taps5, TapsAdjoint5},
	} {
		a, g, b := f.result.matrix(6), f.taps.matrix(f.size), Transform(Input).matrix(6)
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

// TestWinogradErrorIsAsDocumented measures layers of large networks, with the usual weights and
// activations. The worst errors are 4e-6 of the largest output.
func TestWinogradErrorIsAsDocumented(t *testing.T) {
	for _, op := range []window.Conv{
		{Window: window.Window{C: 256, H: 13, W: 13, KH: 3, KW: 3, OH: 13, OW: 13, Top: 1, Left: 1}, N: 1, M: 32},
		{Window: window.Window{C: 96, H: 27, W: 27, KH: 5, KW: 5, OH: 27, OW: 27, Top: 2, Left: 2}, N: 1, M: 24},
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
		want, _ := simdtest.Convolution(op, nil, x, w, nil)
		wantGrad := simdtest.Gradient(op, make([]float32, len(w)), x, dy)
		eachLevel(t, func(t *testing.T, k *Kernels) {
			p := planOf(k, withDefaultStrides(op), false)
			y, dw := make([]float32, len(want)), make([]float32, len(w))
			p.Run(nil, y, x, w, nil, make([]float32, p.Scratch()))
			simdtest.RequireClose(t, want, y, errorLimit, op)
			p.RunGrad(nil, dw, x, dy, make([]float32, p.GradScratch()))
			simdtest.RequireClose(t, wantGrad, dw, 2*errorLimit, op)
		})
	}
}

// errorLimit is the documented limit of errors, as a share of the largest result; for gradients of
// filters it is twice that.
const errorLimit = 1e-5

var bitShapesOfWinograd = []window.Conv{
	{Window: window.Window{C: 32, H: 30, W: 37, KH: 3, KW: 3, OH: 30, OW: 37, Top: 1, Left: 1}, N: 3, M: 50, Bias: isa.RowBias, Act: isa.ReLU},
	{Window: window.Window{C: 40, H: 7, W: 9, KH: 3, KW: 3, OH: 7, OW: 9, Top: 1, Left: 1}, N: 20, M: 33},
	{Window: window.Window{C: 33, H: 15, W: 20, KH: 5, KW: 5, OH: 13, OW: 17, Top: 1, Left: 2}, N: 5, M: 40},
}

func TestWinogradHasTheSameBitsForAnyWorkersAndAllocatesNothing(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	pool := par.NewPool(8)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(25, 25))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, op := range bitShapesOfWinograd {
			p, ok := New(k, op)
			require.True(t, ok)
			x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
			y, again, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
			p.Run(nil, y, x, w, bias, scratch)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				clear(again)
				p.Run(pool, again, x, w, bias, scratch)
				simdtest.RequireBits(t, y, again)
			}
			require.Zero(t, allocs.PerRun(3, func() { p.Run(pool, again, x, w, bias, scratch) }))

			dw, dwAgain, scratch := make([]float32, len(w)), make([]float32, len(w)), make([]float32, p.GradScratch())
			p.RunGrad(nil, dw, x, y, scratch)
			for _, procs := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(procs)
				p.RunGrad(pool, dwAgain, x, y, scratch)
				simdtest.RequireBits(t, dw, dwAgain)
			}
			require.Zero(t, allocs.PerRun(3, func() { p.RunGrad(pool, dwAgain, x, y, scratch) }))
		}
	})
}

// TestWinogradKeepsNaN puts one into an image: every output whose window holds it is NaN, and so
// may be others of the same tiles, but no more.
func TestWinogradKeepsNaN(t *testing.T) {
	op := window.Conv{Window: window.Window{C: 32, H: 20, W: 40, KH: 3, KW: 3, OH: 20, OW: 40, Top: 1, Left: 1}, N: 2, M: 32, Act: isa.ReLU}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := New(k, op)
		rng := rand.New(rand.NewPCG(27, 27))
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			x, w, y := make([]float32, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), make([]float32, op.N*op.M*op.Cols())
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
	op := bitShapesOfWinograd[0]
	op.Bias = isa.NoBias
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := New(k, op)
		x, w, y := make([]float32, op.N*op.C*op.H*op.W), make([]float32, op.M*op.Rows()), make([]float32, op.N*op.M*op.Cols())
		simdtest.Fill(x, 0x1p-130)
		simdtest.Fill(w, 0x1p100)
		p.Run(nil, y, x, w, nil, make([]float32, p.Scratch()))
		require.Equal(t, make([]float32, len(y)), y)
	})
}

func TestWinogradRefusesWhatItIsNotFor(t *testing.T) {
	good := bitShapesOfWinograd[0]
	for _, change := range []func(op *window.Conv){
		func(op *window.Conv) { op.SH = 2 }, func(op *window.Conv) { op.SW = 2 }, func(op *window.Conv) { op.DH = 2 }, func(op *window.Conv) { op.DW = 2 },
		func(op *window.Conv) { op.KH = 5 }, func(op *window.Conv) { op.KW = 1 },
		func(op *window.Conv) { op.OH = 0 }, func(op *window.Conv) { op.N = 0 }, func(op *window.Conv) { op.C = 1 << 20 },
	} {
		op := good
		change(&op)
		_, ok := New(best(), op)
		require.False(t, ok, "%+v", op)
		_, ok = Work(best(), op)
		require.False(t, ok, "%+v", op)
	}
	p, _ := New(best(), good)
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
			op := simdtest.ConvShapes[name]
			p, ok := New(best(), op)
			require.True(b, ok)
			x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
			y, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
			operations := 2 * float64(op.N*op.M*op.Rows()*op.Cols())
			b.Run(fmt.Sprintf("T%d/%s", threads, name), func(b *testing.B) {
				simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { p.Run(pool, y, x, w, bias, scratch) })
			})
			scratch = make([]float32, p.GradScratch())
			b.Run(fmt.Sprintf("T%d/%s/gradient", threads, name), func(b *testing.B) {
				simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { p.RunGrad(pool, w, x, y, scratch) })
			})
		}
	}
}
