package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
)

// convolution is op in float64 the obvious way, and the sum of the terms' magnitudes.
func convolution(op ConvOp, y, x, w, bias []float32) (want, size []float64) {
	for n := range op.N {
		for m := range op.M {
			for p := range op.Cols() {
				sum, abs := 0.0, 0.0
				term := func(v float64) { sum += v; abs += math.Abs(v) }
				if op.Add {
					term(float64(y[len(want)]))
				}
				for r := range op.Rows() {
					if from := source(op.Window, r, p/op.OW, p%op.OW); from >= 0 {
						term(float64(w[m*op.Rows()+r]) * float64(x[n*op.C*op.H*op.W+from]))
					}
				}
				if op.Bias != NoBias {
					term(float64(bias[m]))
				}
				if op.Act == ReLU {
					sum = max(sum, 0)
				}
				want, size = append(want, sum), append(size, abs)
			}
		}
	}
	return want, size
}

func TestConvAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(12, 12))
		for i := range 250 {
			op := ConvOp{Window: randomWindow(rng), N: rng.IntN(4), M: 1 + rng.IntN(14), Add: i%2 == 0, Bias: []Bias{NoBias, RowBias}[rng.IntN(2)], Act: Act(rng.IntN(2))}
			switch i % 4 {
			case 0: // no padding
				op.withInside()
			case 1: // wide
				op.H, op.W, op.OH, op.OW = 3, 90+rng.IntN(50), 3, 80+rng.IntN(60)
			}
			checkConv(t, k, pool, rng, op)
		}
	})
}

// withInside changes op so that all windows lie on the image.
func (op *ConvOp) withInside() {
	d := op.withDefaults()
	op.Top, op.Left = 0, 0
	op.OH, op.OW = max((op.H-(op.KH-1)*d.DH-1)/d.SH+1, 0), max((op.W-(op.KW-1)*d.DW-1)/d.SW+1, 0)
	if op.H <= (op.KH-1)*d.DH {
		op.OH = 0
	}
	if op.W <= (op.KW-1)*d.DW {
		op.OW = 0
	}
}

func checkConv(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op ConvOp) {
	p, ok := NewConv(k, op)
	require.True(t, ok)
	x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
	y, scratch := randoms[float32](rng, op.N*op.M*op.Cols()), repeat(float32(math.NaN()), p.Scratch())
	want, size := convolution(op, y, x, w, bias)
	p.Run(pool, y, x, w, bias, scratch)
	for i := range want {
		requireWithin(t, want[i], float64(y[i]), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
	}
}

func TestConvGradientAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(14, 14))
		for i := range 300 {
			op := ConvOp{Window: randomWindow(rng), N: rng.IntN(4), M: 1 + rng.IntN(9), Add: i%2 == 0}
			if i%3 == 0 {
				op.withInside()
			}
			checkConvGrad(t, k, pool, rng, op)
		}
	})
}

func checkConvGrad(t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op ConvOp) {
	p, ok := NewConv(k, op)
	require.True(t, ok)
	x, dy, dw := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.N*op.M*op.Cols()), randoms[float32](rng, op.M*op.Rows())
	want := gradient(op, dw, x, dy)
	p.RunGrad(pool, dw, x, dy, repeat(float32(math.NaN()), p.GradScratch()))
	for i := range want {
		requireWithin(t, want[i], float64(dw[i]), 0x1p-24*float64(op.N*op.Cols()+3), i, op)
	}
}

// gradient is that of the filters, in float64 the obvious way.
func gradient(op ConvOp, dw, x, dy []float32) []float64 {
	want := make([]float64, len(dw))
	for m := range op.M {
		for r := range op.Rows() {
			at := m*op.Rows() + r
			if op.Add {
				want[at] = float64(dw[at])
			}
			for n := range op.N {
				for q := range op.Cols() {
					if from := source(op.Window, r, q/op.OW, q%op.OW); from >= 0 {
						want[at] += float64(x[n*op.C*op.H*op.W+from]) * float64(dy[(n*op.M+m)*op.Cols()+q])
					}
				}
			}
		}
	}
	return want
}

func TestConvOfManyElements(t *testing.T) {
	op := ConvOp{Window: Window{C: 1000, H: 5, W: 6, KH: 3, KW: 3, OH: 3, OW: 4}, N: 1, M: 2, Bias: RowBias, Act: ReLU}
	require.Greater(t, op.Rows(), maxTaps)
	eachLevel(t, func(t *testing.T, k *Kernels) { checkConv(t, k, nil, rand.New(rand.NewPCG(18, 18)), op) })
}

func TestConvRefusesFiltersWithoutElements(t *testing.T) {
	_, ok := NewConv(Best(), ConvOp{Window: Window{KH: 1, KW: 1}})
	require.False(t, ok)
}

// convShapes are LeNet's convolutions and a layer of a large network.
var convShapes = map[string]ConvOp{
	"lenet1":   {Window: Window{C: 1, H: 28, W: 28, KH: 5, KW: 5, OH: 28, OW: 28, Top: 2, Left: 2}, N: 64, M: 6, Bias: RowBias, Act: ReLU},
	"lenet2":   {Window: Window{C: 6, H: 14, W: 14, KH: 5, KW: 5, OH: 10, OW: 10}, N: 64, M: 16, Bias: RowBias, Act: ReLU},
	"3x3/64":   {Window: Window{C: 64, H: 56, W: 56, KH: 3, KW: 3, OH: 56, OW: 56, Top: 1, Left: 1}, N: 32, M: 64},
	"alexnet1": {Window: Window{C: 3, H: 224, W: 224, KH: 11, KW: 11, SH: 4, SW: 4, OH: 55, OW: 55, Top: 2, Left: 2}, N: 8, M: 64},
	"alexnet2": {Window: Window{C: 64, H: 27, W: 27, KH: 5, KW: 5, OH: 27, OW: 27, Top: 2, Left: 2}, N: 8, M: 192},
	"3x3/128":  {Window: Window{C: 128, H: 28, W: 28, KH: 3, KW: 3, OH: 28, OW: 28, Top: 1, Left: 1}, N: 16, M: 128},
	"3x3/256":  {Window: Window{C: 256, H: 14, W: 14, KH: 3, KW: 3, OH: 14, OW: 14, Top: 1, Left: 1}, N: 16, M: 256},
	"3x3/384":  {Window: Window{C: 256, H: 13, W: 13, KH: 3, KW: 3, OH: 13, OW: 13, Top: 1, Left: 1}, N: 8, M: 384},
}

func TestConvHasTheSameBitsForAnyWorkersAndAllocatesNothing(t *testing.T) {
	pool := par.NewPool(4)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(13, 13))
	op := convShapes["lenet1"]
	eachLevel(t, func(t *testing.T, k *Kernels) {
		p, _ := NewConv(k, op)
		x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
		y, again, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, op.N*op.M*op.Cols()), make([]float32, p.Scratch())
		p.Run(nil, y, x, w, bias, scratch)
		require.Zero(t, testing.AllocsPerRun(3, func() { p.Run(pool, again, x, w, bias, scratch) }))
		requireBits(t, y, again)
	})
}

func BenchmarkConv(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for name, op := range convShapes {
			p, _ := NewConv(Best(), op)
			x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
			y, scratch := make([]float32, op.N*op.M*op.Cols()), make([]float32, p.GradScratch())
			operations := 2 * float64(op.N*op.M*op.Rows()*op.Cols())
			b.Run(fmt.Sprintf("T%d/%s", threads, name), func(b *testing.B) {
				benchShare(b, threads, operations, func(pool *par.Pool) { p.Run(pool, y, x, w, bias, scratch) })
			})
			b.Run(fmt.Sprintf("T%d/%s/gradient", threads, name), func(b *testing.B) {
				benchShare(b, threads, operations, func(pool *par.Pool) { p.RunGrad(pool, w, x, y, scratch) })
			})
		}
	}
}

// TestFlippedFiltersGiveTheImageGradient compares with the adjoint, Col2Im of the filters' transpose
// times dy.
func TestFlippedFiltersGiveTheImageGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 17))
	for range 50 {
		op := ConvOp{N: 1, M: 1 + rng.IntN(5), Window: Window{C: 1 + rng.IntN(3), KH: 1 + rng.IntN(4), KW: 1 + rng.IntN(4), DH: 1 + rng.IntN(2), DW: 1 + rng.IntN(2)}}
		op.Top, op.Left = rng.IntN((op.KH-1)*op.DH+1), rng.IntN((op.KW-1)*op.DW+1)
		op.H, op.W = (op.KH-1)*op.DH+1+rng.IntN(9), (op.KW-1)*op.DW+1+rng.IntN(9)
		op.OH, op.OW = op.H+2*op.Top-(op.KH-1)*op.DH, op.W+2*op.Left-(op.KW-1)*op.DW
		w, dy := randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M*op.Cols())

		cols, want := make([]float32, op.Rows()*op.Cols()), make([]float32, op.C*op.H*op.W)
		g := GemmOp{M: op.Rows(), N: op.Cols(), K: op.M, TransA: true}
		Gemm(Best(), nil, g, w, dy, cols, nil, make([]float32, GemmScratch[float32](Best(), g)))
		Col2Im(want, cols, 0, op.Window, 0, op.C)

		back := op
		back.C, back.M, back.H, back.W, back.OH, back.OW = op.M, op.C, op.OH, op.OW, op.H, op.W
		back.Top, back.Left = (op.KH-1)*op.DH-op.Top, (op.KW-1)*op.DW-op.Left
		flipped, got := make([]float32, len(w)), make([]float32, len(want))
		FlipFilters(flipped, w, op.M, op.C, op.KH*op.KW)
		p, _ := NewConv(Best(), back)
		p.Run(nil, got, dy, flipped, nil, make([]float32, p.Scratch()))
		require.InDeltaSlice(t, want, got, 1e-5)
	}
}
