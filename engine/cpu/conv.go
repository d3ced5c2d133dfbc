package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// convolution is a convolution of known extents: C channels and so many filters in each group.
type convolution struct {
	batch, groups, filters int
	window.Window
}

func convOf(c engine.Conv2D, x, w, y shape.Type) convolution {
	g := convolution{batch: x.Int(0), groups: c.Groups, filters: w.Int(0) / c.Groups}
	g.Window = windowOf([2]int{w.Int(2), w.Int(3)}, c.Stride, c.Dilation, c.Pad, x, y)
	g.C = w.Int(1)
	return g
}

func (g *convolution) taps() int   { return g.KH * g.KW }
func (g *convolution) depth() int  { return g.Rows() } // of a filter
func (g *convolution) xPlane() int { return g.H * g.W }
func (g *convolution) yPlane() int { return g.Cols() }

// Elements of x, of w and of y.

func (g *convolution) images() int  { return g.batch * g.groups * g.C * g.xPlane() }
func (g *convolution) weights() int { return g.groups * g.filters * g.depth() }
func (g *convolution) results() int { return g.batch * g.groups * g.filters * g.yPlane() }

// plain reports whether the image is its own unfolding.
func (g *convolution) plain() bool {
	return g.taps() == 1 && g.SH == 1 && g.SW == 1 && g.H == g.OH && g.W == g.OW && g.Top == 0 && g.Left == 0
}

// planes returns the planes of v from the i-th on.
func planes[T shape.Float](v []T, i, size int) []T { return v[i*size:] }

// BindConv2D implements [engine.Conv2Der].
func (e Engine) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch {
	case in[0].Layout == byImages:
		return e.interleavedConv2D(c, in, out)
	case in[0].Layout == channelsLast:
		return e.nhwcConv2D(c, in, out)
	case out.Layout == channelsLast:
		return e.stemConv2D(c, in, out)
	}
	if vast(in, out) {
		return e.Engine.BindConv2D(c, in, out)
	}
	b, err := e.convInRows(c, in, out)
	switch {
	case err != nil:
	case e.prefersInterleaved(c, in[0].Type, in[1].Type, out.Type):
		b = e.arranged(b, byImages, engine.Always, 1, in, out)
	default:
		b = e.arrangedForward(b, c, in, out.Type, out)
	}
	return b, err
}

func (e Engine) convInRows(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	switch {
	case !sameDType(out.DType, engine.Types(in)) || g.yPlane() == 0:
	case g.wholeImages() && out.DType == shape.Float32:
		return productConv2D[float32](e, g, c.Epilogue, in, out), nil
	case g.wholeImages() && out.DType == shape.Float64:
		return productConv2D[float64](e, g, c.Epilogue, in, out), nil
	case out.DType == shape.Float32:
		return e.cheapest(g, forward, algorithms{
			winograd: func(exact engine.Bound) engine.Bound {
				return withExact(in[1].Type, exact, func(exact engine.Bound) engine.Bound { return e.winogradConv2D(g, c.Epilogue, exact) })
			},
			stem:   func() engine.Bound { return e.stemToRows(g, c.Epilogue) },
			direct: func() engine.Bound { return e.directConv2D(g, c.Epilogue) },
			im2col: func() engine.Bound { return bindConv2D[float32](e, c.Epilogue, g) },
		}), nil
	case out.DType == shape.Float64:
		return bindConv2D[float64](e, c.Epilogue, g), nil
	}
	return e.Engine.BindConv2D(c, in, out)
}

// wholeImages reports whether each image is one window, and every filter meets all of it.
func (g *convolution) wholeImages() bool {
	return g.groups == 1 && g.yPlane() == 1 && g.Top == 0 && g.Left == 0 && g.H == g.KH && g.W == g.KW
}

// productConv2D is a convolution of whole images: the product of the images, a row each, by the filters, a column each.
func productConv2D[T shape.Float](e Engine, g convolution, ep engine.Epilogue, in []engine.Operand, out engine.Operand) engine.Bound {
	matrix := func(o engine.Operand, rows, columns int) engine.Operand {
		return engine.InRow(o.Of(shape.OfInts(rows, columns)))
	}
	factors := append([]engine.Operand{matrix(in[0], g.batch, g.depth()), matrix(in[1], g.filters, g.depth())}, in[2:]...)
	return bindMatMul[T](e, engine.MatMul{TransB: true, Epilogue: ep}, factors, matrix(out, g.batch, g.filters))
}
