package ref_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

type convCase struct {
	attrs engine.Conv2D
	x, w  image
}

func (c convCase) String() string {
	return fmt.Sprintf("%+v x (%d,%d,%d,%d) w (%d,%d,%d,%d)", c.attrs, c.x.n, c.x.c, c.x.h, c.x.w, c.w.n, c.w.c, c.w.h, c.w.w)
}

// result returns zeros of the extents of the convolution, or false where the filter does
// not fit.
func (c convCase) result() (image, bool) {
	p, a := c.x.padded(c.attrs.Pad, 0), c.attrs
	h := p.h - a.Dilation[0]*(c.w.h-1)
	w := p.w - a.Dilation[1]*(c.w.w-1)
	if h < 1 || w < 1 {
		return image{}, false
	}
	return newImage(c.x.n, c.w.n, (h+a.Stride[0]-1)/a.Stride[0], (w+a.Stride[1]-1)/a.Stride[1]), true
}

// products calls f for every product that a convolution sums: with places in the padded
// image, the filter and the result.
func (c convCase) products(x, w, y image, f func(x, w, y *float64)) {
	a := c.attrs
	y.each(func(n, o, i, j int) {
		for k := range w.c {
			ch := o/(w.n/a.Groups)*w.c + k
			for u := range w.h {
				for v := range w.w {
					f(x.at(n, ch, i*a.Stride[0]+u*a.Dilation[0], j*a.Stride[1]+v*a.Dilation[1]), w.at(o, k, u, v), y.at(n, o, i, j))
				}
			}
		}
	})
}

// randomConv draws attributes and extents, odd ones on purpose.
func randomConv(r *rand.Rand) (c convCase) {
	a := &c.attrs
	for i := range 2 {
		a.Stride[i], a.Dilation[i] = 1+r.IntN(5), 1+r.IntN(3)
		a.Pad[i] = [2]int{r.IntN(6), r.IntN(6)}
		if r.IntN(2) == 0 {
			a.Pad[i] = [2]int{}
		}
	}
	a.Groups = 1 + r.IntN(3)
	in, out := 1+r.IntN(3), 1+r.IntN(3)
	c.x = newImage(r.IntN(4), a.Groups*in, 1+r.IntN(7), 1+r.IntN(7)).fill(r)
	c.w = newImage(a.Groups*out, in, 1+r.IntN(4), 1+r.IntN(4)).fill(r)
	return c
}

func TestConv2DOfPaddedCopies(t *testing.T) {
	t.Run("float32", testConv2D[float32])
	t.Run("float64", testConv2D[float64])
}

func testConv2D[T shape.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e, d := ref.Engine{}, shape.DTypeOf[T]()
	for cases := 0; cases < 400; {
		c := randomConv(r)
		y, ok := c.result()
		if !ok {
			continue
		}
		cases++
		xt, wt, yt := c.x.typ(d), c.w.typ(d), y.typ(d)
		c.products(c.x.padded(c.attrs.Pad, 0), c.w, y, func(x, w, y *float64) { *y += *x * *w })
		b, err := e.BindConv2D(c.attrs, engine.InRows(xt, wt), engine.InRow(yt))
		agree(t, y.v, runs[T](t, b, err, len(y.v), c.x.v, c.w.v), c)

		dy := newImage(y.n, y.c, y.h, y.w).fill(r)
		dx := newImage(c.x.n, c.x.c, c.x.h, c.x.w).padded(c.attrs.Pad, 0)
		c.products(dx, c.w, dy, func(dx, w, dy *float64) { *dx += *w * *dy })
		dx = dx.cropped(c.attrs.Pad)
		b, err = e.BindConv2DInputGrad(c.attrs, engine.InRows(yt, wt), engine.InRow(xt))
		agree(t, dx.v, runs[T](t, b, err, len(dx.v), dy.v, c.w.v), c)

		dw := newImage(c.w.n, c.w.c, c.w.h, c.w.w)
		c.products(c.x.padded(c.attrs.Pad, 0), dw, dy, func(x, dw, dy *float64) { *dw += *x * *dy })
		b, err = e.BindConv2DFilterGrad(c.attrs, engine.InRows(xt, yt), engine.InRow(wt))
		agree(t, dw.v, runs[T](t, b, err, len(dw.v), c.x.v, dy.v), c)

		require.InDelta(t, inner(y.v, dy.v), inner(c.x.v, dx.v), 1e-9, c) // the expectations are adjoint
		require.InDelta(t, inner(y.v, dy.v), inner(c.w.v, dw.v), 1e-9, c)
	}
}

func TestConv2DEpilogueHasTheBitsOfSeparateOps(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	e := ref.Engine{}
	x, w, bias := newImage(2, 3, 5, 5).fill(r), newImage(4, 3, 3, 3).fill(r), newImage(1, 4, 1, 1).fill(r)
	attrs := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	xt, wt, yt := x.typ(shape.Float32), w.typ(shape.Float32), shape.F32(2, 4, 3, 3)
	b, err := e.BindConv2D(attrs, engine.InRows(xt, wt), engine.InRow(yt))
	plain := runs[float32](t, b, err, yt.Len(), x.v, w.v)
	for _, ep := range []engine.Epilogue{{Bias: true}, {ReLU: true}, {Bias: true, ReLU: true}} {
		require.True(t, e.Fuses(ep))
		want := append([]float32(nil), plain...)
		types, in := []shape.Type{xt, wt}, [][]float64{x.v, w.v}
		if ep.Bias {
			types, in = append(types, shape.F32(4)), append(in, bias.v)
		}
		for i := range want {
			if ep.Bias {
				want[i] += float32(bias.v[i/9%4])
			}
			if ep.ReLU {
				want[i] = max(want[i], 0)
			}
		}
		attrs.Epilogue = ep
		b, err := e.BindConv2D(attrs, engine.InRows(types...), engine.InRow(yt))
		require.Equal(t, want, runs[float32](t, b, err, yt.Len(), in...), ep)
	}
}

func TestConv2DKeepsNaNAndInf(t *testing.T) {
	e := ref.Engine{}
	attrs := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1, Epilogue: engine.Epilogue{ReLU: true}}
	one := shape.F64(1, 1, 1, 1)
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		b, err := e.BindConv2D(attrs, engine.InRows(one, one), engine.InRow(one))
		y := runs[float64](t, b, err, 1, []float64{x}, []float64{0}) // Inf*0 is NaN
		require.True(t, math.IsNaN(y[0]), y)
	}
}

func TestFloat32SumsAreKeptInFloat64(t *testing.T) {
	e := ref.Engine{}
	v := []float64{1 << 30, 1, -(1 << 30)}
	ones := []float64{1, 1, 1}
	row := shape.F32(1, 1, 1, 3)
	attrs := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	b, err := e.BindConv2D(attrs, engine.InRows(row, row), engine.InRow(shape.F32(1, 1, 1, 1)))
	require.Equal(t, []float32{1}, runs[float32](t, b, err, 1, v, ones))
	b, err = e.BindMatMul(engine.MatMul{}, engine.InRows(shape.F32(1, 3), shape.F32(3, 1)), engine.InRow(shape.F32(1, 1)))
	require.Equal(t, []float32{1}, runs[float32](t, b, err, 1, v, ones))
}
