package interleaved

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// interleave returns a batch of images of that many elements interleaved, and apart is its inverse.
func interleave(x []float32, size int) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[indexOf(i, size)] = x[i]
	}
	return y
}

func apart(x []float32, size int) []float32 {
	y := make([]float32, len(x))
	for i := range y {
		y[i] = x[indexOf(i, size)]
	}
	return y
}

// indexOf is where element i of a batch stands.
func indexOf(i, size int) int {
	image, at := i/size, i%size
	return (image/Images*size+at)*Images + image%Images
}

// opOf is op for an interleaved batch.
func opOf(op window.Conv) Op {
	return Op{Window: op.Window, Blocks: op.N / Images, Groups: 1, M: op.M, Bias: op.Bias, Act: op.Act}
}

// randomConv draws a convolution with odd extents, of windows partly or wholly in the padding too.
func randomConv(rng *rand.Rand) window.Conv {
	w := window.Window{C: 1 + rng.IntN(6), H: 1 + rng.IntN(9), W: 1 + rng.IntN(14), KH: 1 + rng.IntN(5), KW: 1 + rng.IntN(8),
		SH: 1 + rng.IntN(3), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(3), DW: 1 + rng.IntN(3), Top: rng.IntN(6), Left: rng.IntN(6)}
	w.OH, w.OW = 1+rng.IntN(8), 1+rng.IntN(15)
	return window.Conv{Window: w, N: Images * (1 + rng.IntN(2)), M: 1 + rng.IntN(9), Bias: []isa.Bias{isa.NoBias, isa.RowBias}[rng.IntN(2)], Act: isa.Act(rng.IntN(2))}
}

func TestConvAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(31, 31))
		for range 60 {
			checkConv(t, k, rng, randomConv(rng))
		}
	})
}

func checkConv(t *testing.T, k *Kernels, rng *rand.Rand, op window.Conv) {
	x, w, bias := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
	want, size := simdtest.Convolution(op, nil, x, w, bias)
	p := NewConv(k, opOf(op))
	packed, y := simdtest.Repeat(float32(math.NaN()), p.PackedLen()), simdtest.Repeat(float32(math.NaN()), len(want))
	p.Pack(packed, w, 0, p.Packs())
	p.Run(y, interleave(x, op.C*op.H*op.W), packed, bias, 0, p.Tasks())
	for i, v := range apart(y, op.M*op.Cols()) {
		simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
	}
}

func TestInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(32, 32))
		for range 60 {
			op := randomConv(rng)
			dy, w := simdtest.Randoms[float32](rng, op.N*op.M*op.Cols()), simdtest.Randoms[float32](rng, op.M*op.Rows())
			want := simdtest.ImageGradient(op, dy, w)
			p := NewInputGrad(k, opOf(op))
			packed, dx := simdtest.Repeat(float32(math.NaN()), p.PackedLen()), simdtest.Repeat(float32(math.NaN()), len(want))
			p.Pack(packed, w, 0, p.Packs())
			p.Run(dx, interleave(dy, op.M*op.Cols()), packed, nil, 0, p.Tasks())
			for i, v := range apart(dx, op.C*op.H*op.W) {
				simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.M*op.KH*op.KW+3)*10, i, op)
			}
		}
	})
}

func TestFilterGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(33, 33))
		for range 60 {
			checkFilterGrad(t, k, rng, randomConv(rng))
		}
		// So wide that one call of a kernel for a row would last too long.
		checkFilterGrad(t, k, rng, window.Conv{Window: window.Window{C: 1, H: 1, W: 4000, KH: 1, KW: 5, OH: 1, OW: 4000, Left: 2}, N: Images, M: 4})
	})
}

func checkFilterGrad(t *testing.T, k *Kernels, rng *rand.Rand, op window.Conv) {
	x, dy := simdtest.Randoms[float32](rng, op.N*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.N*op.M*op.Cols())
	dw := simdtest.Repeat(float32(math.NaN()), op.M*op.Rows())
	want := simdtest.Gradient(op, dw, x, dy)
	p := NewFilterGrad(k, opOf(op))
	sums := simdtest.Repeat(float32(math.NaN()), p.SumsLen())
	p.Run(sums, interleave(x, op.C*op.H*op.W), interleave(dy, op.M*op.Cols()), 0, p.Tasks())
	p.Total(dw, sums, 0, p.Totals())
	for i := range want {
		simdtest.RequireWithin(t, want[i], float64(dw[i]), 0x1p-24*float64(op.N*op.Cols()+3), i, op)
	}
}

// randomPool draws windows of which some overlap, leave elements out, or hold nothing.
func randomPool(rng *rand.Rand) window.Window {
	w := window.Window{H: 1 + rng.IntN(9), W: 1 + rng.IntN(11), KH: 1 + rng.IntN(3), KW: 1 + rng.IntN(3),
		SH: 1 + rng.IntN(3), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(2), DW: 1 + rng.IntN(2), Top: rng.IntN(4), Left: rng.IntN(4)}
	if rng.IntN(3) == 0 {
		w.KH, w.KW, w.SH, w.SW, w.DH, w.DW, w.Top, w.Left = 2, 2, 2, 2, 1, 1, 0, 0
	}
	w.OH, w.OW = 1+(w.H+w.Top)/w.SH, 1+(w.W+w.Left)/w.SW
	return w
}

// elements visits the places of the elements of window q of a plane.
func elements(w window.Window, q int, visit func(at int)) {
	for r := range w.KH * w.KW {
		if at := simdtest.Source(w, r, q/w.OW, q%w.OW); at >= 0 {
			visit(at)
		}
	}
}

// Ties and NaN are frequent, denormals and zeros of both signs keep their bits.
func TestPoolsFollowDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(35, 35))
		for range 80 {
			w, planes, relu := randomPool(rng), 1+rng.IntN(2), rng.IntN(2) == 0
			w.C = 1
			size, results := w.H*w.W, w.Cols()
			x, dy := make([]float32, planes*Images*size), simdtest.Randoms[float32](rng, planes*Images*results)
			for i := range x {
				x[i] = float32(rng.IntN(4)) - 1
				if rng.IntN(20) == 0 {
					x[i] = simdtest.Specials[rng.IntN(len(simdtest.Specials))]
				}
			}
			for i := range dy {
				dy[i] = float32(rng.IntN(64)) / 8 // whose sums are exact
			}
			y, means := simdtest.Repeat(float32(-7), len(dy)), make([]float32, len(dy))
			dx, spread := make([]float32, len(x)), make([]float32, len(x))
			for i := range planes * Images * results {
				image, q := i/results*size, i%results
				best, n, sum := -1, 0, float32(0)
				elements(w, q, func(at int) {
					v := x[image+at]
					if best < 0 || x[best] == x[best] && !(v <= x[best]) {
						best = image + at
					}
					n, sum = n+1, isa.Flush(sum+isa.Flush(v))
				})
				if best < 0 {
					continue
				}
				y[i], means[i] = x[best], isa.Flush(sum/float32(n))
				if !relu || !(x[best] <= 0) {
					dx[best] += dy[i]
				}
				elements(w, q, func(at int) { spread[image+at] += dy[i] / float32(n) })
			}
			count := func(axis, o int) (n int) {
				a, b := w.Axes()
				if axis == 1 {
					a = b
				}
				for k := range a.Kernel {
					if at := o*a.Stride + k*a.Dilation - a.Before; at >= 0 && at < a.In {
						n++
					}
				}
				return n
			}
			most, mean := NewPool(k, w, nil), NewPool(k, w, count)
			in, grads := interleave(x, size), interleave(dy, results)
			got, back := make([]float32, len(dy)), simdtest.Repeat(float32(math.NaN()), len(x))
			most.Max(got, in, -7, 0, planes)
			simdtest.RequireBits(t, y, apart(got, results))
			most.Scatter(back, in, grads, relu, 0, planes)
			requireSame(t, dx, apart(back, size), w)
			mean.Mean(got, in, make([]float32, mean.MeanScratch()), 0, planes)
			requireSame(t, means, apart(got, results), w)
			mean.MeanGrad(back, grads, 0, planes)
			require.InDeltaSlice(t, spread, apart(back, size), 1e-5, "%+v", w)
		}
	})
}

// requireSame wants equal numbers, or NaN for NaN.
func requireSame(t *testing.T, want, got []float32, of any) {
	for i, v := range want {
		if v != got[i] && (v == v || got[i] == got[i]) {
			require.Equal(t, v, got[i], "element %d of %+v", i, of)
		}
	}
}

// A filter so large that one call of a kernel would last too long.
func TestConvOfManyElements(t *testing.T) {
	op := window.Conv{Window: window.Window{C: 800, H: 4, W: 7, KH: 3, KW: 3, OH: 2, OW: 7, Left: 1}, N: Images, M: 4, Bias: isa.RowBias, Act: isa.ReLU}
	require.Greater(t, op.Rows()*op.M*6*Images, isa.CallWork)
	eachLevel(t, func(t *testing.T, k *Kernels) { checkConv(t, k, rand.New(rand.NewPCG(34, 34)), op) })
}

func BenchmarkConv(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for name, op := range shapes {
		op := opOf(op)
		conv, back, grad := NewConv(best(), op), NewInputGrad(best(), op), NewFilterGrad(best(), op)
		images := op.Blocks * Images
		x, w, bias := simdtest.Randoms[float32](rng, images*op.C*op.H*op.W), simdtest.Randoms[float32](rng, op.M*op.Rows()), simdtest.Randoms[float32](rng, op.M)
		y, sums := simdtest.Randoms[float32](rng, images*op.M*op.Cols()), make([]float32, grad.SumsLen())
		packed, turned := make([]float32, conv.PackedLen()), make([]float32, back.PackedLen())
		conv.Pack(packed, w, 0, conv.Packs())
		back.Pack(turned, w, 0, back.Packs())
		operations := 2 * float64(images*op.M*op.Rows()*op.Cols())
		for _, threads := range []int{1, 2} {
			share := func(way string, tasks int, run func(lo, hi int)) {
				b.Run(fmt.Sprintf("T%d/%s/%s", threads, name, way), func(b *testing.B) {
					simdtest.Share(b, threads, operations, vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) { pool.For(tasks, 1, run) })
				})
			}
			share("forward", conv.Tasks(), func(lo, hi int) { conv.Run(y, x, packed, bias, lo, hi) })
			share("input", back.Tasks(), func(lo, hi int) { back.Run(x, y, turned, nil, lo, hi) })
			share("filter", grad.Tasks(), func(lo, hi int) { grad.Run(sums, x, y, lo, hi) })
		}
	}
}

// shapes are LeNet's convolutions and others of small networks.
var shapes = map[string]window.Conv{
	"lenet1": simdtest.ConvShapes["lenet1"],
	"lenet2": simdtest.ConvShapes["lenet2"],
	"3x3/32": {Window: window.Window{C: 3, H: 32, W: 32, KH: 3, KW: 3, OH: 32, OW: 32, Top: 1, Left: 1}, N: 64, M: 32},
	"3x3/64": {Window: window.Window{C: 32, H: 16, W: 16, KH: 3, KW: 3, OH: 16, OW: 16, Top: 1, Left: 1}, N: 64, M: 64},
}
