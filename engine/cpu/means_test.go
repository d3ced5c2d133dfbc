package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// TestMeansOfLargeWindowsLoseLittle: pooling whole images and parts of them, dilated, at a border
// and of one row or column, in rows and interleaved at every level, of equal numbers, whose
// roundings have one sign, and of random ones.
func TestMeansOfLargeWindowsLoseLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	for _, c := range []struct {
		h, w int
		engine.Pool2D
	}{
		{512, 512, attributes(512, 512, 1)}, {28, 28, attributes(28, 28, 1)}, {130, 131, attributes(64, 64, 33)}, {1, 10_007, attributes(1, 10_007, 1)},
		{9001, 1, attributes(9001, 1, 1)}, {40, 300, attributes(20, 129, 9)}, {9, 8, attributes(8, 8, 1)}, {13, 13, attributes(9, 9, 2)},
		{100, 100, engine.Pool2D{Kernel: [2]int{49, 31}, Stride: [2]int{1, 5}, Dilation: [2]int{2, 3}}},
		{40, 50, engine.Pool2D{Kernel: [2]int{30, 30}, Stride: [2]int{15, 15}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{15, 15}, {7, 15}}}},
		{40, 50, engine.Pool2D{Kernel: [2]int{30, 30}, Stride: [2]int{15, 15}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{15, 15}, {7, 15}}, CountPad: true}},
	} {
		for _, lanes := range []int{1, interleaved.Images} {
			x, y := pooled(c.h, c.w, c.Pool2D)
			for name, draw := range map[string]func() float32{"equal": func() float32 { return .1 }, "random": r.Float32} {
				images := make([]float32, lanes*x.Len())
				for i := range images {
					images[i] = draw()
				}
				for _, level := range isa.Levels() {
					of := fmt.Sprintf("%s numbers, %v of %v, in %d lanes at level %v", name, c.Pool2D, x, lanes, level)
					requireMeans(t, New(AtLevel(level)), of, c.Pool2D, x, y, images)
				}
			}
		}
	}
}

func attributes(rows, cols, stride int) engine.Pool2D {
	return engine.Pool2D{Kernel: [2]int{rows, cols}, Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}}
}

// pooled returns the types of an image and of what it is pooled to.
func pooled(h, w int, p engine.Pool2D) (x, y shape.Type) {
	out := [2]int{h, w}
	for i, n := range out {
		out[i] = (n+p.Pad[i][0]+p.Pad[i][1]-p.Dilation[i]*(p.Kernel[i]-1)-1)/p.Stride[i] + 1
	}
	return shape.F32(1, 1, shape.Dim(h), shape.Dim(w)), shape.F32(1, 1, shape.Dim(out[0]), shape.Dim(out[1]))
}

// requireMeans compares with the means that ref computes of the same images in float64.
func requireMeans(t *testing.T, e Engine, of string, p engine.Pool2D, x, y shape.Type, images []float32) {
	lanes := len(images) / x.Len()
	given, got := x, y
	if lanes > 1 {
		given, got = x.Of(x.Insert(4, shape.Dim(lanes))), y.Of(y.Insert(4, shape.Dim(lanes)))
	}
	means := engine.Slice[float32](run(t, func() (engine.Bound, error) {
		return e.BindAvgPool2D(p, storedAll(given), stored(got))
	}, []engine.Buffer{engine.BufferOf(images)}, got))
	x.DType, y.DType = shape.Float64, shape.Float64
	for lane := range lanes {
		image := newBuffer(x)
		for i := range engine.Slice[float64](image) {
			engine.Slice[float64](image)[i] = float64(images[i*lanes+lane])
		}
		want := run(t, func() (engine.Bound, error) { return e.Engine.BindAvgPool2D(p, storedAll(x), stored(y)) }, []engine.Buffer{image}, y)
		for i, w := range engine.Slice[float64](want) {
			require.InEpsilon(t, w, means[i*lanes+lane], 2e-6, "%s: mean %d of lane %d", of, i, lane)
		}
	}
}
