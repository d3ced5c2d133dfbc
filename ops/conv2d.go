package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var conv2DOps = []graph.Op{
	Conv2DOp{}.withDefaults(),
	conv2DInputGrad{Conv: Conv2DOp{}.withDefaults()},
	conv2DFilterGrad{Conv: Conv2DOp{}.withDefaults()},
	fusedConv2D{Conv: Conv2DOp{}.withDefaults(), Epilogue: engine.Epilogue{Bias: true, ReLU: true}},
	fusedConv2D{Conv: Conv2DOp{}.withDefaults(), Pool: MaxPool2DOp{Kernel: [2]int{2, 2}}.withDefaults()},
	quantConv2D{Conv: Conv2DOp{}.withDefaults(), Quant: anyQuantised},
}

// Conv2DOp are the attributes of [Conv2D]. In each array, index 0 is for the height and 1 for the
// width.
type Conv2DOp struct {
	Stride, Dilation [2]int    // 0 means 1
	Pad              [2][2]int // zero padding: {{top, bottom}, {left, right}}; see PadHW and SamePad
	Groups           int       // number of independent groups of channels and filters; 0 means 1
}

// Conv2D returns the cross-correlation of images x (N,C,H,W) with filters w (O,C/Groups,KH,KW),
// both Float32 or Float64: y (N,O,OH,OW), where OH is (H + top + bottom - Dilation*(KH-1) -
// 1)/Stride + 1, rounded down; OW likewise. For a bias, see [AddBias].
func Conv2D(x, w *graph.Node, op Conv2DOp) *graph.Node {
	return graph.Apply(op.withDefaults(), x, w)
}

func (op Conv2DOp) withDefaults() Conv2DOp {
	for i := range 2 {
		op.Stride[i] = orElse(op.Stride[i], 1)
		op.Dilation[i] = orElse(op.Dilation[i], 1)
	}
	op.Groups = orElse(op.Groups, 1)
	return op
}

// orElse returns v, or def if v is 0.
func orElse(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Name implements [graph.Op].
func (Conv2DOp) Name() string { return "Conv2D" }

// Infer implements [graph.Op].
func (op Conv2DOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	x, w := in[0], in[1]
	if err := op.checkFilter(x, w); err != nil {
		return t, err
	}
	size, err := slide(x, op.windows(w))
	if err != nil {
		return t, fmt.Errorf("filter %v over input %v: %w", w.Shape, x.Shape, err)
	}
	return x.Of(shape.Of(x.Dim(0), w.Dim(0), size[0], size[1])), nil
}

func (op Conv2DOp) checkFilter(x, w shape.Type) error {
	if x.Rank() != 4 || w.Rank() != 4 {
		return fmt.Errorf("want an input (N,C,H,W) and a filter (O,C/groups,KH,KW), have %v and %v", x.Shape, w.Shape)
	}
	channels, ok := x.Dim(1).Int()
	if !ok || !w.Shape.Concrete() {
		return fmt.Errorf("input %v, filter %v: only the batch axis may depend on N", x.Shape, w.Shape)
	}
	filters, depth := w.Int(0), w.Int(1)
	switch {
	case op.Groups < 1:
		return fmt.Errorf("groups is %d, want at least 1", op.Groups)
	case w.Len() == 0:
		return fmt.Errorf("the filter %v has no elements", w.Shape)
	case channels%op.Groups != 0 || channels/op.Groups != depth:
		return fmt.Errorf("input has %d channels, the filter %v with %s wants %d; its axis 1 is the input's channels divided by the groups",
			channels, w.Shape, plural(op.Groups, "group"), depth*op.Groups)
	case filters%op.Groups != 0:
		return fmt.Errorf("the filter %v has %d outputs, which cannot be split evenly into %d groups", w.Shape, filters, op.Groups)
	}
	return nil
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func (op Conv2DOp) windows(w shape.Type) (ws [2]window) {
	for i := range ws {
		ws[i] = window{kernel: w.Int(2 + i), stride: op.Stride[i], dilation: op.Dilation[i], pad: op.Pad[i]}
	}
	return ws
}

// Grad implements autodiff's Differentiable.
func (op Conv2DOp) Grad(n, dy *graph.Node) []*graph.Node {
	x, w := n.In(0), n.In(1)
	return []*graph.Node{op.inputGrad(dy, w, x.Type()), op.filterGrad(x, dy, w.Type())}
}

// Bind implements vm's Bindable.
func (op Conv2DOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return fusedConv2D{Conv: op}.Bind(e, in, out)
}

func (op Conv2DOp) attrs(e engine.Epilogue) engine.Conv2D {
	return engine.Conv2D{Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad, Groups: op.Groups, Epilogue: e}
}

// Weights implements vm's Weighted: the filters.
func (Conv2DOp) Weights([]shape.Type) (engine.Weights, bool) { return engine.Weights{In: 1}, true }

// Absorb implements vm's Absorber: it absorbs a bias per filter, then a ReLU, then max pooling.
func (op Conv2DOp) Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool) {
	return fusedConv2D{Conv: op}.Absorb(e, in, next, at, nextIn)
}

// fusedConv2D is a convolution that has absorbed the ops after it. Its inputs are x, w and, if
// there is a bias, the bias, with any shape that broadcasts along the channels.
type fusedConv2D struct {
	Conv     Conv2DOp
	Epilogue engine.Epilogue
	Pool     MaxPool2DOp // zero: none
}

func (op fusedConv2D) pools() bool { return op.Pool != MaxPool2DOp{} }

func (op fusedConv2D) Name() string {
	name := "Conv2D" + epilogueName(op.Epilogue)
	if op.pools() {
		name += "+" + op.Pool.Name()
	}
	return name
}

func (op fusedConv2D) Infer(in []shape.Type) (shape.Type, error) {
	y, err := op.unpooled(in)
	if err != nil || !op.pools() {
		return y, err
	}
	return op.Pool.Infer([]shape.Type{y})
}

// unpooled returns the type of the convolution's result before pooling.
func (op fusedConv2D) unpooled(in []shape.Type) (shape.Type, error) {
	return inferFused(op.Conv, op.Epilogue, -3, in)
}

func (fusedConv2D) NotDifferentiable() string { return madeByAbsorb }

func (op fusedConv2D) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	attrs, flat := op.Conv.attrs(op.Epilogue), flatOperands(op.Epilogue, in)
	if op.pools() {
		return op.bindPooled(e, attrs, flat, out)
	}
	c, ok := e.(engine.Conv2Der)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "Conv2D")
	}
	return c.BindConv2D(attrs, flat, out)
}

func (op fusedConv2D) bindPooled(e engine.Engine, attrs engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	c, ok := e.(engine.ConvPooler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "Conv2D with MaxPool2D")
	}
	y, err := op.Conv.Infer([]shape.Type{in[0].Type, in[1].Type})
	if err != nil {
		return engine.Bound{}, err
	}
	return c.BindConv2DMaxPool(attrs, op.Pool.attrs(), in, y, out)
}

func (op fusedConv2D) Weights(in []shape.Type) (engine.Weights, bool) { return op.Conv.Weights(in) }

func (op fusedConv2D) Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool) {
	if op.pools() {
		return nil, false
	}
	if pool, ok := next.(MaxPool2DOp); ok {
		return op.absorbPool(e, in, pool, nextIn)
	}
	ep, ok := extend(e, op.Epilogue, -3, next, at, nextIn)
	return fusedConv2D{Conv: op.Conv, Epilogue: ep}, ok
}

func (op fusedConv2D) absorbPool(e engine.Engine, in []shape.Type, pool MaxPool2DOp, y []shape.Type) (graph.Op, bool) {
	c, ok := e.(engine.ConvPooler)
	if !ok {
		return nil, false
	}
	out, err := pool.Infer(y)
	if err != nil || !c.FusesMaxPool(op.Conv.attrs(op.Epilogue), pool.attrs(), flatBias(op.Epilogue, in), y[0], out) {
		return nil, false
	}
	op.Pool = pool
	return op, true
}

// Scale implements vm's Scaler: a factor for each filter.
func (op Conv2DOp) Scale(n, factor *graph.Node) *graph.Node {
	w := n.In(1)
	if !isBias(factor.Type(), n.Type(), -3) {
		return nil
	}
	return graph.Apply(op, n.In(0), Mul(w, Reshape(factor, w.Type().Dim(0), 1, 1, 1)))
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op Conv2DOp) MACs(in []shape.Type, out shape.Type) int { return convMACs(out, in[1]) }

// PerExample convolves each row with its own filters, as a product of these with the patches of the
// row.
func (op Conv2DOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if own(n, in, 0) {
		return nil, fmt.Errorf("its image %v is shared by all examples; want one for each", n.In(0).Type())
	}
	if !own(n, in, 1) {
		return n, nil
	}
	p := op.patches(in[0].Type(), n.In(1).Type())
	columns := Conv2D(in[0], p.taps(in[0]), p.conv)
	y := MatMul(p.filters(in[1]), p.columns(columns))
	return Reshape(y, n.Type().Dims()...), nil
}

// convMACs returns one operation per element of y and tap of a filter of w.
func convMACs(y, w shape.Type) int { return y.Len() * w.Len() / max(w.Int(0), 1) }
