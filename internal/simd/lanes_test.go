package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
)

// toLanes returns a batch of images of that many elements in lanes, and fromLanes is its inverse.
func toLanes(x []float32, size int) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[laneIndex(i, size)] = x[i]
	}
	return y
}

func fromLanes(x []float32, size int) []float32 {
	y := make([]float32, len(x))
	for i := range y {
		y[i] = x[laneIndex(i, size)]
	}
	return y
}

// laneIndex is where element i of a batch stands.
func laneIndex(i, size int) int {
	image, at := i/size, i%size
	return (image/Lanes*size+at)*Lanes + image%Lanes
}

// laneOp is op for a batch in lanes.
func laneOp(op ConvOp) LaneOp {
	return LaneOp{Window: op.Window, Blocks: op.N / Lanes, Groups: 1, M: op.M, Bias: op.Bias, Act: op.Act}
}

// randomLaneOp draws a convolution with odd extents, of windows partly or wholly in the padding too.
func randomLaneOp(rng *rand.Rand) ConvOp {
	w := Window{C: 1 + rng.IntN(6), H: 1 + rng.IntN(9), W: 1 + rng.IntN(14), KH: 1 + rng.IntN(5), KW: 1 + rng.IntN(8),
		SH: 1 + rng.IntN(3), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(3), DW: 1 + rng.IntN(3), Top: rng.IntN(6), Left: rng.IntN(6)}
	w.OH, w.OW = 1+rng.IntN(8), 1+rng.IntN(15)
	return ConvOp{Window: w, N: Lanes * (1 + rng.IntN(2)), M: 1 + rng.IntN(9), Bias: []Bias{NoBias, RowBias}[rng.IntN(2)], Act: Act(rng.IntN(2))}
}

func TestLaneConvAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(31, 31))
		for range 60 {
			checkLaneConv(t, k, rng, randomLaneOp(rng))
		}
	})
}

func checkLaneConv(t *testing.T, k *Kernels, rng *rand.Rand, op ConvOp) {
	x, w, bias := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
	want, size := convolution(op, nil, x, w, bias)
	p := NewLaneConv(k, laneOp(op))
	packed, y := repeat(float32(math.NaN()), p.PackedLen()), repeat(float32(math.NaN()), len(want))
	p.Pack(packed, w, 0, p.Packs())
	p.Run(y, toLanes(x, op.C*op.H*op.W), packed, bias, 0, p.Tasks())
	for i, v := range fromLanes(y, op.M*op.Cols()) {
		requireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
	}
}

func TestLaneInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(32, 32))
		for range 60 {
			op := randomLaneOp(rng)
			dy, w := randoms[float32](rng, op.N*op.M*op.Cols()), randoms[float32](rng, op.M*op.Rows())
			want := imageGradient(op, dy, w)
			p := NewLaneInputGrad(k, laneOp(op))
			packed, dx := repeat(float32(math.NaN()), p.PackedLen()), repeat(float32(math.NaN()), len(want))
			p.Pack(packed, w, 0, p.Packs())
			p.Run(dx, toLanes(dy, op.M*op.Cols()), packed, nil, 0, p.Tasks())
			for i, v := range fromLanes(dx, op.C*op.H*op.W) {
				requireWithin(t, want[i], float64(v), 0x1p-24*float64(op.M*op.KH*op.KW+3)*10, i, op)
			}
		}
	})
}

// imageGradient is the gradient of the images.
func imageGradient(op ConvOp, dy, w []float32) []float64 {
	want := make([]float64, op.N*op.C*op.H*op.W)
	for n := range op.N {
		for m := range op.M {
			for r := range op.Rows() {
				for q := range op.Cols() {
					if to := source(op.Window, r, q/op.OW, q%op.OW); to >= 0 {
						want[n*op.C*op.H*op.W+to] += float64(w[m*op.Rows()+r]) * float64(dy[(n*op.M+m)*op.Cols()+q])
					}
				}
			}
		}
	}
	return want
}

func TestLaneGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(33, 33))
		for range 60 {
			checkLaneGrad(t, k, rng, randomLaneOp(rng))
		}
		// So wide that one call of a kernel for a row would last too long.
		checkLaneGrad(t, k, rng, ConvOp{Window: Window{C: 1, H: 1, W: 4000, KH: 1, KW: 5, OH: 1, OW: 4000, Left: 2}, N: Lanes, M: 4})
	})
}

func checkLaneGrad(t *testing.T, k *Kernels, rng *rand.Rand, op ConvOp) {
	x, dy := randoms[float32](rng, op.N*op.C*op.H*op.W), randoms[float32](rng, op.N*op.M*op.Cols())
	dw := repeat(float32(math.NaN()), op.M*op.Rows())
	want := gradient(op, dw, x, dy)
	p := NewLaneGrad(k, laneOp(op))
	sums := repeat(float32(math.NaN()), p.SumsLen())
	p.Run(sums, toLanes(x, op.C*op.H*op.W), toLanes(dy, op.M*op.Cols()), 0, p.Tasks())
	p.Total(dw, sums, 0, p.Totals())
	for i := range want {
		requireWithin(t, want[i], float64(dw[i]), 0x1p-24*float64(op.N*op.Cols()+3), i, op)
	}
}

// randomLanePool draws windows of which some overlap, leave elements out, or hold nothing.
func randomLanePool(rng *rand.Rand) Window {
	w := Window{H: 1 + rng.IntN(9), W: 1 + rng.IntN(11), KH: 1 + rng.IntN(3), KW: 1 + rng.IntN(3),
		SH: 1 + rng.IntN(3), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(2), DW: 1 + rng.IntN(2), Top: rng.IntN(4), Left: rng.IntN(4)}
	if rng.IntN(3) == 0 {
		w.KH, w.KW, w.SH, w.SW, w.DH, w.DW, w.Top, w.Left = 2, 2, 2, 2, 1, 1, 0, 0
	}
	w.OH, w.OW = 1+(w.H+w.Top)/w.SH, 1+(w.W+w.Left)/w.SW
	return w
}

// elements visits the places of the elements of window q of a plane.
func (w Window) elements(q int, visit func(at int)) {
	for r := range w.KH * w.KW {
		if at := source(w, r, q/w.OW, q%w.OW); at >= 0 {
			visit(at)
		}
	}
}

// Ties and NaN are frequent, denormals and zeros of both signs keep their bits.
func TestLanePoolsFollowDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(35, 35))
		for range 80 {
			w, planes, relu := randomLanePool(rng), 1+rng.IntN(2), rng.IntN(2) == 0
			w.C = 1
			size, results := w.H*w.W, w.Cols()
			x, dy := make([]float32, planes*Lanes*size), randoms[float32](rng, planes*Lanes*results)
			for i := range x {
				x[i] = float32(rng.IntN(4)) - 1
				if rng.IntN(20) == 0 {
					x[i] = specials[rng.IntN(len(specials))]
				}
			}
			for i := range dy {
				dy[i] = float32(rng.IntN(64)) / 8 // whose sums are exact
			}
			y, means := repeat(float32(-7), len(dy)), make([]float32, len(dy))
			dx, spread := make([]float32, len(x)), make([]float32, len(x))
			for i := range planes * Lanes * results {
				image, q := i/results*size, i%results
				best, n, sum := -1, 0, float32(0)
				w.elements(q, func(at int) {
					v := x[image+at]
					if best < 0 || x[best] == x[best] && !(v <= x[best]) {
						best = image + at
					}
					n, sum = n+1, flush(sum+flush(v))
				})
				if best < 0 {
					continue
				}
				y[i], means[i] = x[best], flush(sum/float32(n))
				if !relu || !(x[best] <= 0) {
					dx[best] += dy[i]
				}
				w.elements(q, func(at int) { spread[image+at] += dy[i] / float32(n) })
			}
			count := func(axis, o int) (n int) {
				a, b := w.laneAxes()
				if axis == 1 {
					a = b
				}
				for k := range a.kernel {
					if at := o*a.stride + k*a.dilation - a.before; at >= 0 && at < a.in {
						n++
					}
				}
				return n
			}
			most, mean := NewLanePool(k, w, nil), NewLanePool(k, w, count)
			in, grads := toLanes(x, size), toLanes(dy, results)
			got, back := make([]float32, len(dy)), repeat(float32(math.NaN()), len(x))
			most.Max(got, in, -7, 0, planes)
			requireBits(t, y, fromLanes(got, results))
			most.Scatter(back, in, grads, relu, 0, planes)
			requireSame(t, dx, fromLanes(back, size), w)
			mean.Mean(got, in, make([]float32, mean.MeanScratch()), 0, planes)
			requireSame(t, means, fromLanes(got, results), w)
			mean.MeanGrad(back, grads, 0, planes)
			require.InDeltaSlice(t, spread, fromLanes(back, size), 1e-5, "%+v", w)
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
func TestLaneConvOfManyElements(t *testing.T) {
	op := ConvOp{Window: Window{C: 800, H: 4, W: 7, KH: 3, KW: 3, OH: 2, OW: 7, Left: 1}, N: Lanes, M: 4, Bias: RowBias, Act: ReLU}
	require.Greater(t, op.Rows()*op.M*6*Lanes, callWork)
	eachLevel(t, func(t *testing.T, k *Kernels) { checkLaneConv(t, k, rand.New(rand.NewPCG(34, 34)), op) })
}

func BenchmarkLanes(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for name, op := range laneShapes {
		op := laneOp(op)
		conv, back, grad := NewLaneConv(Best(), op), NewLaneInputGrad(Best(), op), NewLaneGrad(Best(), op)
		images := op.Blocks * Lanes
		x, w, bias := randoms[float32](rng, images*op.C*op.H*op.W), randoms[float32](rng, op.M*op.Rows()), randoms[float32](rng, op.M)
		y, sums := randoms[float32](rng, images*op.M*op.Cols()), make([]float32, grad.SumsLen())
		packed, turned := make([]float32, conv.PackedLen()), make([]float32, back.PackedLen())
		conv.Pack(packed, w, 0, conv.Packs())
		back.Pack(turned, w, 0, back.Packs())
		operations := 2 * float64(images*op.M*op.Rows()*op.Cols())
		for _, threads := range []int{1, 2} {
			share := func(way string, tasks int, run func(lo, hi int)) {
				b.Run(fmt.Sprintf("T%d/%s/%s", threads, name, way), func(b *testing.B) {
					benchShare(b, threads, operations, func(pool *par.Pool) { pool.For(tasks, 1, run) })
				})
			}
			share("forward", conv.Tasks(), func(lo, hi int) { conv.Run(y, x, packed, bias, lo, hi) })
			share("input", back.Tasks(), func(lo, hi int) { back.Run(x, y, turned, nil, lo, hi) })
			share("filter", grad.Tasks(), func(lo, hi int) { grad.Run(sums, x, y, lo, hi) })
		}
	}
}

// laneShapes are LeNet's convolutions and others of small networks.
var laneShapes = map[string]ConvOp{
	"lenet1": convShapes["lenet1"],
	"lenet2": convShapes["lenet2"],
	"3x3/32": {Window: Window{C: 3, H: 32, W: 32, KH: 3, KW: 3, OH: 32, OW: 32, Top: 1, Left: 1}, N: 64, M: 32},
	"3x3/64": {Window: Window{C: 32, H: 16, W: 16, KH: 3, KW: 3, OH: 16, OW: 16, Top: 1, Left: 1}, N: 64, M: 64},
}
