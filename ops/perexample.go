package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The methods PerExample below implement autodiff's PerExample, for gradients of each example: they say
// what an op gives where inputs that all rows of a batch share are given anew for each row, with the
// rows in front. A method that is given n's own inputs says whether n keeps the rows apart.

// Elementwise reports whether op is computed element by element, over inputs that broadcast.
func Elementwise(op graph.Op) bool {
	_, ok := op.(interface {
		Map(in []shape.Type, out shape.Type) engine.Map
	})
	return ok
}

// own reports whether input i is given anew for each row.
func own(n *graph.Node, in []*graph.Node, i int) bool { return in[i] != n.In(i) }

// alone is the rule of an op that keeps rows apart and shares nothing between them.
func alone(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	for i := range in {
		if own(n, in, i) {
			return nil, fmt.Errorf("its input %d, %v, is shared by all examples; want one that belongs to each", i, n.In(i).Type())
		}
	}
	return n, nil
}

// apart is the rule of an op that works along one axis: f applies it along another one.
func apart(n *graph.Node, in []*graph.Node, axis int, f func(axis int) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(axis + 1), nil
	case axis == 0 && n.Type().Dim(0).Symbolic():
		return nil, fmt.Errorf("it works along the batch, axis 0 of %v, and so mixes the examples", n.In(0).Type())
	}
	return n, nil
}

// inFront puts an extent before the axes of a shape.
func inFront(d shape.Dim, s shape.Shape) []shape.Dim { return s.Insert(0, d).Dims() }

// PerExample moves the elements of each row.
func (ReshapeOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // those of a row lie together in either shape
	}
	return Reshape(in[0], inFront(in[0].Type().Dim(0), n.Type().Shape)...), nil
}

// PerExample keeps the rows in front.
func (op TransposeOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // rows that it moves are no longer in front, which is seen there
	}
	perm := []int{0}
	for _, p := range op.Perm[:n.Type().Rank()] {
		perm = append(perm, 1+int(p))
	}
	return Transpose(in[0], perm...), nil
}

// PerExample repeats what belongs to a row within it.
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

// isBatch reports whether s has rows.
func isBatch(s shape.Shape) bool { return s.Rank() > 0 && s.Dim(0).Symbolic() }

// AlignRows returns the shape in which what s holds for each row, its axis 0, broadcasts to the rows of
// a result of the given rank: (N,1,1,C) of (N,C) for rank 4. A row with more axes than those of the
// result must begin with axes of extent 1, which it loses.
func AlignRows(s shape.Shape, rank int) shape.Shape {
	for s.Rank() < rank {
		s = s.Insert(1, 1)
	}
	for s.Rank() > rank {
		s = s.Drop(1)
	}
	return s
}

// PerExample reduces the other axes of each row.
func (op ReduceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // a reduction of the rows has none, which is seen there
	}
	op.Axes <<= 1
	return graph.Apply(op, in[0]), nil
}

// PerExample takes the softmax of each row.
func (op SoftmaxOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	axis, err := n.Type().Axis(op.Axis)
	if err != nil {
		return nil, err
	}
	return apart(n, in, axis, func(axis int) *graph.Node { return graph.Apply(SoftmaxOp{axis, op.Log}, in[0]) })
}

// PerExample is that of the softmax.
func (op softmaxGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if axis, err := n.Type().Axis(op.Of.Axis); err != nil || axis == 0 && isBatch(n.Type().Shape) {
		return nil, fmt.Errorf("it works along the batch, axis 0 of %v, and so mixes the examples", n.Type())
	}
	return alone(n, in)
}

// PerExample sums each row.
func (op cumSumOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return apart(n, in, op.Axis, func(axis int) *graph.Node { return graph.Apply(cumSumOp{axis, op.Reverse}, in[0]) })
}

// PerExample joins what the rows have.
func (op ConcatOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	rows, some := shape.Dim(0), false
	for i, x := range in {
		if own(n, in, i) {
			rows, some = x.Type().Dim(0), true
		}
	}
	switch {
	case !some && op.Axis == 0 && isBatch(n.Type().Shape):
		return nil, errors.New("it joins batches, after which it is no longer told which row is of which example")
	case !some:
		return n, nil
	}
	xs := make([]*graph.Node, len(in))
	for i, x := range in {
		if xs[i] = x; !own(n, in, i) {
			xs[i] = BroadcastTo(x, x.Type().Insert(0, rows))
		}
	}
	return Concat(op.Axis+1, xs...), nil
}

// withRows is the region of each row of a batch.
func (r region) withRows(rows shape.Dim) region {
	b := wholeOf(r.Whole.Insert(0, rows))
	b.Part = r.Part.Insert(0, rows)
	copy(b.Start[1:], r.Start[:r.Whole.Rank()])
	copy(b.Step[1:], r.Step[:r.Whole.Rank()])
	return b
}

// takesAllRows reports whether the region has all of axis 0, as it stands.
func (r region) takesAllRows() bool {
	return r.Start[0] == 0 && r.Step[0] == 1 && r.Part.Dim(0) == r.Whole.Dim(0)
}

// PerExample takes the part of each row.
func (op SliceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return op.perRow(n, in, func(r region) *graph.Node { return graph.Apply(SliceOp{r}, in[0]) })
}

// PerExample puts each row into zeros.
func (op embedOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return op.perRow(n, in, func(r region) *graph.Node { return graph.Apply(embedOp{r}, in[0]) })
}

func (r region) perRow(n *graph.Node, in []*graph.Node, f func(region) *graph.Node) (*graph.Node, error) {
	switch {
	case own(n, in, 0):
		return f(r.withRows(in[0].Type().Dim(0))), nil
	case isBatch(n.Type().Shape) && !r.takesAllRows():
		return nil, errors.New("it takes part of the batch, after which it is no longer told which row is of which example")
	}
	return n, nil
}

// PerExample continues each row.
func (op PadOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // the batch axis cannot be padded
	}
	if n.Type().Rank() == shape.MaxRank {
		return nil, fmt.Errorf("%v has no room for an axis of examples", n.Type())
	}
	wide := PadOp{Mode: op.Mode, Value: op.Value}
	copy(wide.Before[1:], op.Before[:])
	copy(wide.After[1:], op.After[:])
	return graph.Apply(wide, in[0]), nil
}

// PerExample takes what each id says, from the rows of x where there are some.
func (op gatherOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	x, ids := in[0], in[1]
	batched := isBatch(ids.Type().Shape)
	switch {
	case !own(n, in, 0) && op.Axis == 0 && isBatch(x.Type().Shape):
		return nil, fmt.Errorf("it takes elements along the batch, axis 0 of %v, and so mixes the examples", x.Type())
	case !own(n, in, 0):
		return n, nil
	case !batched && op.Along: // the rows of x share the ids
		return GatherAlong(x, op.Axis+1, BroadcastTo(ids, ids.Type().Insert(0, x.Type().Dim(0)))), nil
	case !batched:
		return Gather(x, op.Axis+1, ids), nil
	case op.Axis != 0:
		return nil, fmt.Errorf("it takes elements of %v along axis %d for ids of the batch; want axis 0", n.In(0).Type(), op.Axis)
	case op.Along: // each row of the result is taken from a table of its own
		return Squeeze(GatherAlong(x, 1, Unsqueeze(ids, 1)), 1), nil
	}
	// (N,V,D...) by ids (N,I) that are spread to (N,I,D...)
	rows, picks := ids.Type().Dim(0), shape.Dim(shape.Of(ids.Type().Dims()[1:]...).Len())
	spread := []shape.Dim{rows, picks}
	for range x.Type().Rank() - 2 {
		spread = append(spread, 1)
	}
	each := BroadcastTo(Reshape(ids, spread...), x.Type().With(1, picks))
	return Reshape(GatherAlong(x, 1, each), n.Type().Dims()...), nil
}

// PerExample adds up within each row.
func (op scatterAddOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if op.Gather.Axis == 0 && isBatch(n.Type().Shape) {
		return nil, fmt.Errorf("it adds up along the batch, axis 0 of %v, and so mixes the examples", n.Type())
	}
	return alone(n, in)
}

// PerExample does not look at the input that lends its type.
func (OneHotOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 1) || isBatch(n.Type().Shape) {
		return n, nil
	}
	return BroadcastTo(n, n.Type().Insert(0, in[1].Type().Dim(0))), nil
}

// PerExample multiplies the matrices of each row.
func (op MatMulOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	a, b := n.In(0).Type(), n.In(1).Type()
	if _, inner := matrixDims(a, op.TransA); inner.Symbolic() {
		return nil, fmt.Errorf("it sums over the batch, %v by %v, and so mixes the examples", a, b)
	}
	ownA, ownB := own(n, in, 0), own(n, in, 1)
	if !ownA && !ownB {
		return n, nil
	}
	if isBatch(n.Type().Shape) && n.Type().Rank() == 2 { // rows by a matrix each: as (N,1,K) by (N,K,P)
		if ownA || op.TransA {
			return nil, fmt.Errorf("the rows of its result are no examples of %v; want (N,...) as the operand in front", a)
		}
		y := MatMul(Unsqueeze(in[0], 1), in[1], op)
		return Reshape(y, n.Type().Dims()...), nil
	}
	batch := batchShape(n.Type())
	if !isBatch(n.Type().Shape) {
		batch = batch.Insert(0, rowsOf(n, in))
	}
	return MatMul(matrices(in[0], ownA, batch), matrices(in[1], ownB, batch), op), nil
}

// rowsOf is the number of rows of the inputs that are given anew.
func rowsOf(n *graph.Node, in []*graph.Node) shape.Dim {
	for i, x := range in {
		if own(n, in, i) {
			return x.Type().Dim(0)
		}
	}
	return 0
}

// matrices spreads an operand to a batch of matrices; one of two axes serves every batch.
func matrices(x *graph.Node, own bool, batch shape.Shape) *graph.Node {
	t := x.Type()
	if !own && t.Rank() == 2 {
		return x
	}
	if own {
		x = Reshape(x, AlignRows(t.Shape, batch.Rank()+2).Dims()...)
	}
	return BroadcastTo(x, shape.Of(append(batch.Dims(), t.Dim(-2), t.Dim(-1))...))
}

// PerExample convolves each row with filters of its own: a product of these and the patches of the row.
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

// PerExample is that of the convolution: patches are summed to images.
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

// patches are what the windows of a convolution see: a convolution of each channel by itself, with as
// many filters as a window has elements, each of which picks one of them.
type patches struct {
	conv                Conv2DOp
	channels            int
	kernel              [2]int
	groups, outs, depth shape.Dim // outs filters of depth elements in each group
}

func (op Conv2DOp) patches(x, w shape.Type) patches {
	p := patches{conv: op, channels: x.Int(1), kernel: imageSize(w), groups: shape.Dim(op.Groups)}
	p.conv.Groups = p.channels
	p.outs, p.depth = shape.Dim(w.Int(0)/op.Groups), shape.Dim(w.Len()/w.Int(0))
	return p
}

// taps are the filters, (C*KH*KW,1,KH,KW), in x's graph.
func (p patches) taps(x *graph.Node) *graph.Node {
	taps := p.kernel[0] * p.kernel[1]
	v := make([]float64, p.channels*taps*taps)
	for i := range p.channels * taps {
		v[i*taps+i%taps] = 1
	}
	t := x.Type().Of(shape.OfInts(p.channels*taps, 1, p.kernel[0], p.kernel[1]))
	return x.Graph().Const(t, v)
}

// columns gives the patches (N,C*KH*KW,OH,OW) an axis of groups and one of places.
func (p patches) columns(x *graph.Node) *graph.Node {
	t := x.Type()
	return Reshape(x, t.Dim(0), p.groups, p.depth, t.Dim(2)*t.Dim(3))
}

// filters gives those of each row, (N,O,C/Groups,KH,KW), an axis of groups.
func (p patches) filters(w *graph.Node) *graph.Node {
	return Reshape(w, w.Type().Dim(0), p.groups, p.outs, p.depth)
}

// PerExample keeps the rows apart.
func (Pool2DOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) { return alone(n, in) }

// PerExample keeps the rows apart.
func (AvgPool2DOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample is refused: filters are summed over all rows.
func (conv2DFilterGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample keeps the rows apart: the batch axis cannot be padded.
func (padGradOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample keeps the rows apart.
func (windowSum) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample keeps the rows apart.
func (maxPool2DScatter) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample keeps the rows apart.
func (maxPool2DGather) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample keeps the rows apart.
func (avgPool2DGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return alone(n, in)
}

// PerExample gives what no gradient passes.
func (stopGradientOp) PerExample(_ *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return StopGradient(in[0]), nil
}
