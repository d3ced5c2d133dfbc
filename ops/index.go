package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var indexOps = []graph.Op{
	gatherOp{}, gatherOp{Along: true}, scatterAddOp{}, scatterAddOp{Gather: gatherOp{Along: true}}, topKOp{K: 1}, cumSumOp{},
	updateSliceOp{}, scatterOp{}, scatterOp{Gather: gatherOp{Along: true}}, linearScanOp{},
}

// Gather takes slices of x, of any element type, along an axis. ids, integers of any shape, selects
// them; the axes of ids replace the axis in the result. For x (N,V,D), axis 1 and ids (K) the
// result is (N,K,D). An id outside the axis is an error of the run.
func Gather(x *graph.Node, axis int, ids *graph.Node) *graph.Node {
	return graph.Apply(gatherOp{Axis: fromEnd(axis, x)}, x, ids)
}

// GatherAlong takes elements of x along an axis, with an id for each element. The result and ids,
// integers, have x's shape except in the axis; for axis 1, element [i,j] of the result is
// x[i,ids[i,j]]. PyTorch calls it gather, NumPy take_along_axis. An id outside the axis is an error
// of the run.
func GatherAlong(x *graph.Node, axis int, ids *graph.Node) *graph.Node {
	return graph.Apply(gatherOp{Axis: fromEnd(axis, x), Along: true}, x, ids)
}

// fromEnd converts a negative axis of x, which counts from the end.
func fromEnd(axis int, x *graph.Node) int {
	if axis < 0 && x != nil && x.Valid() && axis+x.Type().Rank() >= 0 {
		axis += x.Type().Rank()
	}
	return axis
}

// Embedding takes a row of w (V,D) for each of the ids, integers (...). The result is (...,D). An
// id outside 0..V-1 is an error of the run.
func Embedding(w, ids *graph.Node) *graph.Node {
	bad := refused("Embedding", func() error {
		if w.Type().Rank() != 2 {
			return fmt.Errorf("want a table (V,D) of a row for each id, have %v", w.Type())
		}
		_, err := gatherOp{}.Infer([]shape.Type{w.Type(), ids.Type()})
		return err
	}, w, ids)
	if bad != nil {
		return bad
	}
	return Gather(w, 0, ids)
}

// gatherOp has the inputs x and ids; see [engine.Gather].
type gatherOp struct {
	Axis  int
	Along bool
}

func (op gatherOp) Name() string {
	if op.Along {
		return "GatherAlong"
	}
	return "Gather"
}

func (op gatherOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	x, ids := in[0], in[1]
	if err := op.check(x, ids); err != nil {
		return t, err
	}
	if op.Along {
		return x.Of(ids.Shape), nil
	}
	if x.Rank()-1+ids.Rank() > shape.MaxRank {
		return t, fmt.Errorf("%v by ids %v would have %d axes; want at most %d", x, ids, x.Rank()-1+ids.Rank(), shape.MaxRank)
	}
	t = x.Of(x.Drop(op.Axis))
	for i, d := range ids.Dims() {
		t.Shape = t.Insert(op.Axis+i, d)
	}
	_, err = volumeOf(t.Shape)
	return t, err
}

func (op gatherOp) check(x, ids shape.Type) error {
	switch {
	case op.Axis < 0 || op.Axis >= x.Rank():
		return fmt.Errorf("no axis %d in %v", op.Axis, x)
	case !ids.IsInt():
		return integers.admits("ids are", ids)
	case !op.Along:
		return nil
	case ids.Rank() != x.Rank() || ids.With(op.Axis, 0) != x.With(op.Axis, 0):
		return fmt.Errorf("ids are %v, the input is %v; they may differ only in axis %d", ids, x, op.Axis)
	}
	return nil
}

func (op gatherOp) attrs() engine.Gather { return engine.Gather{Axis: op.Axis, Along: op.Along} }

// Grad adds the adjoint to the elements that were taken.
func (op gatherOp) Grad(n, dy *graph.Node) []*graph.Node {
	x, ids := n.In(0), n.In(1)
	back := scatterAddOp{op, x.Type().Dim(op.Axis), ids.Type().Rank()}
	return []*graph.Node{inFloat32(dy, func(dy *graph.Node) *graph.Node { return graph.Apply(back, dy, ids) }), nil}
}

func (op gatherOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, ok := e.(engine.Indexer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return x.BindGather(op.attrs(), in, out)
}

// Simplify replaces a gather by a slice if the ids are known and evenly spaced. The adjoint of a
// slice is no larger than the slice.
func (op gatherOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	r, ok := op.region(x.Type().Shape, n.In(1))
	if !ok {
		return nil
	}
	return Reshape(graph.Apply(SliceOp{r}, x), n.Type().Dims()...)
}

// region returns the region of whole that the ids select, if they are known and evenly spaced.
func (op gatherOp) region(whole shape.Shape, ids *graph.Node) (r region, ok bool) {
	v := ids.Values()
	extent, concrete := whole.Dim(op.Axis).Int()
	if op.Along || len(v) == 0 || !concrete {
		return r, false
	}
	r, step := wholeOf(whole), 1
	if len(v) > 1 {
		step = int(v[1] - v[0])
	}
	for i, id := range v {
		if id < 0 || id >= float64(extent) || step == 0 || id != v[0]+float64(i*step) {
			return r, false // an id outside the axis is an error of the run
		}
	}
	r.Start[op.Axis], r.Step[op.Axis] = shape.Dim(v[0]), step
	r.Part = r.Part.With(op.Axis, shape.Dim(len(v)))
	return r, true
}

// PerExample gathers within the rows of x, if it has any.
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
	case op.Along: // each row of the result is taken from its own table
		return Squeeze(GatherAlong(x, 1, Unsqueeze(ids, 1)), 1), nil
	}
	// (N,V,D...) by ids (N,I) that are broadcast to (N,I,D...)
	rows, picks := ids.Type().Dim(0), shape.Dim(shape.Of(ids.Type().Dims()[1:]...).Len())
	spread := []shape.Dim{rows, picks}
	for range x.Type().Rank() - 2 {
		spread = append(spread, 1)
	}
	each := BroadcastTo(Reshape(ids, spread...), x.Type().With(1, picks))
	return Reshape(GatherAlong(x, 1, each), n.Type().Dims()...), nil
}

// scatterAddOp computes dx from dy, which has the type of the gather of x, and the ids.
type scatterAddOp struct {
	Gather gatherOp
	Extent shape.Dim // of the axis of x
	Axes   int       // number of axes of the ids
}

func (op scatterAddOp) Name() string {
	if op.Gather.Along {
		return "ScatterAddAlong"
	}
	return "ScatterAdd"
}

func (op scatterAddOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	dy, ids := in[0], in[1]
	axes := op.Axes
	if op.Gather.Along {
		axes = 1
	}
	switch {
	case !dy.IsFloat():
		return t, floating.admits("dy is", dy)
	case ids.Rank() != op.Axes || op.Gather.Axis < 0 || op.Gather.Axis+axes > dy.Rank():
		return t, fmt.Errorf("dy is %v, ids are %v; want ids of %d axes, for axis %d", dy, ids, op.Axes, op.Gather.Axis)
	}
	x := dy
	for range axes {
		x.Shape = x.Drop(op.Gather.Axis)
	}
	x.Shape = x.Insert(op.Gather.Axis, op.Extent)
	y, err := op.Gather.Infer([]shape.Type{x, ids})
	if err == nil && y != dy {
		err = fmt.Errorf("%v by ids %v is %v, dy is %v", x, ids, y, dy)
	}
	return x, err
}

// Grad gathers the adjoint from where the elements were added.
func (op scatterAddOp) Grad(n, ddx *graph.Node) []*graph.Node {
	return []*graph.Node{graph.Apply(op.Gather, ddx, n.In(1)), nil}
}

func (op scatterAddOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, ok := e.(engine.Indexer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return x.BindScatterAdd(op.Gather.attrs(), in, out)
}

// Simplify embeds dy in zeros if the ids are known and evenly spaced.
func (op scatterAddOp) Simplify(n *graph.Node) *graph.Node {
	r, ok := op.Gather.region(n.Type().Shape, n.In(1))
	if !ok {
		return nil
	}
	return graph.Apply(embedOp{r}, Reshape(n.In(0), r.Part.Dims()...))
}

// PerExample adds within each row.
func (op scatterAddOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if op.Gather.Axis == 0 && isBatch(n.Type().Shape) {
		return nil, fmt.Errorf("it adds up along the batch, axis 0 of %v, and so mixes the examples", n.Type())
	}
	return alone(n, in)
}

// TopK returns the k greatest elements of x along an axis in descending order, and their indices,
// Int64. Both have x's shape, with extent k in the axis. Equal elements are in the order of their
// indices; NaN is greater than all numbers. Gradients go to the elements that the values come from.
func TopK(x *graph.Node, k, axis int) (values, places *graph.Node) {
	return topKOp{Axis: fromEnd(axis, x), K: k}.take(x)
}

// BottomK is [TopK] for the k least elements, in ascending order.
func BottomK(x *graph.Node, k, axis int) (values, places *graph.Node) {
	return topKOp{Axis: fromEnd(axis, x), K: k, Least: true}.take(x)
}

func (op topKOp) take(x *graph.Node) (values, places *graph.Node) {
	places = graph.Apply(op, x)
	if !places.Valid() {
		return places, places
	}
	return GatherAlong(x, op.Axis, places), places
}

// ArgMax returns the index, Int64, of the greatest element of x along an axis, which the result no
// longer has. Of equal elements the first counts; NaN is greater than all numbers.
func ArgMax(x *graph.Node, axis int) *graph.Node {
	return topKOp{Axis: fromEnd(axis, x), K: 1}.first("ArgMax", x)
}

// ArgMin returns the index, Int64, of the least element of x along an axis, which the result no
// longer has. Of equal elements the first counts; NaN is greater than all numbers.
func ArgMin(x *graph.Node, axis int) *graph.Node {
	return topKOp{Axis: fromEnd(axis, x), K: 1, Least: true}.first("ArgMin", x)
}

func (op topKOp) first(name string, x *graph.Node) *graph.Node {
	bad := refused(name, func() error {
		_, err := op.Infer([]shape.Type{x.Type()})
		return err
	}, x)
	if bad != nil {
		return bad
	}
	return Squeeze(graph.Apply(op, x), op.Axis)
}

// topKOp returns the indices of the K greatest or least elements along an axis.
type topKOp struct {
	Axis, K int
	Least   bool
}

func (op topKOp) Name() string {
	if op.Least {
		return "BottomK"
	}
	return "TopK"
}

func (op topKOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if err := number.check(in...); err != nil {
		return t, err
	}
	x := in[0]
	if op.Axis < 0 || op.Axis >= x.Rank() {
		return t, fmt.Errorf("no axis %d in %v", op.Axis, x)
	}
	n, ok := x.Dim(op.Axis).Int()
	switch {
	case !ok && op.K != 1:
		return t, fmt.Errorf("%d of the batch axis of %v: %w", op.K, x, shape.ErrSymbolic)
	case op.K < 1 || ok && op.K > n:
		return t, fmt.Errorf("%d of the %d elements of axis %d of %v; want 1 to as many as there are", op.K, n, op.Axis, x)
	}
	return shape.Type{DType: shape.Int64, Shape: x.With(op.Axis, shape.Dim(op.K))}, nil
}

func (topKOp) NotDifferentiable() string { return "its result is places, integers" }

func (op topKOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, ok := e.(engine.Indexer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return x.BindTopK(engine.TopK{Axis: op.Axis, Least: op.Least}, in, out)
}

// A Scan says which elements [CumSum] and [CumProd] have in each of their results, besides the element
// itself: those before it or, with Reverse, those after it. Exclusive leaves the element itself out.
type Scan struct{ Reverse, Exclusive bool }

// CumSum returns the running sum of x along an axis: of each element and those before it, unless a
// [Scan] says otherwise. Integers wrap around.
func CumSum(x *graph.Node, axis int, scan ...Scan) *graph.Node {
	op := cumSumOp{Axis: fromEnd(axis, x)}
	if len(scan) > 0 {
		op.Scan = scan[0]
	}
	return graph.Apply(op, x)
}

type cumSumOp struct {
	Axis int
	Scan
}

func (cumSumOp) Name() string { return "CumSum" }

func (op cumSumOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if op.Axis < 0 || op.Axis >= in[0].Rank() {
		return t, fmt.Errorf("no axis %d in %v", op.Axis, in[0])
	}
	return in[0], number.check(in...)
}

func (op cumSumOp) Grad(_, dy *graph.Node) []*graph.Node {
	op.Reverse = !op.Reverse
	return one(graph.Apply(op, dy))
}

func (op cumSumOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	s, ok := e.(engine.Scanner)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return s.BindCumSum(engine.CumSum{Axis: op.Axis, Reverse: op.Reverse, Exclusive: op.Exclusive}, in, out)
}

// PerExample sums within each row.
func (op cumSumOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return apart(n, in, op.Axis, func(axis int) *graph.Node { return graph.Apply(cumSumOp{axis, op.Scan}, in[0]) })
}

// CumProd returns the running product of floating-point x along an axis whose extent is a number, at least 1: of
// each element and those before it, unless a [Scan] says otherwise.
func CumProd(x *graph.Node, axis int, scan ...Scan) *graph.Node {
	axis = fromEnd(axis, x)
	bad := refused("CumProd", func() error {
		_, err := linearScanOp{Axis: axis}.Infer([]shape.Type{x.Type(), x.Type()})
		return err
	}, x)
	if bad != nil {
		return bad
	}
	op := linearScanOp{Axis: axis}
	exclusive := len(scan) > 0 && scan[0].Exclusive
	op.Reverse = len(scan) > 0 && scan[0].Reverse
	begins := Equal(numbers(x.Graph(), x.Type().Dim(axis)), op.end(x))
	begins = Reshape(begins, append([]shape.Dim{x.Type().Dim(axis)}, onesOf(x.Type().Rank()-1-axis)...)...)
	if exclusive {
		first := Where(begins, Scalar(x, 1), Scalar(x, 0))
		return graph.Apply(op, op.before(x), BroadcastTo(first, x.Type().Shape))
	}
	return graph.Apply(op, x, Where(begins, x, Scalar(x, 0)))
}

// onesOf returns so many extents of 1.
func onesOf(n int) []shape.Dim { return slices.Repeat([]shape.Dim{1}, n) }

// LinearScan returns h of a and b, of one floating-point type, along an axis whose extent is a number, at least 1:
// h[0] = b[0] and h[i] = a[i]*h[i-1] + b[i].
func LinearScan(a, b *graph.Node, axis int) *graph.Node {
	return graph.Apply(linearScanOp{Axis: fromEnd(axis, a)}, a, b)
}

// linearScanOp is [LinearScan], from the last element on if Reverse is set.
type linearScanOp struct {
	Axis    int
	Reverse bool
}

func (linearScanOp) Name() string { return "LinearScan" }

func (op linearScanOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if err := wantFloat(in...); err != nil {
		return t, err
	}
	switch a := in[0]; {
	case op.Axis < 0 || op.Axis >= a.Rank():
		return t, fmt.Errorf("no axis %d in %v", op.Axis, a)
	case a.Dim(op.Axis).Symbolic() || a.Dim(op.Axis) == 0:
		return t, fmt.Errorf("axis %d of %v; want an extent that is a number, at least 1", op.Axis, a)
	}
	return in[0], sameType(in[0], in[1])
}

// end returns the place where the scan of x begins.
func (op linearScanOp) end(x *graph.Node) *graph.Node {
	last := 0.0
	if op.Reverse {
		last = float64(x.Type().Int(op.Axis) - 1)
	}
	return x.Graph().Const(shape.I32(), []float64{last})
}

// before returns at each element that of x before it in the order of the scan, and 0 at the first.
func (op linearScanOp) before(x *graph.Node) *graph.Node {
	n := x.Type().Int(op.Axis)
	zero := Full(x, x.Type().With(op.Axis, 1), 0)
	if n == 1 {
		return zero
	}
	if op.Reverse {
		return Concat(op.Axis, sliceAxis(x, op.Axis, 1, n), zero)
	}
	return Concat(op.Axis, zero, sliceAxis(x, op.Axis, 0, n-1))
}

// Grad scans the adjoint in the other order.
func (op linearScanOp) Grad(n, dy *graph.Node) []*graph.Node {
	back := linearScanOp{op.Axis, !op.Reverse}
	db := graph.Apply(back, back.before(n.In(0)), dy)
	return []*graph.Node{Mul(db, op.before(n)), db}
}

func (op linearScanOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	s, ok := e.(engine.Scanner)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return s.BindLinearScan(op.Axis, op.Reverse, in, out)
}

// PerExample scans within each row.
func (op linearScanOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	switch {
	case !anyOwn(n, in):
		return n, nil
	case isBatch(n.Type().Shape):
		return nil, sharedBatch(n)
	}
	return graph.Apply(linearScanOp{op.Axis + 1, op.Reverse}, eachOwn(n, in, 2)...), nil
}
