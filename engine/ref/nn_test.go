package ref_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

// The expectations below are computed in float64 over tensors with their padding written
// out, by formulas that know no ranges of taps or windows.

// image is a tensor (N,C,H,W).
type image struct {
	n, c, h, w int
	v          []float64
}

func newImage(n, c, h, w int) image { return image{n, c, h, w, make([]float64, n*c*h*w)} }

func (x image) at(n, c, i, j int) *float64 { return &x.v[((n*x.c+c)*x.h+i)*x.w+j] }

func (x image) typ(d shape.DType) shape.Type {
	return shape.Type{DType: d, Shape: shape.OfInts(x.n, x.c, x.h, x.w)}
}

// each calls f for every index.
func (x image) each(f func(n, c, i, j int)) {
	for n := range x.n {
		for c := range x.c {
			for i := range x.h {
				for j := range x.w {
					f(n, c, i, j)
				}
			}
		}
	}
}

// padded returns x with rows and columns of a value around it.
func (x image) padded(pad [2][2]int, value float64) image {
	p := newImage(x.n, x.c, pad[0][0]+x.h+pad[0][1], pad[1][0]+x.w+pad[1][1])
	for i := range p.v {
		p.v[i] = value
	}
	x.each(func(n, c, i, j int) { *p.at(n, c, pad[0][0]+i, pad[1][0]+j) = *x.at(n, c, i, j) })
	return p
}

// cropped undoes padded.
func (x image) cropped(pad [2][2]int) image {
	p := newImage(x.n, x.c, x.h-pad[0][0]-pad[0][1], x.w-pad[1][0]-pad[1][1])
	p.each(func(n, c, i, j int) { *p.at(n, c, i, j) = *x.at(n, c, pad[0][0]+i, pad[1][0]+j) })
	return p
}

// fill sets x to random numbers, exact in float32.
func (x image) fill(r *rand.Rand) image {
	for i := range x.v {
		x.v[i] = float64(float32(r.NormFloat64()))
	}
	return x
}

// fillTies sets x to few different numbers.
func (x image) fillTies(r *rand.Rand) image {
	for i := range x.v {
		x.v[i] = float64(r.IntN(3) - 1)
	}
	return x
}

func inner(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func convert[T shape.Float](v []float64) []T {
	out := make([]T, len(v))
	for i := range v {
		out[i] = T(v[i])
	}
	return out
}

// call is a bound kernel with its memory, which holds garbage.
func call[T shape.Float](t *testing.T, b engine.Bound, err error, out int, in ...[]float64) (*engine.Call, []T) {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, "ref", b.By)
	y := make([]T, out)
	for i := range y {
		y[i] = T(math.NaN())
	}
	c := &engine.Call{Out: []engine.Buffer{engine.BufferOf(y)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	for i := range c.Scratch.Bytes() {
		c.Scratch.Bytes()[i] = 0xff
	}
	for _, v := range in {
		c.In = append(c.In, engine.BufferOf(convert[T](v)))
	}
	return c, y
}

// runs binds and runs a kernel on inputs.
func runs[T shape.Float](t *testing.T, b engine.Bound, err error, out int, in ...[]float64) []T {
	t.Helper()
	c, y := call[T](t, b, err, out, in...)
	require.NoError(t, b.Kernel(c))
	return y
}

// agree compares up to a rounding to T.
func agree[T shape.Float](t *testing.T, want []float64, got []T, msg ...any) {
	t.Helper()
	eps := 1e-7
	if shape.DTypeOf[T]() == shape.Float64 {
		eps = 1e-13
	}
	require.Len(t, got, len(want), msg...)
	for i := range want {
		if want[i] == float64(got[i]) { // infinities too
			continue
		}
		if !(math.Abs(want[i]-float64(got[i])) <= eps*(1+math.Abs(want[i]))) {
			require.Equal(t, want[i], float64(got[i]), msg...)
		}
	}
}

func TestKernelsAllocateNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e := ref.Engine{}
	conv := convCase{attrs: engine.Conv2D{Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Pad: [2][2]int{{1, 0}, {2, 1}}, Groups: 2},
		x: newImage(2, 4, 5, 6).fill(r), w: newImage(6, 2, 3, 2).fill(r)}
	y, _ := conv.result()
	pool := poolCase{attrs: engine.Pool2D{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Pad: [2][2]int{{1, 1}, {0, 1}}}, x: conv.x}
	p := pool.result()
	xt, wt, yt, pt := conv.x.typ(shape.Float32), conv.w.typ(shape.Float32), y.typ(shape.Float32), p.typ(shape.Float32)

	for name, bind := range map[string]func() (engine.Bound, int, [][]float64, error){
		"Conv2D": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindConv2D(conv.attrs, engine.InRows(xt, wt), engine.InRow(yt))
			return b, len(y.v), [][]float64{conv.x.v, conv.w.v}, err
		},
		"Conv2DInputGrad": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindConv2DInputGrad(conv.attrs, engine.InRows(yt, wt), engine.InRow(xt))
			return b, len(conv.x.v), [][]float64{y.v, conv.w.v}, err
		},
		"Conv2DFilterGrad": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindConv2DFilterGrad(conv.attrs, engine.InRows(xt, yt), engine.InRow(wt))
			return b, len(conv.w.v), [][]float64{conv.x.v, y.v}, err
		},
		"MaxPool2D": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindMaxPool2D(pool.attrs, engine.InRows(xt), engine.InRow(pt))
			return b, len(p.v), [][]float64{conv.x.v}, err
		},
		"MaxPool2DScatter": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindMaxPool2DScatter(pool.attrs, engine.InRows(xt, pt), engine.InRow(xt))
			return b, len(conv.x.v), [][]float64{conv.x.v, p.v}, err
		},
		"MaxPool2DGather": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindMaxPool2DGather(pool.attrs, engine.InRows(xt, xt), engine.InRow(pt))
			return b, len(p.v), [][]float64{conv.x.v, conv.x.v}, err
		},
		"AvgPool2D": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindAvgPool2D(pool.attrs, engine.InRows(xt), engine.InRow(pt))
			return b, len(p.v), [][]float64{conv.x.v}, err
		},
		"AvgPool2DGrad": func() (engine.Bound, int, [][]float64, error) {
			b, err := e.BindAvgPool2DGrad(pool.attrs, engine.InRows(pt), engine.InRow(xt))
			return b, len(conv.x.v), [][]float64{p.v}, err
		},
		"MatMul": func() (engine.Bound, int, [][]float64, error) {
			a, o := shape.F32(2, 3, 40), shape.F32(2, 3, 3)
			b, err := e.BindMatMul(engine.MatMul{TransB: true}, engine.InRows(a, a), engine.InRow(o))
			return b, o.Len(), [][]float64{conv.x.v[:a.Len()], conv.x.v[:a.Len()]}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, n, in, err := bind()
			c, _ := call[float32](t, b, err, n, in...)
			require.Zero(t, allocs.PerRun(5, func() { _ = b.Kernel(c) }))
		})
	}
}

func TestIntegersAreRefused(t *testing.T) {
	e, i4, i2 := ref.Engine{}, shape.I32(1, 1, 1, 1), shape.I32(1, 1)
	p := engine.Pool2D{Kernel: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	_, err := e.BindConv2D(engine.Conv2D{Stride: p.Stride, Dilation: p.Dilation, Groups: 1}, engine.InRows(i4, i4), engine.InRow(i4))
	require.ErrorContains(t, err, "engine ref has no Conv2D kernel")
	_, err = e.BindMaxPool2D(p, engine.InRows(i4), engine.InRow(i4))
	require.ErrorContains(t, err, "MaxPool2D")
	_, err = e.BindMatMul(engine.MatMul{}, engine.InRows(i2, i2), engine.InRow(i2))
	require.ErrorContains(t, err, "MatMul")
	_, err = e.BindMatMul(engine.MatMul{}, engine.InRows(shape.F32(1, 1), shape.F64(1, 1)), engine.InRow(shape.F32(1, 1)))
	require.ErrorContains(t, err, "MatMul")
}
