package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// pooling is a pooling of known extents.
type pooling struct {
	engine.Pool2D
	planes int
	window.Window
}

func poolOf(p engine.Pool2D, x, y shape.Type) *pooling {
	return &pooling{p, x.Int(0) * x.Int(1), poolWindow(p, x, y)}
}

func (p *pooling) xPlane() int { return p.H * p.W }
func (p *pooling) yPlane() int { return p.Cols() }

// argmaxRow sets at to the places of the maxima of a row of windows in the plane x, -1 where a
// window holds only padding. numbers says that there is no NaN.
func argmaxRow[T shape.Float](p *pooling, at []int32, x []T, i int, numbers bool) {
	rows := p.Vertical().Taps(i)
	lo, hi := p.Horizontal().Whole()
	first := rows.At*p.W + lo*p.Stride[1] - p.Pad[1][0]
	switch {
	case !numbers || rows.N < p.Kernel[0] || p.Dilation != [2]int{1, 1}:
		lo, hi = 0, 0
	case p.Kernel == [2]int{2, 2}:
		argmax2x2(at[lo:hi], x, first, p.Stride[1], p.W)
	case p.Kernel == [2]int{3, 3}:
		argmax3x3(at[lo:hi], x, first, p.Stride[1], p.W)
	default:
		lo, hi = 0, 0
	}
	for j := range at {
		if j < lo || j >= hi {
			at[j] = argmax(x, rows, p.Horizontal().Taps(j), p.W)
		}
	}
}

// argmax2x2 is argmaxRow for windows of 2 by 2 within the image, from first on, stride apart.
// Places are computed from comparisons, without branches, which could not be foreseen.
func argmax2x2[T shape.Float](at []int32, x []T, first, stride, width int) {
	for j := range at {
		up := first + j*stride
		low := up + width
		up += one(x[up+1] > x[up])
		low += one(x[low+1] > x[low])
		at[j] = int32(up + one(x[low] > x[up])*(low-up))
	}
}

// argmax3x3 is the same for windows of 3 by 3.
func argmax3x3[T shape.Float](at []int32, x []T, first, stride, width int) {
	for j := range at {
		k := first + j*stride
		best := argmax3(x, k)
		for row := k + width; row <= k+2*width; row += width {
			m := argmax3(x, row)
			best += one(x[m] > x[best]) * (m - best)
		}
		at[j] = int32(best)
	}
}

// argmax3 is the place of the first greatest of three numbers from k on.
func argmax3[T shape.Float](x []T, k int) int {
	m := k + one(x[k+1] > x[k])
	return m + one(x[k+2] > x[m])*(k+2-m)
}

// numbers reports whether x holds no NaN.
func numbers[T shape.Float](x []T) bool {
	for _, v := range x {
		if v != v {
			return false
		}
	}
	return true
}

// one is 1 where the condition holds, and 0 elsewhere.
func one(condition bool) int {
	n := 0
	if condition {
		n = 1
	}
	return n
}

// argmax is the place of the maximum of one window: the first of equal ones, a NaN before
// any number.
func argmax[T shape.Float](x []T, rows, cols window.Span, width int) int32 {
	best := -1
	for a := range rows.N {
		k := (rows.At+a*rows.Step)*width + cols.At
		for range cols.N {
			if best < 0 || !(x[k] <= x[best]) && x[best] == x[best] {
				best = k
			}
			k += cols.Step
		}
	}
	return int32(best)
}

// windowCost is about the time to look at a window, in nanoseconds.
func (p *pooling) windowCost() int { return 2 + p.KH*p.KW }

// eachPlane returns the kernel that calls f for every plane, with the places of the maxima of
// its windows.
func eachPlane[T shape.Float](e Engine, p *pooling, f func(c *engine.Call, plane int, at []int32)) engine.Bound {
	var places region[int32]
	finder := finderOf[T](e, p)
	planes := e.newLoop(p.planes, finder.cost, func(c *engine.Call, slot, lo, hi int) {
		at, x := places.of(c, slot), engine.Slice[T](c.In[0])
		for n := lo; n < hi; n++ {
			finder.find(c, slot, at, nth(x, n, p.xPlane()))
			f(c, n, at)
		}
	})
	var l layout
	places = reserve[int32](&l, planes.slots, p.yPlane())
	finder.reserve(&l, planes.slots)
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name}
}

// nth returns the n-th stretch of that size.
func nth[T any](v []T, n, size int) []T { return v[n*size:][:size] }

// BindMaxPool2D implements [engine.MaxPooler].
func (e Engine) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch in[0].Layout {
	case byImages:
		return e.interleavedMaxPool(p, in, out)
	case channelsLast:
		return e.nhwcPool(p, in, out, nil, (*nhwc.Pool).Max)
	}
	if vast(in, out) {
		return e.Engine.BindMaxPool2D(p, in, out)
	}
	b, err := e.maxPoolInRows(p, in, out)
	if err != nil {
		return b, err
	}
	return e.arranged(e.arranged(b, byImages, 0, 1, in, out), channelsLast, 0, 1, in, out), nil
}

func (e Engine) maxPoolInRows(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.xPlane() > math.MaxInt32:
	case out.DType == shape.Float32:
		if w, ok := g.padded(); ok {
			return w.maxima(e), nil
		}
		if w, ok := g.inner(); ok {
			return w.maxima(e), nil
		}
		return gather[float32](e, g, 0, float32(math.Inf(-1))), nil
	case out.DType == shape.Float64:
		return gather(e, g, 0, math.Inf(-1)), nil
	}
	return e.Engine.BindMaxPool2D(p, in, out)
}

// BindMaxPool2DGather implements [engine.MaxPooler].
func (e Engine) BindMaxPool2DGather(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.xPlane() > math.MaxInt32:
	case out.DType == shape.Float32:
		return gather[float32](e, g, 1, 0), nil
	case out.DType == shape.Float64:
		return gather[float64](e, g, 1, 0), nil
	}
	return e.Engine.BindMaxPool2DGather(p, in, out)
}

// gather gives the element of input from at the place of each maximum of input 0.
func gather[T shape.Float](e Engine, p *pooling, from int, none T) engine.Bound {
	return eachPlane[T](e, p, func(c *engine.Call, plane int, at []int32) {
		v := nth(engine.Slice[T](c.In[from]), plane, p.xPlane())
		y := nth(engine.Slice[T](c.Out[0]), plane, p.yPlane())
		for j, k := range at {
			y[j] = none
			if k >= 0 {
				y[j] = v[k]
			}
		}
	})
}

// BindMaxPool2DScatter implements [engine.MaxPooler].
func (e Engine) BindMaxPool2DScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Layout != engine.Rows {
		return e.interleavedScatter(p, in, out)
	}
	b, err := e.scatterInRows(p, in, out)
	if err != nil {
		return b, err
	}
	return e.arranged(b, byImages, 0, 2, in, out), nil
}

func (e Engine) scatterInRows(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, in[1].Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.xPlane() > math.MaxInt32:
	case out.DType == shape.Float32:
		if w, ok := g.inner(); ok && w.apart() {
			return w.scatter(e), nil
		}
		return scatter[float32](e, g), nil
	case out.DType == shape.Float64:
		return scatter[float64](e, g), nil
	}
	return e.Engine.BindMaxPool2DScatter(p, in, out)
}

func scatter[T shape.Float](e Engine, p *pooling) engine.Bound {
	return eachPlane[T](e, p, func(c *engine.Call, plane int, at []int32) {
		dx := nth(engine.Slice[T](c.Out[0]), plane, p.xPlane())
		x, dy := nth(engine.Slice[T](c.In[0]), plane, p.xPlane()), nth(engine.Slice[T](c.In[1]), plane, p.yPlane())
		clear(dx)
		for j, k := range at {
			if k >= 0 && p.passes(float64(x[k])) {
				dx[k] += dy[j]
			}
		}
	})
}

// passes reports whether the gradient of a maximum passes the rectifier, if there is one, as in
// [engine.ReLUGrad].
func (p *pooling) passes(x float64) bool { return !(p.ReLU && x <= 0) }

// BindAvgPool2D implements [engine.AvgPooler].
func (e Engine) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch in[0].Layout {
	case byImages:
		return e.interleavedAvgPool(p, in, out)
	case channelsLast:
		return e.nhwcMeans(p, in, out)
	}
	if vast(in, out) {
		return e.Engine.BindAvgPool2D(p, in, out)
	}
	b, err := e.avgPoolInRows(p, in, out)
	if err != nil {
		return b, err
	}
	return e.arranged(e.arranged(b, byImages, 0, 1, in, out), channelsLast, 0, 1, in, out), nil
}

func (e Engine) avgPoolInRows(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)):
	case out.DType == shape.Float32:
		return bindMeans[float32](e, g), nil
	case out.DType == shape.Float64:
		return bindMeans[float64](e, g), nil
	}
	return e.Engine.BindAvgPool2D(p, in, out)
}

// BindAvgPool2DGrad implements [engine.AvgPooler].
func (e Engine) BindAvgPool2DGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Layout != engine.Rows {
		return e.interleavedAvgPoolGrad(p, in, out)
	}
	b, err := e.avgPoolGradInRows(p, in, out)
	if err != nil {
		return b, err
	}
	return e.arranged(b, byImages, 0, 1, in, out), nil
}

func (e Engine) avgPoolGradInRows(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, out.Type, in[0].Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)):
	case out.DType == shape.Float32:
		return bindMeansGrad[float32](e, g), nil
	case out.DType == shape.Float64:
		return bindMeansGrad[float64](e, g), nil
	}
	return e.Engine.BindAvgPool2DGrad(p, in, out)
}

// counted is how many elements along an axis, 0 being that of rows, the mean of window o is of.
func (p *pooling) counted(axis, o int) int {
	a := p.Vertical()
	if axis == 1 {
		a = p.Horizontal()
	}
	if p.CountPad {
		a.In += p.Pad[axis][0] + p.Pad[axis][1]
		a.Before = 0
	}
	return a.Taps(o).N
}
