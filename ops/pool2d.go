package ops

import (
	"errors"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var pool2DOps = []graph.Op{
	MaxPool2DOp{Kernel: [2]int{2, 2}}.withDefaults(),
	quantMaxPool2D{MaxPool2DOp{Kernel: [2]int{2, 2}}.withDefaults()},
	maxPool2DScatter{MaxPool2DOp{Kernel: [2]int{2, 2}}.withDefaults()},
	maxPool2DGather{MaxPool2DOp{Kernel: [2]int{2, 2}}.withDefaults()},
	AvgPool2DOp{Kernel: [2]int{2, 2}}.withDefaults(),
	avgPool2DGrad{Pool: AvgPool2DOp{Kernel: [2]int{2, 2}}.withDefaults()},
}

// MaxPool2DOp are the attributes of [MaxPool2D]. In each array, index 0 is for the height and 1 for
// the width.
type MaxPool2DOp struct {
	Kernel   [2]int
	Stride   [2]int    // 0 means that of Kernel: adjacent windows
	Dilation [2]int    // 0 means 1
	Pad      [2][2]int // padding: {{top, bottom}, {left, right}}; see PadHW
	Ceil     bool      // round the number of windows up; the last starts in the image or before it
	Size     [2]int    // adaptive pooling, see AdaptiveMaxPool2D: OH and OW; the other fields are zero then
}

// MaxPool2D returns the maximum of each window of images x (N,C,H,W), Float32 or Float64: y
// (N,C,OH,OW), where OH is (H + top + bottom - Dilation*(KH-1) - 1)/Stride + 1, rounded down or,
// with Ceil, up; OW likewise. Padding is never the maximum. Of equal maxima, the first in row-major
// order gets the whole gradient. NaN is greater than all numbers.
func MaxPool2D(x *graph.Node, op MaxPool2DOp) *graph.Node {
	return graph.Apply(op.withDefaults(), x)
}

// GlobalMaxPool2D returns the maximum of each plane of x (N,C,H,W), Float32 or Float64: y
// (N,C,1,1).
func GlobalMaxPool2D(x *graph.Node) *graph.Node {
	return global("GlobalMaxPool2D", x, 4, func(k []int) *graph.Node { return MaxPool2D(x, MaxPool2DOp{Kernel: [2]int(k)}) })
}

// global pools with a window that covers all axes after the channels.
func global(name string, x *graph.Node, rank int, pool func(kernel []int) *graph.Node) *graph.Node {
	bad := refused(name, func() error {
		if err := checkPlanes(x.Type(), rank); err != nil {
			return err
		}
		return wantFloat(x.Type())
	}, x)
	if bad != nil {
		return bad
	}
	return pool(shape.Of(x.Type().Dims()[2:]...).Ints())
}

func (op MaxPool2DOp) withDefaults() MaxPool2DOp {
	if op.adaptive() {
		return op
	}
	for i := range 2 {
		op.Stride[i] = orElse(op.Stride[i], op.Kernel[i])
		op.Dilation[i] = orElse(op.Dilation[i], 1)
	}
	return op
}

func (op MaxPool2DOp) adaptive() bool { return op.Size != [2]int{} }

// Name implements [graph.Op].
func (MaxPool2DOp) Name() string { return "MaxPool2D" }

// Infer implements [graph.Op].
func (op MaxPool2DOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 1); err != nil {
		return t, err
	}
	y, err := op.pooled(in[0])
	if err != nil || op.adaptive() {
		return y, err
	}
	for i, w := range op.windows() {
		if w.empty(in[0].Int(2+i), y.Int(2+i)) {
			return t, fmt.Errorf("%s: a window of extent %d over %v padded by %d and %d lies entirely in the padding and has no maximum",
				sides[i], w.span(), in[0].Dim(2+i), w.pad[0], w.pad[1])
		}
	}
	return y, nil
}

// pooled returns the type of the result for images x.
func (op MaxPool2DOp) pooled(x shape.Type) (t shape.Type, err error) {
	if x.Rank() != 4 {
		return t, fmt.Errorf("want an input (N,C,H,W), have %v", x.Shape)
	}
	if op.adaptive() {
		return op.adapted(x)
	}
	size, err := slide(x, op.windows())
	if err != nil {
		return t, fmt.Errorf("kernel %v over input %v: %w", op.Kernel, x.Shape, err)
	}
	return x.Of(shape.Of(x.Dim(0), x.Dim(1), size[0], size[1])), nil
}

// adapted is pooled for adaptive pooling.
func (op MaxPool2DOp) adapted(x shape.Type) (t shape.Type, err error) {
	if err := checkPlanes(x, 4); err != nil {
		return t, err
	}
	if alone := (MaxPool2DOp{Size: op.Size}); op != alone {
		return t, fmt.Errorf("adaptive pooling to size %v has no other attributes, have %+v", op.Size, op)
	}
	for _, n := range op.Size {
		if n < 1 || n > math.MaxInt32 {
			return t, fmt.Errorf("size is %v; want 1 to %d in each axis", op.Size, math.MaxInt32)
		}
	}
	return x.Of(shape.Of(x.Dim(0), x.Dim(1), shape.Dim(op.Size[0]), shape.Dim(op.Size[1]))), nil
}

func (op MaxPool2DOp) windows() (ws [2]window) {
	for i := range ws {
		ws[i] = window{op.Kernel[i], op.Stride[i], op.Dilation[i], op.Pad[i], op.Ceil}
	}
	return ws
}

func (op MaxPool2DOp) attrs() engine.Pool2D {
	return engine.Pool2D{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad, Adaptive: op.adaptive()}
}

// Grad implements autodiff's Differentiable.
func (op MaxPool2DOp) Grad(n, dy *graph.Node) []*graph.Node {
	return one(graph.Apply(maxPool2DScatter{op}, n.In(0), dy))
}

// Bind implements vm's Bindable.
func (op MaxPool2DOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return bindMax(e, op.Name(), engine.MaxPooler.BindMaxPool2D, op.attrs(), in, out)
}

// PerExample keeps the rows separate.
func (MaxPool2DOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

func bindMax(e engine.Engine, name string, bind func(engine.MaxPooler, engine.Pool2D, []engine.Operand, engine.Operand) (engine.Bound, error),
	op engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p, ok := e.(engine.MaxPooler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, name)
	}
	return bind(p, op, in, out)
}

// Both ops below depend on the positions of the maxima. They are linear in their second input, and
// each is the adjoint of the other with respect to it. The first input only determines the
// positions and has no gradient.

// maxPool2DScatter computes dx (N,C,H,W) from x (N,C,H,W) and dy (N,C,OH,OW): each element of dy is
// added at the position of its window's maximum.
type maxPool2DScatter struct{ Pool MaxPool2DOp }

func (maxPool2DScatter) Name() string { return "MaxPool2DScatter" }

func (op maxPool2DScatter) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	y, err := op.Pool.Infer(in[:1])
	if err != nil {
		return t, err
	}
	if in[1] != y {
		return t, fmt.Errorf("the maxima of %v are %v, dy is %v", in[0], y, in[1])
	}
	return in[0], nil
}

func (op maxPool2DScatter) Grad(n, ddx *graph.Node) []*graph.Node {
	return []*graph.Node{nil, graph.Apply(maxPool2DGather(op), n.In(0), ddx)}
}

func (op maxPool2DScatter) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return bindMax(e, op.Name(), engine.MaxPooler.BindMaxPool2DScatter, op.Pool.attrs(), in, out)
}

// Mask implements vm's Masker.
func (op maxPool2DScatter) Mask(at int) (graph.Op, bool) { return maskedScatter{op}, at == 0 }

// PerExample keeps the rows separate.
func (maxPool2DScatter) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// maskedScatter is a maxPool2DScatter whose x is the result of a ReLU, followed by the ReLU's
// gradient.
type maskedScatter struct{ Scatter maxPool2DScatter }

func (maskedScatter) Name() string { return "MaxPool2DScatter+ReLUGrad" }

func (op maskedScatter) Infer(in []shape.Type) (shape.Type, error) { return op.Scatter.Infer(in) }

func (maskedScatter) NotDifferentiable() string { return madeByAbsorb }

func (op maskedScatter) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	attrs := op.Scatter.Pool.attrs()
	attrs.ReLU = true
	return bindMax(e, op.Name(), engine.MaxPooler.BindMaxPool2DScatter, attrs, in, out)
}

// maxPool2DGather computes (N,C,OH,OW) from x and v (N,C,H,W): the element of v at the position of
// each window's maximum of x.
type maxPool2DGather struct{ Pool MaxPool2DOp }

func (maxPool2DGather) Name() string { return "MaxPool2DGather" }

func (op maxPool2DGather) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	if in[0] != in[1] {
		return t, fmt.Errorf("want two inputs of one shape, have %v and %v", in[0], in[1])
	}
	return op.Pool.Infer(in[:1])
}

func (op maxPool2DGather) Grad(n, dy *graph.Node) []*graph.Node {
	return []*graph.Node{nil, graph.Apply(maxPool2DScatter(op), n.In(0), dy)}
}

func (op maxPool2DGather) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return bindMax(e, op.Name(), engine.MaxPooler.BindMaxPool2DGather, op.Pool.attrs(), in, out)
}

// PerExample keeps the rows separate.
func (maxPool2DGather) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// AvgPool2DOp are the attributes of [AvgPool2D]. In each array, index 0 is for the height and 1 for
// the width.
type AvgPool2DOp struct {
	Kernel   [2]int
	Stride   [2]int    // 0 means that of Kernel: adjacent windows
	Dilation [2]int    // 0 means 1
	Pad      [2][2]int // padding: {{top, bottom}, {left, right}}; see PadHW
	Ceil     bool      // round the number of windows up; the last starts in the image or before it
	CountPad bool      // include the padding in the mean, as is PyTorch's default
	Size     [2]int    // adaptive pooling, see AdaptiveAvgPool2D: OH and OW; the other fields are zero then
}

// AvgPool2D returns the mean of each window of images x (N,C,H,W), Float32 or Float64: y
// (N,C,OH,OW), with the extents of [MaxPool2D]. The mean is over the window's elements in the image
// and, with CountPad, in the padding. Elements beyond the padding, which Ceil can add, never count.
// A window that lies entirely in the padding gives 0.
func AvgPool2D(x *graph.Node, op AvgPool2DOp) *graph.Node {
	return graph.Apply(op.withDefaults(), x)
}

// GlobalAvgPool2D returns the mean of each plane of x (N,C,H,W), Float32 or Float64: y
// (N,C,1,1).
func GlobalAvgPool2D(x *graph.Node) *graph.Node {
	return global("GlobalAvgPool2D", x, 4, func(k []int) *graph.Node { return AvgPool2D(x, AvgPool2DOp{Kernel: [2]int(k)}) })
}

// windows returns a MaxPool2DOp with the same windows.
func (op AvgPool2DOp) windows() MaxPool2DOp {
	return MaxPool2DOp{op.Kernel, op.Stride, op.Dilation, op.Pad, op.Ceil, op.Size}
}

func (op AvgPool2DOp) withDefaults() AvgPool2DOp {
	w := op.windows().withDefaults()
	op.Stride, op.Dilation = w.Stride, w.Dilation
	return op
}

// Name implements [graph.Op].
func (AvgPool2DOp) Name() string { return "AvgPool2D" }

// Infer implements [graph.Op].
func (op AvgPool2DOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := sameFloats(in, 1); err != nil {
		return shape.Type{}, err
	}
	return op.pooled(in[0])
}

// pooled returns the type of the result for images x.
func (op AvgPool2DOp) pooled(x shape.Type) (shape.Type, error) {
	if op.CountPad && op.windows().adaptive() {
		return shape.Type{}, errors.New("adaptive pooling has no padding that CountPad could include")
	}
	return op.windows().pooled(x)
}

func (op AvgPool2DOp) attrs() engine.Pool2D {
	p := op.windows().attrs()
	p.CountPad = op.CountPad
	return p
}

// Grad implements autodiff's Differentiable.
func (op AvgPool2DOp) Grad(n, dy *graph.Node) []*graph.Node {
	return one(graph.Apply(avgPool2DGrad{op, imageSize(n.In(0).Type())}, dy))
}

// Bind implements vm's Bindable.
func (op AvgPool2DOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p, ok := e.(engine.AvgPooler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return p.BindAvgPool2D(op.attrs(), in, out)
}

// PerExample keeps the rows separate.
func (AvgPool2DOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// avgPool2DGrad computes dx (N,C,H,W) from dy (N,C,OH,OW). Average pooling is linear, so the
// gradient of its gradient is average pooling.
type avgPool2DGrad struct {
	Pool AvgPool2DOp
	Size [2]int // H and W
}

func (avgPool2DGrad) Name() string { return "AvgPool2DGrad" }

func (op avgPool2DGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 1); err != nil {
		return t, err
	}
	dy := in[0]
	if dy.Rank() != 4 {
		return t, fmt.Errorf("want dy (N,C,OH,OW), have %v", dy.Shape)
	}
	x := dy.Of(dy.Shape.With(2, shape.Dim(op.Size[0])).With(3, shape.Dim(op.Size[1])))
	y, err := op.Pool.pooled(x)
	if err != nil {
		return t, err
	}
	if y != dy {
		return t, fmt.Errorf("the means of %v are %v, dy is %v", x, y, dy)
	}
	return x, nil
}

func (op avgPool2DGrad) Grad(_, ddx *graph.Node) []*graph.Node {
	return one(graph.Apply(op.Pool, ddx))
}

func (op avgPool2DGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p, ok := e.(engine.AvgPooler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return p.BindAvgPool2DGrad(op.Pool.attrs(), in, out)
}

// PerExample keeps the rows separate.
func (avgPool2DGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}
