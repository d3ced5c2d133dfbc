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

type poolCase struct {
	attrs engine.Pool2D
	ceil  bool
	x     image
}

func (c poolCase) String() string {
	return fmt.Sprintf("%+v ceil %v x (%d,%d,%d,%d)", c.attrs, c.ceil, c.x.n, c.x.c, c.x.h, c.x.w)
}

// result returns zeros of the extents of the pooled image: windows are counted one by one.
func (c poolCase) result() image {
	a := c.attrs
	count := func(i, in int) (n int) {
		for start := 0; ; start += a.Stride[i] {
			end := start + a.Dilation[i]*(a.Kernel[i]-1) // last element
			fits := end < a.Pad[i][0]+in+a.Pad[i][1]
			if c.ceil { // some of it is in the padded image, and it starts before the padding at the end
				before := start - a.Stride[i] + a.Dilation[i]*(a.Kernel[i]-1)
				fits = fits || before < a.Pad[i][0]+in+a.Pad[i][1]-1 && start < a.Pad[i][0]+in
			}
			if !fits {
				return n
			}
			n++
		}
	}
	return newImage(c.x.n, c.x.c, count(0, c.x.h), count(1, c.x.w))
}

// place is an element of a window.
type place struct {
	i, j   int  // in the image
	inside bool // else it is padding
	beyond bool // it is beyond the padding
}

// window lists the elements of window (i, j) in row-major order.
func (c poolCase) window(i, j int) (all []place) {
	a := c.attrs
	for u := range a.Kernel[0] {
		for v := range a.Kernel[1] {
			p := place{i: i*a.Stride[0] + u*a.Dilation[0] - a.Pad[0][0], j: j*a.Stride[1] + v*a.Dilation[1] - a.Pad[1][0]}
			p.inside = p.i >= 0 && p.i < c.x.h && p.j >= 0 && p.j < c.x.w
			p.beyond = p.i >= c.x.h+a.Pad[0][1] || p.j >= c.x.w+a.Pad[1][1]
			all = append(all, p)
		}
	}
	return all
}

// winner is the first largest element in the image, or false.
func (c poolCase) winner(n, ch, i, j int) (best place, ok bool) {
	for _, p := range c.window(i, j) {
		if p.inside && (!ok || *c.x.at(n, ch, p.i, p.j) > *c.x.at(n, ch, best.i, best.j)) {
			best, ok = p, true
		}
	}
	return best, ok
}

func randomPool(r *rand.Rand) (c poolCase) {
	a := &c.attrs
	for i := range 2 {
		a.Kernel[i], a.Stride[i], a.Dilation[i] = 1+r.IntN(4), 1+r.IntN(5), 1+r.IntN(3)
		a.Pad[i] = [2]int{r.IntN(4), r.IntN(4)}
		if r.IntN(2) == 0 {
			a.Pad[i] = [2]int{}
		}
	}
	a.CountPad, c.ceil = r.IntN(2) == 0, r.IntN(2) == 0
	c.x = newImage(r.IntN(3), 1+r.IntN(3), 1+r.IntN(8), 1+r.IntN(8)).fillTies(r)
	return c
}

func TestPool2DOfListedWindows(t *testing.T) {
	t.Run("float32", testPool2D[float32])
	t.Run("float64", testPool2D[float64])
}

func testPool2D[T shape.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	e, d := ref.Engine{}, shape.DTypeOf[T]()
	for cases := 0; cases < 400; {
		c := randomPool(r)
		y := c.result()
		if y.h*y.w == 0 {
			continue
		}
		cases++
		testMaxPool[T](t, e, c, r, c.x.typ(d), y.typ(d))
		testAvgPool[T](t, e, c, r, c.x.typ(d), y.typ(d))
	}
}

func testMaxPool[T shape.Float](t *testing.T, e ref.Engine, c poolCase, r *rand.Rand, xt, yt shape.Type) {
	maxima, gathered, v := c.result(), c.result(), newImage(c.x.n, c.x.c, c.x.h, c.x.w).fill(r)
	dy, dx := c.result().fill(r), newImage(c.x.n, c.x.c, c.x.h, c.x.w)
	maxima.each(func(n, ch, i, j int) {
		*maxima.at(n, ch, i, j) = math.Inf(-1)
		if p, ok := c.winner(n, ch, i, j); ok {
			*maxima.at(n, ch, i, j) = *c.x.at(n, ch, p.i, p.j)
			*gathered.at(n, ch, i, j) = *v.at(n, ch, p.i, p.j)
			*dx.at(n, ch, p.i, p.j) += *dy.at(n, ch, i, j)
		}
	})
	b, err := e.BindMaxPool2D(c.attrs, engine.InRows(xt), engine.InRow(yt))
	agree(t, maxima.v, runs[T](t, b, err, yt.Len(), c.x.v), c)
	b, err = e.BindMaxPool2DGather(c.attrs, engine.InRows(xt, xt), engine.InRow(yt))
	agree(t, gathered.v, runs[T](t, b, err, yt.Len(), c.x.v, v.v), c)
	b, err = e.BindMaxPool2DScatter(c.attrs, engine.InRows(xt, yt), engine.InRow(xt))
	agree(t, dx.v, runs[T](t, b, err, xt.Len(), c.x.v, dy.v), c)
	require.InDelta(t, inner(gathered.v, dy.v), inner(v.v, dx.v), 1e-9, c)
}

func testAvgPool[T shape.Float](t *testing.T, e ref.Engine, c poolCase, r *rand.Rand, xt, yt shape.Type) {
	means, dy, dx := c.result(), c.result().fill(r), newImage(c.x.n, c.x.c, c.x.h, c.x.w)
	means.each(func(n, ch, i, j int) {
		count := 0.0
		for _, p := range c.window(i, j) {
			if p.inside || c.attrs.CountPad && !p.beyond {
				count++
			}
		}
		for _, p := range c.window(i, j) {
			if p.inside {
				*means.at(n, ch, i, j) += *c.x.at(n, ch, p.i, p.j) / count
				*dx.at(n, ch, p.i, p.j) += *dy.at(n, ch, i, j) / count
			}
		}
	})
	b, err := e.BindAvgPool2D(c.attrs, engine.InRows(xt), engine.InRow(yt))
	agree(t, means.v, runs[T](t, b, err, yt.Len(), c.x.v), c)
	b, err = e.BindAvgPool2DGrad(c.attrs, engine.InRows(yt), engine.InRow(xt))
	agree(t, dx.v, runs[T](t, b, err, xt.Len(), dy.v), c)
	require.InDelta(t, inner(means.v, dy.v), inner(c.x.v, dx.v), 1e-9, c)
}

func TestMaxPool2DLetsTheFirstNaNWin(t *testing.T) {
	e, nan := ref.Engine{}, math.NaN()
	p := engine.Pool2D{Kernel: [2]int{1, 4}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	xt, yt := shape.F64(1, 1, 1, 4), shape.F64(1, 1, 1, 1)
	for _, x := range [][]float64{{1, nan, 5, nan}, {math.Inf(1), nan, 7, 1}} {
		b, err := e.BindMaxPool2D(p, engine.InRows(xt), engine.InRow(yt))
		require.True(t, math.IsNaN(runs[float64](t, b, err, 1, x)[0]))
		b, err = e.BindMaxPool2DScatter(p, engine.InRows(xt, yt), engine.InRow(xt))
		require.Equal(t, []float64{0, 3, 0, 0}, runs[float64](t, b, err, 4, x, []float64{3}))
	}
	b, err := e.BindMaxPool2DScatter(p, engine.InRows(xt, yt), engine.InRow(xt))
	minus := math.Inf(-1)
	require.Equal(t, []float64{3, 0, 0, 0}, runs[float64](t, b, err, 4, []float64{minus, minus, minus, minus}, []float64{3}))
}
