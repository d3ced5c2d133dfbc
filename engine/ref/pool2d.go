package ref

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var (
	_ engine.MaxPooler = Engine{}
	_ engine.AvgPooler = Engine{}
)

// BindMaxPool2D implements [engine.MaxPooler]. The maximum of a window that lies entirely in the
// padding is -Inf.
func (Engine) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	return bindFloat("MaxPool2D", in, out, 0, maxPool2D[float32](g), maxPool2D[float64](g))
}

// BindMaxPool2DScatter implements [engine.MaxPooler].
func (Engine) BindMaxPool2DScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, in[1].Type)
	return bindFloat("MaxPool2DScatter", in, out, g.xPlane(), maxPool2DScatter[float32](g, p.ReLU), maxPool2DScatter[float64](g, p.ReLU))
}

// BindMaxPool2DGather implements [engine.MaxPooler]. A window that lies entirely in the padding
// gives 0.
func (Engine) BindMaxPool2DGather(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	return bindFloat("MaxPool2DGather", in, out, 0, maxPool2DGather[float32](g), maxPool2DGather[float64](g))
}

// BindAvgPool2D implements [engine.AvgPooler].
func (Engine) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, in[0].Type, out.Type)
	return bindFloat("AvgPool2D", in, out, 0, avgPool2D[float32](g), avgPool2D[float64](g))
}

// BindAvgPool2DGrad implements [engine.AvgPooler].
func (Engine) BindAvgPool2DGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := poolOf(p, out.Type, in[0].Type)
	return bindFloat("AvgPool2DGrad", in, out, g.xPlane(), avgPool2DGrad[float32](g), avgPool2DGrad[float64](g))
}

// pool is a pooling with known extents.
type pool struct {
	planes   int // N*C
	h, w     axis
	countPad bool
}

func poolOf(p engine.Pool2D, x, y shape.Type) pool {
	var ax [2]axis
	for i := range ax {
		ax[i] = axis{x.Int(2 + i), y.Int(2 + i), p.Kernel[i], p.Stride[i], p.Dilation[i], p.Pad[i][0], p.Pad[i][1], p.Adaptive}
		if p.Adaptive {
			ax[i].dilation = 1
		}
	}
	return pool{x.Int(0) * x.Int(1), ax[0], ax[1], p.CountPad}
}

func (p pool) xPlane() int { return p.h.in * p.w.in }
func (p pool) yPlane() int { return p.h.out * p.w.out }

// maxima calls visit for each window of the plane x, with its index and the position of its
// maximum, or -1 if the window lies entirely in the padding.
func maxima[T shape.Float | uint8](p pool, x []T, visit func(o, at int)) {
	for i := range p.h.out {
		for j := range p.w.out {
			visit(i*p.w.out+j, argmax(p, x, i, j))
		}
	}
}

func argmax[T shape.Float | uint8](p pool, x []T, i, j int) int {
	best := -1
	a0, a1 := p.h.taps(i)
	b0, b1 := p.w.taps(j)
	for a := a0; a < a1; a++ {
		for b := b0; b < b1; b++ {
			at := p.h.at(i, a)*p.w.in + p.w.at(j, b)
			if best < 0 || beats(x[at], x[best]) {
				best = at
			}
		}
	}
	return best
}

// beats reports whether v replaces an earlier maximum. It does not if they are equal, so that the
// first is kept. NaN replaces only numbers.
func beats[T shape.Float | uint8](v, best T) bool { return v > best || v != v && best == best }

func maxPool2D[T shape.Float](p pool) engine.Kernel {
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		for n := range p.planes {
			maxPoolPlane(p, nth(y, n, p.yPlane()), nth(x, n, p.xPlane()))
		}
		return nil
	}
}

func maxPoolPlane[T shape.Float](p pool, y, x []T) {
	maxima(p, x, func(o, at int) {
		y[o] = T(math.Inf(-1))
		if at >= 0 {
			y[o] = x[at]
		}
	})
}

func maxPool2DScatter[T shape.Float](p pool, relu bool) engine.Kernel {
	return func(c *engine.Call) error {
		x, dy, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		sums := sumsOf(c, p.xPlane())
		for n := range p.planes {
			clear(sums)
			xp, dyp := nth(x, n, p.xPlane()), nth(dy, n, p.yPlane())
			maxima(p, xp, func(o, at int) {
				if at < 0 {
					return
				}
				v := dyp[o]
				if relu {
					v = reluGrad(xp[at], v)
				}
				sums[at] += float64(v)
			})
			round(nth(dx, n, p.xPlane()), sums)
		}
		return nil
	}
}

func maxPool2DGather[T shape.Float](p pool) engine.Kernel {
	return func(c *engine.Call) error {
		x, v, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		for n := range p.planes {
			vp, yp := nth(v, n, p.xPlane()), nth(y, n, p.yPlane())
			maxima(p, nth(x, n, p.xPlane()), func(o, at int) {
				yp[o] = 0
				if at >= 0 {
					yp[o] = vp[at]
				}
			})
		}
		return nil
	}
}

// means calls visit for each window of a plane, with its index, its ranges of taps in the image,
// and the number of elements in its mean, at least 1.
func (p pool) means(visit func(o int, block tap, count float64)) {
	for i := range p.h.out {
		for j := range p.w.out {
			block := p.block(i, j)
			count := block.rows * block.cols
			if p.countPad {
				count = length(p.h.padded(i)) * length(p.w.padded(j))
			}
			visit(i*p.w.out+j, block, float64(max(count, 1)))
		}
	}
}

// block returns the part of the image in window (i, j).
func (p pool) block(i, j int) tap {
	a, aEnd := p.h.taps(i)
	b, bEnd := p.w.taps(j)
	return tap{
		rows: aEnd - a, cols: bEnd - b,
		x:    p.h.at(i, a)*p.w.in + p.w.at(j, b),
		xRow: p.h.dilation * p.w.in, xCol: p.w.dilation,
	}
}

func length(lo, hi int) int { return hi - lo }

func avgPool2D[T shape.Float](p pool) engine.Kernel {
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		for n := range p.planes {
			xp, yp := nth(x, n, p.xPlane()), nth(y, n, p.yPlane())
			p.means(func(o int, t tap, count float64) {
				sum := 0.0
				for r := range t.rows {
					for j := range t.cols {
						sum += float64(xp[t.x+r*t.xRow+j*t.xCol])
					}
				}
				yp[o] = T(sum / count)
			})
		}
		return nil
	}
}

func avgPool2DGrad[T shape.Float](p pool) engine.Kernel {
	return func(c *engine.Call) error {
		dy, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		sums := sumsOf(c, p.xPlane())
		for n := range p.planes {
			clear(sums)
			dyp := nth(dy, n, p.yPlane())
			p.means(func(o int, t tap, count float64) {
				for r := range t.rows {
					for j := range t.cols {
						sums[t.x+r*t.xRow+j*t.xCol] += float64(dyp[o]) / count
					}
				}
			})
			round(nth(dx, n, p.xPlane()), sums)
		}
		return nil
	}
}
