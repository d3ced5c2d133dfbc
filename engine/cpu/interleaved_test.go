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

// stored is the operand whose memory has the row-major type t: of rank 5, interleaved images.
func stored(t shape.Type) engine.Operand {
	if t.Rank() != 5 {
		return engine.InRow(t)
	}
	return engine.Operand{Type: t.Of(t.Shape.With(0, shape.Dim(t.Int(0)*t.Int(4))).Drop(4)), Layout: engine.Interleaved(t.Int(4))}
}

func storedAll(ts ...shape.Type) (os []engine.Operand) {
	for _, t := range ts {
		os = append(os, stored(t))
	}
	return os
}

// Filters packed beforehand give the same bits, with no more scratch memory than is asked for.
func TestPackedFiltersOfInterleavedImagesGiveTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	op := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	x, w, y := shape.F32(2, 6, 9, 8, 16), shape.F32(5, 6, 3, 2), shape.F32(2, 5, 7, 7, 16)
	for name, bind := range map[string]func() (engine.Bound, []shape.Type, shape.Type){
		"forward": func() (engine.Bound, []shape.Type, shape.Type) {
			b, err := New().BindConv2D(op, storedAll(x, w), stored(y))
			require.NoError(t, err)
			return b, []shape.Type{x, w}, y
		},
		"input gradient": func() (engine.Bound, []shape.Type, shape.Type) {
			b, err := New().BindConv2DInputGrad(op, storedAll(y, w), stored(x))
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

func TestImagesAreInterleavedWhereThatIsFaster(t *testing.T) {
	for _, c := range []struct {
		name                            string
		batch, channels, filters, image int
		kernel, pad                     int
		want                            bool
	}{
		{"LeNet's first", 64, 1, 6, 28, 5, 2, true},
		{"LeNet's second", 16, 6, 16, 14, 5, 0, true},
		{"few channels", 32, 3, 32, 32, 3, 1, true},
		{"a batch that does not fill blocks", 24, 1, 6, 28, 5, 2, false},
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
			require.Equal(t, c.want && level != isa.Generic, e.prefersInterleaved(op, x, w, y), "%s, %v", c.name, level)
		}
		x.DType = shape.Float64
		require.False(t, New().prefersInterleaved(op, x, w, y), c.name)
	}
}

// The convolution, with what it took in or without, and both adjoints look at the same image,
// filters and result, so that all of them can be interleaved or none.
func TestAConvolutionAndItsAdjointsAgreeOnInterleaving(t *testing.T) {
	e, r := New(), rand.New(rand.NewPCG(7, 7))
	p := engine.Pool2D{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}}
	wins := 0
	for range 200 {
		op := engine.Conv2D{Stride: [2]int{1 + r.IntN(2), 1}, Dilation: [2]int{1, 1}, Groups: 1}
		n, c, o, side, k := 8*r.IntN(6), 1+r.IntN(80), 1+r.IntN(80), 6+r.IntN(30), 1+r.IntN(5)
		h := (side-k)/op.Stride[0] + 1
		of := func(dims ...int) shape.Type { return shape.Type{DType: shape.Float32, Shape: shape.OfInts(dims...)} }
		x, w, y := of(n, c, side, side), of(o, c, k, k), of(n, o, h, side-k+1)
		pooled := of(n, o, h/2, (side-k+1)/2)
		arranged := func(b engine.Bound, err error) []engine.Arrangement {
			require.NoError(t, err)
			return b.Arrangements
		}
		var image, both []engine.Arrangement
		if e.prefersInterleaved(op, x, w, y) {
			image = []engine.Arrangement{{In: engine.Images(byImages, 1, 2), Out: byImages, Wins: true}}
			both = []engine.Arrangement{{In: engine.Images(byImages, 2, 2), Wins: true}}
			wins++
		}
		require.Equal(t, image, arranged(e.BindConv2D(op, engine.InRows(x, w), engine.InRow(y))))
		require.Equal(t, image, arranged(e.BindConv2DMaxPool(op, p, engine.InRows(x, w), y, engine.InRow(pooled))))
		require.Equal(t, image, arranged(e.BindConv2DInputGrad(op, engine.InRows(y, w), engine.InRow(x))))
		require.Equal(t, both, arranged(e.BindConv2DFilterGrad(op, engine.InRows(x, y), engine.InRow(w))))
	}
	require.Equal(t, e.simd.Interleaved.Vector(), wins > 0)
}

// Operands that are not interleaved as they should be are refused, not misread.
func TestInterleavedOperandsAreChecked(t *testing.T) {
	e, op := New(), engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	p := engine.Pool2D{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}}
	x, w, y, half := shape.F32(1, 2, 4, 4, 16), shape.F32(3, 2, 1, 1), shape.F32(1, 3, 4, 4, 16), shape.F32(1, 2, 2, 2, 16)
	wrong := []shape.Type{shape.F32(2, 2, 4, 4, 8), shape.F64(1, 2, 4, 4, 16), shape.F32(16, 2, 4, 4)}
	for _, bad := range wrong {
		_, err := e.BindConv2D(op, storedAll(x, w), stored(bad))
		require.Error(t, err)
		_, err = e.BindConv2DInputGrad(op, storedAll(y, w), stored(bad))
		require.Error(t, err)
		_, err = e.BindConv2DFilterGrad(op, storedAll(x, bad), stored(w))
		require.Error(t, err)
		_, err = e.BindMaxPool2D(p, storedAll(x), stored(bad))
		require.Error(t, err)
		_, err = e.BindMaxPool2DScatter(p, storedAll(x, bad), stored(x))
		require.Error(t, err)
		_, err = e.BindAvgPool2D(p, storedAll(x), stored(bad))
		require.Error(t, err)
		_, err = e.BindAvgPool2DGrad(p, storedAll(half), stored(bad))
		require.Error(t, err)
	}
}
