package pool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// naiveMax is the definition: the place of the largest of size×size elements from x[at] on.
func naiveMax(x []float32, at, ld, size int) (best int) {
	best = at
	for a := range size {
		for b := range size {
			v, most := x[at+a*ld+b], x[best]
			if most == most && (v > most || v != v) {
				best = at + a*ld + b
			}
		}
	}
	return best
}

func bitsOf(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
	}
	return b
}

// Ties and NaN are frequent, denormals and zeros of both signs keep their bits, rows of results
// have gaps, the image ends with the last window, and buffers begin anywhere.
func TestMaxPoolsFollowDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(16, 16))
		for range 600 {
			size, stride := 2+rng.IntN(2), 2
			if rng.IntN(2) == 0 {
				size, stride = 2+rng.IntN(8), 1
			}
			w := Windows{Size: size, Stride: stride, Rows: rng.IntN(6), Cols: rng.IntN(90 / stride)}
			w.LD = stride*w.Cols + size - 2 + rng.IntN(3)
			w.Step, w.Out = (1+rng.IntN(3))*w.LD+rng.IntN(2), w.Cols+rng.IntN(3)
			n, m := 0, 0
			if w.Rows > 0 && w.Cols > 0 {
				n, m = (w.Rows-1)*w.Step+(size-1)*w.LD+stride*(w.Cols-1)+size, (w.Rows-1)*w.Out+w.Cols
			}
			shift := rng.IntN(4)
			x := simdtest.Randoms[float32](rng, n+shift)[shift:]
			for i := range x {
				x[i] = float32(rng.IntN(4)) - 1
				if rng.IntN(20) == 0 {
					x[i] = simdtest.Specials[rng.IntN(len(simdtest.Specials))]
				}
			}
			y, first := simdtest.Randoms[float32](rng, m+shift)[shift:], rng.IntN(100)
			want, places := append([]float32{}, y...), make([]int32, m)
			at := append([]int32{}, places...)
			for r := range w.Rows {
				for c := range w.Cols {
					best := naiveMax(x, r*w.Step+stride*c, w.LD, size)
					want[r*w.Out+c], places[r*w.Out+c] = x[best], int32(first+best)
				}
			}
			k.Max(w, y, x)
			require.Equal(t, bitsOf(want), bitsOf(y), "%+v", w)
			k.Places(w, at, x, first)
			require.Equal(t, places, at, "%+v", w)
		}
	})
}

// The largest key of any columns has the place of the first of their largest elements, line by line.
func TestKeysOfColumnsHaveTheOrderOfElements(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(18, 18))
		for range 400 {
			c := Columns{Lines: 1 + rng.IntN(5), Rows: rng.IntN(5), Cols: rng.IntN(70)}
			c.LD, c.Step = c.Cols+rng.IntN(4), rng.IntN(3*c.Cols+1)
			n, shift, first := max(c.Rows-1, 0)*c.Step+(c.Lines-1)*c.LD+c.Cols, rng.IntN(4), rng.IntN(100)
			x := simdtest.Randoms[float32](rng, n+shift)[shift:]
			for i := range x {
				switch rng.IntN(8) {
				case 0:
					x[i] = simdtest.Specials[rng.IntN(len(simdtest.Specials))]
				case 1, 2, 3, 4:
					x[i] = float32(rng.IntN(4)) - 2
				case 5:
					x[i] = float32(math.Copysign(0, -1))
				}
			}
			keys := make([]int64, c.Rows*c.Cols+1)
			k.Best(c, keys, x, first)
			require.Zero(t, keys[c.Rows*c.Cols])
			for r := range c.Rows {
				for lo := range c.Cols {
					hi := lo + 1 + rng.IntN(c.Cols-lo)
					places := []int{}
					for a := range c.Lines {
						for i := lo; i < hi; i++ {
							places = append(places, r*c.Step+a*c.LD+i)
						}
					}
					best := places[0]
					for _, p := range places {
						if x[best] == x[best] && (x[p] > x[best] || x[p] != x[p]) {
							best = p
						}
					}
					require.EqualValues(t, first+best, PlaceOf(slices.Max(keys[r*c.Cols+lo:r*c.Cols+hi])), "%+v: columns %d to %d of row %d", c, lo, hi, r)
				}
			}
		}
	})
}

func TestMaxPoolScatterFollowsDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(17, 17))
		for range 300 {
			w := Windows{Size: 2, Stride: 2, Rows: 1 + rng.IntN(6), Cols: 1 + rng.IntN(45)}
			w.LD = 2*w.Cols + rng.IntN(3)
			w.Step, w.Out = 2*w.LD+rng.IntN(3), w.Cols+rng.IntN(3)
			n := (w.Rows-1)*w.Step + w.LD + 2*w.Cols
			x, dx, dy := make([]float32, n), simdtest.Randoms[float32](rng, n), simdtest.Randoms[float32](rng, w.Rows*w.Out)
			for i := range x {
				x[i] = float32(rng.IntN(3))
				if rng.IntN(20) == 0 {
					x[i] = simdtest.Specials[rng.IntN(len(simdtest.Specials))]
				}
			}
			want := append([]float32{}, dx...)
			for r := range w.Rows {
				for c := range w.Cols {
					at := r*w.Step + 2*c
					for _, i := range []int{at, at + 1, at + w.LD, at + w.LD + 1} {
						want[i] = 0
					}
					want[naiveMax(x, at, w.LD, 2)] = dy[r*w.Out+c]
				}
			}
			k.Scatter(w, dx, x, dy)
			require.Equal(t, bitsOf(want), bitsOf(dx), "%+v", w)
		}
	})
}

func TestPoolingRefusesShortSlices(t *testing.T) {
	k, w := best(), Windows{Size: 3, Stride: 2, Rows: 2, Cols: 3, LD: 7, Step: 14, Out: 3}
	x, y := make([]float32, 14+14+7), make([]float32, 6)
	require.NotPanics(t, func() { k.Max(w, y, x) })
	require.Panics(t, func() { k.Max(w, y, x[1:]) })
	require.Panics(t, func() { k.Max(w, y[1:], x) })
	require.Panics(t, func() { k.Scatter(w, x, x, y) })
	c, keys := Columns{Lines: 2, Rows: 2, Cols: 5, LD: 5, Step: 10}, make([]int64, 10)
	require.NotPanics(t, func() { k.Best(c, keys, x[:20], 0) })
	require.Panics(t, func() { k.Best(c, keys, x[:19], 0) })
	require.Panics(t, func() { k.Best(c, keys[1:], x, 0) })
	c.Lines = 0
	require.Panics(t, func() { k.Best(c, keys, x, 0) })
}

// BenchmarkMaxPool is LeNet's first pooling of 64 images, AlexNet's of 4, and one of 5×5 next to each other.
func BenchmarkMaxPool(b *testing.B) {
	lenet := Windows{Size: 2, Stride: 2, Rows: 64 * 6 * 14, Cols: 14, LD: 28, Step: 56, Out: 14}
	alexnet := Windows{Size: 3, Stride: 2, Rows: 4 * 64 * 27, Cols: 27, LD: 55, Step: 110, Out: 27}
	wide := Windows{Size: 5, Stride: 1, Rows: 16 * 24, Cols: 24, LD: 28, Step: 28, Out: 24}
	for _, w := range []Windows{lenet, alexnet, wide} {
		x, y := make([]float32, (w.Rows+w.Size)*w.Step), make([]float32, w.Rows*w.Out)
		at, dx := make([]int32, len(y)), make([]float32, len(x))
		for _, l := range isa.Levels() {
			run := func(name string, f func(k *Kernels)) {
				b.Run(fmt.Sprintf("%s%d/%v", name, w.Size, l), func(b *testing.B) {
					for b.Loop() {
						f(with(l))
					}
				})
			}
			run("forward", func(k *Kernels) { k.Max(w, y, x) })
			run("places", func(k *Kernels) { k.Places(w, at, x, 0) })
			if w.Size == 2 {
				run("scatter", func(k *Kernels) { k.Scatter(w, dx, x, y) })
			}
		}
	}
}
