package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var (
	_ engine.Conv2Der   = Engine{}
	_ engine.ConvPooler = Engine{}
	_ engine.Fuser      = Engine{}
)

// Fuses implements [engine.Fuser] and is always true. Epilogues are applied after the sum is
// rounded, so that the bits are those of separate ops.
func (Engine) Fuses(engine.Epilogue) bool { return true }

// BindConv2D implements [engine.Conv2Der].
func (Engine) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	return bindFloat("Conv2D", in, out, g.yPlane, conv2D[float32](g, c.Epilogue), conv2D[float64](g, c.Epilogue))
}

// FusesMaxPool implements [engine.ConvPooler] and is always true. An engine with its own
// convolutions must implement it too; otherwise they are replaced by those of ref.
func (Engine) FusesMaxPool(engine.Conv2D, engine.Pool2D, []shape.Type, shape.Type, shape.Type) bool {
	return true
}

// BindConv2DMaxPool implements [engine.ConvPooler].
func (Engine) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	g, windows := convOf(c, in[0].Type, in[1].Type, y), poolOf(p, y, out.Type)
	return bindFloat("Conv2DMaxPool", in, out, 2*g.yPlane, // sums, and a plane of results
		conv2DMaxPool[float32](g, c.Epilogue, windows), conv2DMaxPool[float64](g, c.Epilogue, windows))
}

// BindConv2DInputGrad implements [engine.Conv2Der].
func (Engine) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, out.Type, in[1].Type, in[0].Type)
	return bindFloat("Conv2DInputGrad", in, out, g.xPlane, conv2DInputGrad[float32](g), conv2DInputGrad[float64](g))
}

// BindConv2DFilterGrad implements [engine.Conv2Der].
func (Engine) BindConv2DFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, in[0].Type, out.Type, in[1].Type)
	return bindFloat("Conv2DFilterGrad", in, out, len(g.taps), conv2DFilterGrad[float32](g), conv2DFilterGrad[float64](g))
}

// conv is a convolution with known extents.
type conv struct {
	batch, channels, filters int
	groupIn, groupOut        int // channels and filters of a group
	xPlane, yPlane           int // elements of a plane
	taps                     []tap
}

func convOf(c engine.Conv2D, x, w, y shape.Type) conv {
	g := conv{
		batch: x.Int(0), channels: x.Int(1), filters: w.Int(0),
		groupIn: w.Int(1), groupOut: w.Int(0) / c.Groups,
		xPlane: x.Int(2) * x.Int(3), yPlane: y.Int(2) * y.Int(3),
	}
	var ax [2]axis
	for i := range ax {
		ax[i] = axis{x.Int(2 + i), y.Int(2 + i), w.Int(2 + i), c.Stride[i], c.Dilation[i], c.Pad[i][0], c.Pad[i][1], false}
	}
	for a := range w.Int(2) {
		for b := range w.Int(3) {
			g.taps = append(g.taps, tapOf(ax[0], ax[1], a, b))
		}
	}
	return g
}

// A tap is the block of results to which one element of a filter contributes, and the block of the
// image that it is multiplied with.
type tap struct {
	rows, cols int
	x, y       int // offset of the first element of the block in a plane of the image, and of the result
	xRow, yRow int // distance between rows
	xCol       int // distance between columns; in the result it is 1
}

func tapOf(h, w axis, a, b int) tap {
	i, iEnd := h.windows(a)
	j, jEnd := w.windows(b)
	if i == iEnd || j == jEnd {
		return tap{}
	}
	return tap{
		rows: iEnd - i, cols: jEnd - j,
		x: h.at(i, a)*w.in + w.at(j, b), y: i*w.out + j,
		xRow: h.stride * w.in, yRow: w.out, xCol: w.stride,
	}
}

// gather adds f times the block of the image x to y.
func gather[T shape.Float](t tap, y []float64, x []T, f T) {
	for r := range t.rows {
		xr := x[t.x+r*t.xRow:]
		for j := range t.cols {
			y[t.y+r*t.yRow+j] += float64(f) * float64(xr[j*t.xCol])
		}
	}
}

// scatter adds f times the block of the result dy to the image dx: the adjoint of gather.
func scatter[T shape.Float](t tap, dx []float64, dy []T, f T) {
	for r := range t.rows {
		dxr := dx[t.x+r*t.xRow:]
		for j := range t.cols {
			dxr[j*t.xCol] += float64(f) * float64(dy[t.y+r*t.yRow+j])
		}
	}
}

// dot returns the sum of the products of the two blocks.
func dot[T shape.Float](t tap, x, dy []T) (sum float64) {
	for r := range t.rows {
		xr := x[t.x+r*t.xRow:]
		for j := range t.cols {
			sum += float64(xr[j*t.xCol]) * float64(dy[t.y+r*t.yRow+j])
		}
	}
	return sum
}

func conv2D[T shape.Float](g conv, e engine.Epilogue) engine.Kernel {
	return func(c *engine.Call) error {
		y, sums := engine.Slice[T](c.Out[0]), sumsOf(c, g.yPlane)
		for n := range g.batch {
			for o := range g.filters {
				conv2DPlane(g, e, c, n, o, sums, nth(y, n*g.filters+o, g.yPlane))
			}
		}
		return nil
	}
}

// conv2DPlane sets y to the result of filter o over image n.
func conv2DPlane[T shape.Float](g conv, e engine.Epilogue, c *engine.Call, n, o int, sums []float64, y []T) {
	x, w := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1])
	clear(sums)
	for i := range g.groupIn {
		xp := nth(x, n*g.channels+o/g.groupOut*g.groupIn+i, g.xPlane)
		for k, f := range nth(w, o*g.groupIn+i, len(g.taps)) {
			gather(g.taps[k], sums, xp, f)
		}
	}
	round(y, sums)
	if e.Bias {
		shift(y, engine.Slice[T](c.In[2])[o])
	}
	if e.ReLU {
		rectify(y)
	}
}

// conv2DMaxPool pools each plane of results as soon as it is computed.
func conv2DMaxPool[T shape.Float](g conv, e engine.Epilogue, p pool) engine.Kernel {
	return func(c *engine.Call) error {
		out, sums := engine.Slice[T](c.Out[0]), sumsOf(c, g.yPlane)
		y := engine.Slice[T](c.Scratch.At(g.yPlane*shape.Float64.Width(), shape.DTypeOf[T](), g.yPlane))
		for n := range g.batch {
			for o := range g.filters {
				conv2DPlane(g, e, c, n, o, sums, y)
				maxPoolPlane(p, nth(out, n*g.filters+o, p.yPlane()), y)
			}
		}
		return nil
	}
}

func conv2DInputGrad[T shape.Float](g conv) engine.Kernel {
	return func(c *engine.Call) error {
		dy, w, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		sums := sumsOf(c, g.xPlane)
		for n := range g.batch {
			for ch := range g.channels {
				clear(sums)
				group, i := ch/g.groupIn, ch%g.groupIn
				for o := group * g.groupOut; o < (group+1)*g.groupOut; o++ {
					dyp := nth(dy, n*g.filters+o, g.yPlane)
					for k, f := range nth(w, o*g.groupIn+i, len(g.taps)) {
						scatter(g.taps[k], sums, dyp, f)
					}
				}
				round(nth(dx, n*g.channels+ch, g.xPlane), sums)
			}
		}
		return nil
	}
}

func conv2DFilterGrad[T shape.Float](g conv) engine.Kernel {
	return func(c *engine.Call) error {
		x, dy, dw := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		sums := sumsOf(c, len(g.taps))
		for o := range g.filters {
			for i := range g.groupIn {
				clear(sums)
				for n := range g.batch {
					xp := nth(x, n*g.channels+o/g.groupOut*g.groupIn+i, g.xPlane)
					dyp := nth(dy, n*g.filters+o, g.yPlane)
					for k, t := range g.taps {
						sums[k] += dot(t, xp, dyp)
					}
				}
				round(nth(dw, o*g.groupIn+i, len(g.taps)), sums)
			}
		}
		return nil
	}
}

// shift adds b to every element.
func shift[T shape.Float](v []T, b T) {
	for i := range v {
		v[i] += b
	}
}
