package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// Filters packed beforehand give the same bits, with no more scratch memory than is asked for.
func TestPackedFiltersInLanesGiveTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	op := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	x, w, y := shape.F32(2, 6, 9, 8, 16), shape.F32(5, 6, 3, 2), shape.F32(2, 5, 7, 7, 16)
	for name, bind := range map[string]func() (engine.Bound, []shape.Type, shape.Type){
		"forward": func() (engine.Bound, []shape.Type, shape.Type) {
			b, err := New().BindConv2D(op, []shape.Type{x, w}, y)
			require.NoError(t, err)
			return b, []shape.Type{x, w}, y
		},
		"input gradient": func() (engine.Bound, []shape.Type, shape.Type) {
			b, err := New().BindConv2DInputGrad(op, []shape.Type{y, w}, x)
			require.NoError(t, err)
			return b, []shape.Type{y, w}, x
		},
	} {
		b, in, out := bind()
		c := &engine.Call{In: []engine.Buffer{random(r, in[0]), random(r, in[1])}, Out: []engine.Buffer{newBuffer(out)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
		require.NoError(t, b.Kernel(c), name)
		want := append([]byte{}, c.Out[0].Bytes()...)

		p := b.Packing
		require.Equal(t, 1, p.In, name)
		packed := engine.Aligned(p.Bytes)
		require.NoError(t, p.Kernel(&engine.Call{In: c.In[1:], Out: []engine.Buffer{engine.BufferAt(packed, shape.Uint8, p.Bytes)}, Scratch: engine.BufferOf(engine.Aligned(p.Scratch))}), name)
		c.Packed, c.Scratch = engine.BufferOf(packed), engine.BufferOf(engine.Aligned(p.Rest))
		clear(c.Out[0].Bytes())
		require.NoError(t, b.Kernel(c), name)
		require.Equal(t, want, c.Out[0].Bytes(), name)
	}
}

func TestPrefersLanesWhereTheyAreFaster(t *testing.T) {
	for _, c := range []struct {
		name                            string
		batch, channels, filters, image int
		kernel, pad                     int
		want                            bool
	}{
		{"LeNet's first", 64, 1, 6, 28, 5, 2, true},
		{"LeNet's second", 16, 6, 16, 14, 5, 0, true},
		{"few channels", 32, 3, 32, 32, 3, 1, true},
		{"a batch that does not fill lanes", 24, 1, 6, 28, 5, 2, false},
		{"an empty batch", 0, 1, 6, 28, 5, 2, false},
		{"Winograd's", 64, 32, 64, 16, 3, 1, false},
		{"large images", 16, 3, 64, 64, 7, 3, false},
		{"AlexNet's second", 16, 64, 192, 27, 5, 2, false},
	} {
		op := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{c.pad, c.pad}, {c.pad, c.pad}}, Groups: 1}
		side := c.image + 2*c.pad - c.kernel + 1
		of := func(dims ...int) shape.Type {
			return shape.Type{DType: shape.Float32, Shape: shape.OfInts(dims...)}
		}
		x, w, y := of(c.batch, c.channels, c.image, c.image), of(c.filters, c.channels, c.kernel, c.kernel), of(c.batch, c.filters, side, side)
		for _, level := range isa.Levels() {
			e := Engine{simd: simd.With(level)}
			require.Equal(t, c.want && level != isa.Generic, e.PrefersLanes(op, x, w, y), "%s, %v", c.name, level)
		}
		x.DType = shape.Float64
		require.False(t, New().PrefersLanes(op, x, w, y), c.name)
	}
}

// Types that are not in lanes as they should be are refused, not misread.
func TestTypesInLanesAreChecked(t *testing.T) {
	e, op := New(), engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	p := engine.Pool2D{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}}
	x, w, y, half := shape.F32(1, 2, 4, 4, 16), shape.F32(3, 2, 1, 1), shape.F32(1, 3, 4, 4, 16), shape.F32(1, 2, 2, 2, 16)
	wrong := []shape.Type{shape.F32(2, 2, 4, 4, 8), shape.F64(1, 2, 4, 4, 16), shape.F32(16, 2, 4, 4)}
	for _, bad := range wrong {
		_, err := e.BindConv2D(op, []shape.Type{x, w}, bad)
		require.Error(t, err)
		_, err = e.BindConv2DInputGrad(op, []shape.Type{y, w}, bad)
		require.Error(t, err)
		_, err = e.BindConv2DFilterGrad(op, []shape.Type{x, bad}, w)
		require.Error(t, err)
		_, err = e.BindMaxPool2D(p, []shape.Type{x}, bad)
		require.Error(t, err)
		_, err = e.BindMaxPool2DScatter(p, []shape.Type{x, bad}, x)
		require.Error(t, err)
		_, err = e.BindAvgPool2D(p, []shape.Type{x}, bad)
		require.Error(t, err)
		_, err = e.BindAvgPool2DGrad(p, []shape.Type{half}, bad)
		require.Error(t, err)
	}
}
