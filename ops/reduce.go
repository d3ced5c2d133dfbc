package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var reduceOps = []graph.Op{
	ReduceOp{Reduction: engine.Sum}, ReduceOp{Reduction: engine.Prod},
	ReduceOp{Reduction: engine.Maximum}, ReduceOp{Reduction: engine.Minimum},
	broadcastToOp{},
}

// Sum returns the sum of x over the given axes, which are dropped; without axes, over all. An empty
// sum is 0. Integers wrap around. This and the other reductions accept all number types.
func Sum(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Sum, false, x, axes) }

// SumKeep is [Sum] with a result of x's rank: the reduced axes stay, with extent 1.
func SumKeep(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Sum, true, x, axes) }

// Prod returns the product of x over the given axes, which are dropped; without axes, over all. An
// empty product is 1. It has no gradient over a batch of unknown size.
func Prod(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Prod, false, x, axes) }

// Max returns the greatest element of x over the given axes, which are dropped; without axes, over
// all. It is NaN if an element is NaN. The gradient is shared equally among equal maxima. An axis
// of extent 0 is an error.
func Max(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Maximum, false, x, axes) }

// MaxKeep is [Max] with a result of x's rank: the reduced axes stay, with extent 1.
func MaxKeep(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Maximum, true, x, axes) }

// Min returns the least element of x over the given axes. Otherwise it is like [Max].
func Min(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Minimum, false, x, axes) }

// MinKeep is [Min] with a result of x's rank: the reduced axes stay, with extent 1.
func MinKeep(x *graph.Node, axes ...int) *graph.Node { return reduce(engine.Minimum, true, x, axes) }

// Mean returns the average of floating-point x over the given axes, which are dropped; without
// axes, over all.
func Mean(x *graph.Node, axes ...int) *graph.Node { return mean("Mean", false, x, axes) }

// MeanKeep is [Mean] with a result of x's rank: the reduced axes stay, with extent 1.
func MeanKeep(x *graph.Node, axes ...int) *graph.Node { return mean("MeanKeep", true, x, axes) }

// Variance returns the mean squared distance of floating-point x from its mean over the given axes;
// without axes, over all. It is the biased variance: the sum of squares divided by the number of
// elements.
func Variance(x *graph.Node, axes ...int) *graph.Node {
	centre := mean("Variance", true, x, axes)
	if !centre.Valid() {
		return centre
	}
	return Mean(Square(Sub(x, centre)), axes...)
}

// L1Norm returns the sum of the magnitudes of floating-point x over the given axes, which are dropped; without
// axes, over all. Its derivative at 0 is 0.
func L1Norm(x *graph.Node, axes ...int) *graph.Node {
	return overFloats("L1Norm", x, axes, func(axes []int) *graph.Node { return Sum(Abs(x), axes...) })
}

// L2Norm returns the square root of the sum of squares of floating-point x over the given axes, which are dropped;
// without axes, over all. Its derivative where it is 0 is 0.
func L2Norm(x *graph.Node, axes ...int) *graph.Node {
	return overFloats("L2Norm", x, axes, func(axes []int) *graph.Node {
		squares := Sum(Square(x), axes...)
		zero := Equal(squares, Scalar(x, 0))
		return Where(zero, Scalar(x, 0), Sqrt(Where(zero, Scalar(x, 1), squares)))
	})
}

// LogSumExp returns the logarithm of the sum of exp(x) of floating-point x over the given axes, which are dropped;
// without axes, over all. It does not overflow where the result does not.
func LogSumExp(x *graph.Node, axes ...int) *graph.Node {
	return overFloats("LogSumExp", x, axes, func(axes []int) *graph.Node {
		most := StopGradient(MaxKeep(x, axes...))
		most = Where(IsInf(most), Scalar(x, 0), most)
		y := Log(SumKeep(Exp(Sub(x, most)), axes...))
		return Squeeze(Add(y, most), axes...)
	})
}

// overFloats calls f with the given axes, or all of x, of which none is empty, on behalf of the named function.
func overFloats(name string, x *graph.Node, axes []int, f func(axes []int) *graph.Node) *graph.Node {
	var all []int
	bad := refused(name, func() error {
		set, err := axesOf(x.Type().Shape, axes)
		if err != nil {
			return err
		}
		for i, d := range x.Type().Dims() {
			if !set.Has(i) {
				continue
			}
			if d == 0 {
				return fmt.Errorf("axis %d of %v has no elements; want at least one", i, x.Type())
			}
			all = append(all, i)
		}
		return wantFloat(x.Type())
	}, x)
	switch {
	case bad != nil:
		return bad
	case len(all) == 0: // a scalar
		return f(nil)
	}
	return f(all)
}

// mean computes a mean on behalf of the named function.
func mean(name string, keep bool, x *graph.Node, axes []int) *graph.Node {
	var set engine.Axes
	bad := refused(name, func() (err error) {
		if set, err = axesOf(x.Type().Shape, axes); err != nil {
			return err
		}
		return wantFloat(x.Type())
	}, x)
	if bad != nil {
		return bad
	}
	return meanOver(x, set, keep)
}

// meanOver returns the means of x over axes that it has.
func meanOver(x *graph.Node, axes engine.Axes, keep bool) *graph.Node {
	sum := graph.Apply(ReduceOp{Reduction: engine.Sum, Axes: axes, Keep: keep}, x)
	return Div(sum, graph.Apply(countOp{axes}, x))
}

func reduce(r engine.Reduction, keep bool, x *graph.Node, axes []int) *graph.Node {
	op := ReduceOp{Reduction: r, Keep: keep}
	if !valid(x) {
		return graph.Apply(op, x)
	}
	var err error
	if op.Axes, err = axesOf(x.Type().Shape, axes); err != nil {
		return x.Graph().Reject(op.Name(), err, x)
	}
	return graph.Apply(op, x)
}

// ReduceOp is the op of [Sum], [Prod], [Max], [Min] and their variants that keep the axes.
type ReduceOp struct {
	Reduction engine.Reduction
	Axes      engine.Axes
	Keep      bool // the reduced axes stay, with extent 1
}

// Name implements [graph.Op].
func (op ReduceOp) Name() string { return op.Reduction.String() }

// Infer implements [graph.Op].
func (op ReduceOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if err := number.check(in...); err != nil {
		return t, err
	}
	if err := checkAxes(op.Axes, in[0]); err != nil {
		return t, err
	}
	var dims []shape.Dim
	for i, d := range in[0].Dims() {
		switch {
		case !op.Axes.Has(i):
			dims = append(dims, d)
		case d == 0 && (op.Reduction == engine.Maximum || op.Reduction == engine.Minimum):
			return t, fmt.Errorf("axis %d of %v has no elements to choose from", i, in[0])
		case op.Keep:
			dims = append(dims, 1)
		}
	}
	return in[0].Of(shape.Of(dims...)), nil
}

// kept returns y, which has the type of a reduction's result, with the reduced axes of x inserted.
func (op ReduceOp) kept(y, x *graph.Node) *graph.Node {
	if op.Keep {
		return y
	}
	dims := x.Type().Dims()
	for i := range dims {
		if op.Axes.Has(i) {
			dims[i] = 1
		}
	}
	return Reshape(y, dims...)
}

// Grad implements autodiff's Differentiable.
func (op ReduceOp) Grad(n, dy *graph.Node) []*graph.Node {
	x := n.In(0)
	to := x.Type().Shape
	dy = op.kept(dy, x)
	switch op.Reduction {
	case engine.Sum:
		return one(BroadcastTo(dy, to))
	case engine.Prod:
		return one(op.prodGrad(x, dy))
	}
	best := Equal(x, op.kept(n, x))
	ties := graph.Apply(ReduceOp{Reduction: engine.Sum, Axes: op.Axes, Keep: true}, Cast(best, x.Type().DType))
	return one(Where(best, Div(dy, ties), Scalar(dy, 0)))
}

// prodGrad multiplies dy by the product of all other elements. It does not divide, so that zeros
// are no special case: it goes through the axes one by one and multiplies the other elements along
// the axis by the products of the other lines.
func (op ReduceOp) prodGrad(x, dy *graph.Node) *graph.Node {
	dx, rest := dy, x
	for i, d := range x.Type().Dims() {
		if !op.Axes.Has(i) {
			continue
		}
		if d.Symbolic() {
			return x.Graph().Reject("Prod", fmt.Errorf("the gradient of a product over the batch axis %d of %v: %w; Exp(Sum(Log(x))) has one",
				i, x.Type(), shape.ErrSymbolic), x)
		}
		dx = Mul(dx, others(rest, i))
		rest = graph.Apply(ReduceOp{Reduction: engine.Prod, Axes: engine.AxesOf(i), Keep: true}, rest)
	}
	return BroadcastTo(dx, x.Type().Shape)
}

// others returns for each element the product of the other elements along an axis. It pairs the
// elements of one half with those of the other: an element's result is its partner times the
// product of all other pairs.
func others(x *graph.Node, axis int) *graph.Node {
	n := x.Type().Int(axis)
	if n < 2 {
		return OnesLike(x)
	}
	half := n / 2
	low, high := sliceAxis(x, axis, 0, half), sliceAxis(x, axis, half, 2*half)
	pairs := Mul(low, high)
	if n%2 == 0 {
		o := others(pairs, axis)
		return Concat(axis, Mul(o, high), Mul(o, low))
	}
	o := others(Concat(axis, pairs, sliceAxis(x, axis, n-1, n)), axis)
	last := sliceAxis(o, axis, half, half+1)
	o = sliceAxis(o, axis, 0, half)
	return Concat(axis, Mul(o, high), Mul(o, low), last)
}

// sliceAxis takes the indices from start up to but not including stop of one axis.
func sliceAxis(x *graph.Node, axis, start, stop int) *graph.Node {
	ranges := make([]Range, axis+1)
	for i := range ranges {
		ranges[i] = Whole()
	}
	ranges[axis] = Range{Start: start, Stop: stop}
	return Slice(x, ranges...)
}

// Bind implements the vm's Bindable.
func (op ReduceOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	r, ok := e.(engine.Reducer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "reductions")
	}
	return r.BindReduce(op.Reduction, op.Axes, in, out)
}

// Simplify drops a reduction over no axes.
func (op ReduceOp) Simplify(n *graph.Node) *graph.Node {
	if op.Axes == 0 {
		return n.In(0)
	}
	return nil
}

// PerExample reduces the other axes of each row.
func (op ReduceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // a reduction over the rows has none, which the caller sees
	}
	op.Axes <<= 1
	return graph.Apply(op, in[0]), nil
}

// BroadcastTo broadcasts x to shape s: it repeats x, aligned at the last axis, along axes of extent
// 1 and missing axes.
func BroadcastTo(x *graph.Node, s shape.Shape) *graph.Node { return graph.Apply(broadcastToOp{s}, x) }

type broadcastToOp struct{ Shape shape.Shape }

func (broadcastToOp) Name() string { return "BroadcastTo" }

func (op broadcastToOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if err := op.Shape.Err(); err != nil {
		return t, err
	}
	if s, err := shape.Broadcast(in[0].Shape, op.Shape); err != nil || s != op.Shape {
		return t, fmt.Errorf("%v does not broadcast to %v", in[0], op.Shape)
	}
	return in[0].Of(op.Shape), nil
}

func (broadcastToOp) Grad(n, dy *graph.Node) []*graph.Node {
	return one(spreadBack(dy, n.In(0).Type().Shape))
}

func (broadcastToOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, out.DType, engine.In(0))
}

func (op broadcastToOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	if x.Type() == n.Type() {
		return x
	}
	if v, ok := uniform(x); ok {
		return Full(x, op.Shape, v)
	}
	if _, ok := x.Op().(broadcastToOp); ok {
		return BroadcastTo(x.In(0), op.Shape)
	}
	return nil
}

// PerExample broadcasts within each row.
func (broadcastToOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil
	}
	rows, to := in[0].Type().Dim(0), n.Type().Shape
	if !isBatch(to) {
		to = to.Insert(0, rows)
	}
	return BroadcastTo(Reshape(in[0], AlignRows(in[0].Type().Shape, to.Rank()).Dims()...), to), nil
}

// SumTo sums x over the axes along which shape s broadcasts to that of x. It is the adjoint of
// [BroadcastTo].
func SumTo(x *graph.Node, s shape.Shape) *graph.Node {
	bad := refused("SumTo", func() error {
		if b, err := shape.Broadcast(x.Type().Shape, s); err != nil || b != x.Type().Shape {
			return fmt.Errorf("%v does not broadcast to %v", s, x.Type())
		}
		return nil
	}, x)
	switch {
	case bad != nil:
		return bad
	case x.Type().Shape == s:
		return x
	}
	from := x.Type().Shape
	op := ReduceOp{Reduction: engine.Sum, Keep: true}
	missing := from.Rank() - s.Rank()
	for i, d := range from.Dims() {
		if i < missing || s.Dim(i-missing) != d {
			op.Axes |= engine.AxesOf(i)
		}
	}
	return Reshape(graph.Apply(op, x), s.Dims()...)
}
