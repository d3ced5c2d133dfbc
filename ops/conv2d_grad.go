package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A convolution is linear in the image and in the filter. Both its adjoints are bilinear too, and
// their adjoints belong to the same family of three ops, so that no other op is needed for
// gradients of any order.

// conv2DInputGrad computes dx (N,C,H,W) from dy (N,O,OH,OW) and w (O,C/G,KH,KW): the gradient for
// images whose convolution by w has the shape of dy.
type conv2DInputGrad struct {
	Conv Conv2DOp
	Size [2]int // H and W; for a stride above 1 they do not follow from dy
}

func (op Conv2DOp) inputGrad(dy, w *graph.Node, x shape.Type) *graph.Node {
	return graph.Apply(conv2DInputGrad{op, imageSize(x)}, dy, w)
}

// imageSize returns the height and width of t, which has 4 axes.
func imageSize(t shape.Type) [2]int { return [2]int{t.Int(2), t.Int(3)} }

func (conv2DInputGrad) Name() string { return "Conv2DInputGrad" }

func (op conv2DInputGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	dy, w := in[0], in[1]
	if dy.Rank() != 4 || w.Rank() != 4 {
		return t, fmt.Errorf("want dy (N,O,OH,OW) and a filter (O,C/groups,KH,KW), have %v and %v", dy.Shape, w.Shape)
	}
	channels, err := w.Dim(1).Mul(shape.Dim(op.Conv.Groups))
	if err != nil {
		return t, err
	}
	x := dy.Of(shape.Of(dy.Dim(0), channels, shape.Dim(op.Size[0]), shape.Dim(op.Size[1])))
	return x, op.Conv.checkAdjoint(x, w, dy)
}

// checkAdjoint returns an error if dy does not have the type of x convolved by w.
func (op Conv2DOp) checkAdjoint(x, w, dy shape.Type) error {
	if err := x.Shape.Err(); err != nil {
		return fmt.Errorf("image %v: %w", x, err)
	}
	y, err := op.Infer([]shape.Type{x, w})
	if err != nil {
		return err
	}
	if y != dy {
		return fmt.Errorf("the convolution of %v by %v is %v, dy is %v", x, w, y, dy)
	}
	return nil
}

func (op conv2DInputGrad) Grad(n, ddx *graph.Node) []*graph.Node {
	dy, w := n.In(0), n.In(1)
	return []*graph.Node{Conv2D(ddx, w, op.Conv), op.Conv.filterGrad(ddx, dy, w.Type())}
}

func (op conv2DInputGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	c, ok := e.(engine.Conv2Der)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "Conv2DInputGrad")
	}
	return c.BindConv2DInputGrad(op.Conv.attrs(engine.Epilogue{}), in, out)
}

// conv2DFilterGrad computes dw (O,C/G,KH,KW) from x (N,C,H,W) and dy (N,O,OH,OW).
type conv2DFilterGrad struct {
	Conv   Conv2DOp
	Kernel [2]int // KH and KW
}

func (op Conv2DOp) filterGrad(x, dy *graph.Node, w shape.Type) *graph.Node {
	return graph.Apply(conv2DFilterGrad{op, imageSize(w)}, x, dy)
}

func (conv2DFilterGrad) Name() string { return "Conv2DFilterGrad" }

func (op conv2DFilterGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	x, dy := in[0], in[1]
	if x.Rank() != 4 || dy.Rank() != 4 {
		return t, fmt.Errorf("want an input (N,C,H,W) and dy (N,O,OH,OW), have %v and %v", x.Shape, dy.Shape)
	}
	depth, err := x.Dim(1).Div(shape.Dim(op.Conv.Groups))
	if err != nil {
		return t, fmt.Errorf("channels of %v by groups: %w", x.Shape, err)
	}
	w := x.Of(shape.Of(dy.Dim(1), depth, shape.Dim(op.Kernel[0]), shape.Dim(op.Kernel[1])))
	return w, op.Conv.checkAdjoint(x, w, dy)
}

func (op conv2DFilterGrad) Grad(n, ddw *graph.Node) []*graph.Node {
	x, dy := n.In(0), n.In(1)
	return []*graph.Node{op.Conv.inputGrad(dy, ddw, x.Type()), Conv2D(x, ddw, op.Conv)}
}

func (op conv2DFilterGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	c, ok := e.(engine.Conv2Der)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "Conv2DFilterGrad")
	}
	return c.BindConv2DFilterGrad(op.Conv.attrs(engine.Epilogue{}), in, out)
}

// ConvTranspose2D returns the transposed convolution of x (N,C,H,W) by w (C,O/Groups,KH,KW): the
// adjoint, with respect to the image, of the [Conv2D] with attributes op that maps (N,O,OH,OW) to
// (N,C,H,W). OH is (H-1)*Stride - top - bottom + Dilation*(KH-1) + 1 + extra[0]; OW likewise.
// extra, at least 0 and below the stride, selects one of the sizes for which the convolution has
// the same result size.
func ConvTranspose2D(x, w *graph.Node, op Conv2DOp, extra [2]int) *graph.Node {
	op = op.withDefaults()
	adjoint := conv2DInputGrad{Conv: op}
	bad := refused("ConvTranspose2D", func() (err error) {
		if err := op.checkTransposed(x.Type(), w.Type()); err != nil {
			return err
		}
		adjoint.Size, err = op.transposedSize(x.Type(), w.Type(), extra)
		return err
	}, x, w)
	if bad != nil {
		return bad
	}
	return graph.Apply(adjoint, x, w)
}

func (op Conv2DOp) checkTransposed(x, w shape.Type) error {
	if err := wantFloat(x, w); err != nil {
		return err
	}
	switch {
	case x.Rank() != 4 || w.Rank() != 4:
		return fmt.Errorf("want an input (N,C,H,W) and a filter (C,O/groups,KH,KW), have %v and %v", x.Shape, w.Shape)
	case !x.Drop(0).Concrete() || !w.Shape.Concrete():
		return fmt.Errorf("input %v, filter %v: only the batch axis may depend on N", x.Shape, w.Shape)
	case w.Len() == 0 || x.Int(2) == 0 || x.Int(3) == 0:
		return fmt.Errorf("input %v and filter %v; want at least one element in each", x.Shape, w.Shape)
	case op.Groups < 1:
		return fmt.Errorf("groups is %d, want at least 1", op.Groups)
	case x.Dim(1) != w.Dim(0):
		return fmt.Errorf("input has %v channels, the filter %v wants %v; its axis 0 is the input's channels", x.Dim(1), w.Shape, w.Dim(0))
	case x.Int(1)%op.Groups != 0:
		return fmt.Errorf("input has %v channels, which cannot be split evenly into %d groups", x.Dim(1), op.Groups)
	}
	return nil
}

// transposedSize returns the height and width of the result, for types that have been checked.
func (op Conv2DOp) transposedSize(x, w shape.Type, extra [2]int) (size [2]int, err error) {
	for i, win := range op.windows(w) {
		if size[i], err = win.transposed(x.Int(2+i), extra[i]); err != nil {
			return size, fmt.Errorf("%s: %w", sides[i], err)
		}
	}
	return size, nil
}

// MACs returns the same number as for the convolution.
func (conv2DInputGrad) MACs(in []shape.Type, _ shape.Type) int { return convMACs(in[0], in[1]) }

// PerExample is like that of the convolution, with patches added up to images.
func (op conv2DInputGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if own(n, in, 0) {
		return nil, fmt.Errorf("its image %v is shared by all examples; want one for each", n.In(0).Type())
	}
	if !own(n, in, 1) {
		return n, nil
	}
	p := op.Conv.patches(n.Type(), n.In(1).Type())
	dy := in[0].Type()
	outs := Reshape(in[0], dy.Dim(0), p.groups, p.outs, dy.Dim(2)*dy.Dim(3))
	columns := MatMul(p.filters(in[1]), outs, MatMulOp{TransA: true})
	columns = Reshape(columns, dy.Dim(0), p.groups*p.depth, dy.Dim(2), dy.Dim(3))
	return graph.Apply(conv2DInputGrad{p.conv, op.Size}, columns, p.taps(in[0])), nil
}

// MACs returns the same number as for the convolution.
func (conv2DFilterGrad) MACs(in []shape.Type, out shape.Type) int { return convMACs(in[1], out) }

// PerExample returns an error, because filters are summed over all rows.
func (conv2DFilterGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}
