package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// What a convolution that pools gives is what the two kernels give one after the other, by every
// algorithm, and where some numbers are not finite.
func TestPoolingInAConvolutionKeepsTheBits(t *testing.T) {
	conv := func(pad, stride int) engine.Conv2D {
		return engine.Conv2D{Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{pad, pad}, {pad, pad}}, Groups: 1, Epilogue: engine.Epilogue{Bias: true, ReLU: true}}
	}
	pool := func(kernel, stride, pad int) engine.Pool2D {
		return engine.Pool2D{Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{pad, pad}, {pad, pad}}}
	}
	for _, c := range []struct {
		conv    engine.Conv2D
		pool    engine.Pool2D
		x, w    shape.Type
		y, out  int // height and width
		alg     string
		special float32
	}{
		{conv(2, 1), pool(2, 2, 0), shape.F32(2, 1, 28, 28, 16), shape.F32(6, 1, 5, 5), 28, 14, "interleaved", 0},
		{conv(0, 1), pool(3, 2, 1), shape.F32(3, 6, 14, 14, 16), shape.F32(16, 6, 5, 5), 10, 5, "interleaved winograd", 0},
		{conv(0, 1), pool(3, 2, 1), shape.F32(3, 6, 14, 14, 16), shape.F32(16, 6, 5, 5), 10, 5, "interleaved winograd", float32(math.NaN())},
		{conv(0, 1), pool(3, 2, 1), shape.F32(3, 6, 14, 14, 16), shape.F32(16, 6, 5, 5), 10, 5, "interleaved winograd", float32(math.Inf(-1))},
		{conv(1, 2), pool(3, 2, 0), shape.F32(2, 4, 21, 21, 16), shape.F32(7, 4, 3, 3), 11, 5, "interleaved", float32(math.NaN())},
		{conv(2, 1), pool(3, 2, 0), shape.F32(shape.Dim(4*New().pool.Workers()), 3, 11, 11), shape.F32(3, 3, 5, 5), 11, 5, "direct", float32(math.NaN())},
		{conv(1, 1), pool(3, 2, 0), shape.F32(5, 64, 13, 13), shape.F32(64, 64, 3, 3), 13, 6, "winograd", 0},
		{conv(1, 1), pool(3, 2, 0), shape.F32(5, 64, 13, 13), shape.F32(64, 64, 3, 3), 13, 6, "winograd", float32(math.NaN())},
		{conv(1, 2), pool(3, 2, 1), shape.F32(2, 3, 81, 81), shape.F32(20, 3, 3, 3), 41, 21, "nhwc stem", float32(math.NaN())},
		{conv(1, 2), pool(1, 1, 9), shape.F32(1, 3, 81, 81), shape.F32(5, 3, 3, 3), 41, 59, "nhwc stem", 0}, // with strips that look only at padding
		{conv(3, 2), pool(3, 2, 1), shape.F32(1, 4, 63, 63), shape.F32(37, 4, 7, 7), 32, 16, "nhwc stem", float32(math.Inf(1))},
	} {
		t.Run(fmt.Sprintf("%s with %v", c.alg, c.special), func(t *testing.T) {
			e := New()
			if e.simd.Level == 0 {
				t.Skip("plain Go takes no algorithm of these")
			}
			rng := rand.New(rand.NewPCG(1, 2))
			in := []shape.Type{c.x, c.w, shape.F32(c.w.Dim(0))}
			y := c.x.Of(c.x.Shape.With(1, c.w.Dim(0)).With(2, shape.Dim(c.y)).With(3, shape.Dim(c.y)))
			out := y.Of(y.Shape.With(2, shape.Dim(c.out)).With(3, shape.Dim(c.out)))
			var args []engine.Buffer
			for _, t := range in {
				v := make([]float32, t.Len())
				for i := range v {
					v[i] = float32(rng.NormFloat64())
				}
				args = append(args, engine.BufferOf(v))
			}
			engine.Slice[float32](args[0])[c.x.Len()/3] *= 1 + c.special
			run := func(b engine.Bound, err error, out shape.Type, in ...engine.Buffer) engine.Buffer {
				require.NoError(t, err)
				to := engine.BufferAt(engine.Aligned(out.Bytes()), out.DType, out.Len())
				require.NoError(t, b.Kernel(&engine.Call{In: in, Out: []engine.Buffer{to}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}))
				return to
			}
			stored := stored
			if c.alg == stemAlg {
				stored = func(t shape.Type) engine.Operand { return engine.Operand{Type: t, Layout: channelsLast} }
			}
			b, err := e.BindConv2D(c.conv, storedAll(in...), stored(y))
			require.Equal(t, c.alg, b.Alg)
			results := run(b, err, y, args...)
			b, err = e.BindMaxPool2D(c.pool, []engine.Operand{stored(y)}, stored(out))
			want := run(b, err, out, results)
			b, err = e.BindConv2DMaxPool(c.conv, c.pool, storedAll(in...), stored(y).Type, stored(out))
			require.Equal(t, c.alg, b.Alg)
			require.Equal(t, want.Bytes(), run(b, err, out, args...).Bytes())
		})
	}
}
