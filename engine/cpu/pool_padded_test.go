package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// The places of maxima are those of windows that see no padding, also where nothing is more than the
// padding, and for NaN.
func TestMaximaBesidePadding(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		size := 2 + rng.IntN(5)
		p := engine.Pool2D{Kernel: [2]int{size, size}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
		for i := range p.Pad {
			p.Pad[i] = [2]int{rng.IntN(size + 2), rng.IntN(size + 2)}
		}
		h, w := size+rng.IntN(20), size+rng.IntN(40)
		x := shape.F32(1, 2, shape.Dim(h), shape.Dim(w))
		y := shape.F32(1, 2, shape.Dim(h+p.Pad[0][0]+p.Pad[0][1]-size+1), shape.Dim(w+p.Pad[1][0]+p.Pad[1][1]-size+1))
		image, dy := make([]float32, x.Len()), make([]float32, y.Len())
		for i := range image {
			image[i] = float32(math.Inf(-1))
			switch rng.IntN(12) {
			case 0:
				image[i] = float32(rng.IntN(3))
			case 1:
				image[i] = float32(math.NaN())
			}
		}
		for i := range dy {
			dy[i] = float32(1 + i%7)
		}
		run := func(e engine.MaxPooler) (maxima, dx []float32) {
			maxima, dx = make([]float32, len(dy)), make([]float32, len(image))
			b, err := e.BindMaxPool2D(p, engine.InRows(x), engine.InRow(y))
			require.NoError(t, err)
			c := &engine.Call{In: []engine.Buffer{engine.BufferOf(image)}, Out: []engine.Buffer{engine.BufferOf(maxima)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
			require.NoError(t, b.Kernel(c))
			b, err = e.BindMaxPool2DScatter(p, engine.InRows(x, y), engine.InRow(x))
			require.NoError(t, err)
			c = &engine.Call{In: []engine.Buffer{engine.BufferOf(image), engine.BufferOf(dy)}, Out: []engine.Buffer{engine.BufferOf(dx)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
			require.NoError(t, b.Kernel(c))
			return maxima, dx
		}
		wantMax, wantDx := run(ref.Engine{})
		for _, level := range isa.Levels() {
			gotMax, gotDx := run(New(AtLevel(level)))
			requireSame(t, wantMax, gotMax, "%v %+v", level, p)
			requireSame(t, wantDx, gotDx, "%v %+v", level, p)
		}
	}
}

// requireSame takes any NaN for any other.
func requireSame(t *testing.T, want, got []float32, format string, args ...any) {
	t.Helper()
	for i := range want {
		if want[i] != got[i] && (want[i] == want[i] || got[i] == got[i]) {
			require.Equal(t, want[i], got[i], append([]any{"element %d: " + format, i}, args...)...)
		}
	}
}
