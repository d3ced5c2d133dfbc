package conv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

func TestConvAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(12, 12))
		for i := range 250 {
			op := window.Conv{Window: simdtest.RandomWindow(rng), N: rng.IntN(4), M: 1 + rng.IntN(14), Add: i%2 == 0, Bias: []isa.Bias{isa.NoBias, isa.RowBias}[rng.IntN(2)], Act: isa.Act(rng.IntN(2))}
			switch i % 4 {
			case 0: // no padding
				inside(&op)
			case 1: // wide
				op.H, op.W, op.OH, op.OW = 3, 90+rng.IntN(50), 3, 80+rng.IntN(60)
			}
			checkConv(t, k, pool, rng, op)
		}
	})
}

// inside changes op so that all windows lie on the image.
func inside(op *window.Conv) {
	d := op.WithDefaults()
	op.Top, op.Left = 0, 0
	op.OH, op.OW = max((op.H-(op.KH-1)*d.DH-1)/d.SH+1, 0), max((op.W-(op.KW-1)*d.DW-1)/d.SW+1, 0)
	if op.H <= (op.KH-1)*d.DH {
		op.OH = 0
	}
	if op.W <= (op.KW-1)*d.DW {
		op.OW = 0
	}
}

func checkConv(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op window.Conv) {
	p, ok := New(k, op)
	require.True(t, ok)
	x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
	y, scratch := simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Repeat(float32(math.NaN()), p.Scratch())
	want, size := simdtest.Convolution(op, y, x, w, bias)
	p.Run(pool, y, x, w, bias, scratch)
	for i := range want {
		simdtest.RequireWithin(t, want[i], float64(y[i]), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
	}
}

func TestConvGradientAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(14, 14))
		for i := range 300 {
			op := window.Conv{Window: simdtest.RandomWindow(rng), N: rng.IntN(4), M: 1 + rng.IntN(9), Add: i%2 == 0}
			if i%3 == 0 {
				inside(&op)
			}
			checkConvGrad(t, k, pool, rng, op)
		}
	})
}

func checkConvGrad(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op window.Conv) {
	p, ok := New(k, op)
	require.True(t, ok)
	x, dy, dw := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Randoms[float32](rng, op.M*op.Rows())
	want := simdtest.Gradient(op, dw, x, dy)
	p.RunGrad(pool, dw, x, dy, simdtest.Repeat(float32(math.NaN()), p.GradScratch()))
	for i := range want {
		simdtest.RequireWithin(t, want[i], float64(dw[i]), 0x1p-24*float64(op.N*op.Cols()+3), i, op)
	}
}

func TestConvOfManyElements(t *testing.T) {
	op := window.Conv{Window: window.Window{C: 1000, H: 5, W: 6, KH: 3, KW: 3, OH: 3, OW: 4}, N: 1, M: 2, Bias: isa.RowBias, Act: isa.ReLU}
	require.Greater(t, op.Rows(), maxTaps)
	eachLevel(t, func(t *testing.T, k *Kernels) { checkConv(t, k, nil, rand.New(rand.NewPCG(18, 18)), op) })
}

func TestConvRefusesFiltersWithoutElements(t *testing.T) {
	_, ok := New(best(), window.Conv{Window: window.Window{KH: 1, KW: 1}})
	require.False(t, ok)
}

func TestConvHasTheSameBitsForAnyWorkersAndAllocatesNothing(t *testing.T) {
	pool := par.NewPool(4)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(13, 13))
	op := simdtest.ConvShapes["lenet1"]
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := New(k, op)
		x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
		y, again, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
		p.Run(nil, y, x, w, bias, scratch)
		require.Zero(t, allocs.PerRun(3, func() { p.Run(pool, again, x, w, bias, scratch) }))
		simdtest.RequireBits(t, y, again)
	})
}

func BenchmarkConv(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for name, op := range simdtest.ConvShapes {
			p, _ := New(best(), op)
			x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
			y, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, p.GradScratch())
			operations := 2 * float64(op.N*op.M*op.Rows()*op.Cols())
			b.Run(fmt.Sprintf("T%d/%s", threads, name), func(b *testing.B) {
				simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { p.Run(pool, y, x, w, bias, scratch) })
			})
			b.Run(fmt.Sprintf("T%d/%s/gradient", threads, name), func(b *testing.B) {
				simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { p.RunGrad(pool, w, x, y, scratch) })
			})
		}
	}
}

// TestFlippedFiltersGiveTheImageGradient holds a convolution of dy with them to the definition.
func TestFlippedFiltersGiveTheImageGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 17))
	for range 50 {
		op := window.Conv{N: 1, M: 1 + rng.IntN(5), Window: window.Window{C: 1 + rng.IntN(3), KH: 1 + rng.IntN(4), KW: 1 + rng.IntN(4), DH: 1 + rng.IntN(2), DW: 1 + rng.IntN(2)}}
		op.Top, op.Left = rng.IntN((op.KH-1)*op.DH+1), rng.IntN((op.KW-1)*op.DW+1)
		op.H, op.W = (op.KH-1)*op.DH+1+rng.IntN(9), (op.KW-1)*op.DW+1+rng.IntN(9)
		op.OH, op.OW = op.H+2*op.Top-(op.KH-1)*op.DH, op.W+2*op.Left-(op.KW-1)*op.DW
		w, dy := simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M*op.Cols())
		want := simdtest.ImageGradient(op, dy, w)

		back := op
		back.C, back.M, back.H, back.W, back.OH, back.OW = op.M, op.C, op.OH, op.OW, op.H, op.W
		back.Top, back.Left = (op.KH-1)*op.DH-op.Top, (op.KW-1)*op.DW-op.Left
		flipped, got := make([]float32, len(w)), make([]float32, len(want))
		simdtest.FlipFilters(flipped, w, op.M, op.C, op.KH*op.KW)
		p, _ := New(best(), back)
		p.Run(nil, got, dy, flipped, nil, make([]float32, p.Scratch()))
		for i := range want {
			simdtest.RequireWithin(t, want[i], float64(got[i]), 1e-5, i, op)
		}
	}
}
