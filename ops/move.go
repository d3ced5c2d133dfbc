package ops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var moveOps = []graph.Op{
	ReshapeOp{}, TransposeOp{}, ConcatOp{}, SliceOp{}, embedOp{}, embedAddOp{}, PadOp{}, padGradOp{}, OneHotOp{},
}

// mover returns e as an engine.Mover.
func mover(e engine.Engine, op graph.Op) (engine.Mover, error) {
	m, ok := e.(engine.Mover)
	if !ok {
		return nil, engine.Missing(e, op.Name())
	}
	return m, nil
}

// Transpose reorders x's axes: axis i of the result is axis perm[i] of x. Without perm it
// reverses them.
func Transpose(x *graph.Node, perm ...int) *graph.Node {
	if x == nil || !x.Valid() {
		return graph.Apply(TransposeOp{}, x)
	}
	rank := x.Type().Rank()
	if len(perm) == 0 {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
	}
	if _, err := axisSet(rank, perm); err != nil || len(perm) != rank {
		return x.Graph().Reject("Transpose", fmt.Errorf("%v is not a permutation of the %d axes of %v", perm, rank, x.Type()), x)
	}
	var op TransposeOp
	for i, a := range perm {
		op.Perm[i] = uint8((a + rank) % rank)
	}
	return graph.Apply(op, x)
}

// TransposeOp is the op of [Transpose]. Entries of Perm beyond the rank are 0.
type TransposeOp struct{ Perm engine.Perm }

// Name implements [graph.Op].
func (TransposeOp) Name() string { return "Transpose" }

// Infer implements [graph.Op].
func (op TransposeOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	out, seen := in[0], [shape.MaxRank]bool{}
	for i := range out.Rank() {
		p := op.Perm[i]
		if int(p) >= out.Rank() || seen[p] {
			return shape.Type{}, fmt.Errorf("%v is not a permutation of the axes of %v", op.Perm[:out.Rank()], in[0])
		}
		seen[p] = true
		out.Shape = out.With(i, in[0].Dim(int(p)))
	}
	return out, nil
}

// Grad moves the axes back.
func (op TransposeOp) Grad(n, dy *graph.Node) []*graph.Node {
	var back TransposeOp
	for i := range n.Type().Rank() {
		back.Perm[op.Perm[i]] = uint8(i)
	}
	return one(graph.Apply(back, dy))
}

// Bind implements the vm's Bindable.
func (op TransposeOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindTranspose(op.Perm, in, out)
}

// Simplify joins two transpositions, and replaces one that moves only axes of extent 1 by a
// Reshape, which is free.
func (op TransposeOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	if inner, ok := x.Op().(TransposeOp); ok {
		var both TransposeOp
		for i := range n.Type().Rank() {
			both.Perm[i] = inner.Perm[op.Perm[i]]
		}
		return graph.Apply(both, x.In(0))
	}
	var moved []uint8
	for _, p := range op.Perm[:n.Type().Rank()] {
		if x.Type().Dim(int(p)) != 1 {
			moved = append(moved, p)
		}
	}
	if slices.IsSorted(moved) {
		return Reshape(x, n.Type().Dims()...)
	}
	return nil
}

// PerExample keeps the rows in front.
func (op TransposeOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // if it moves the rows, the caller sees that they are no longer in front
	}
	perm := []int{0}
	for _, p := range op.Perm[:n.Type().Rank()] {
		perm = append(perm, 1+int(p))
	}
	return Transpose(in[0], perm...), nil
}

// Concat joins tensors along an axis. All other extents and the element types must be equal. Along
// the batch, extents N and 2N add up to 3N.
func Concat(axis int, xs ...*graph.Node) *graph.Node {
	if axis < 0 && len(xs) > 0 && xs[0] != nil && xs[0].Valid() && axis+xs[0].Type().Rank() >= 0 {
		axis += xs[0].Type().Rank()
	}
	return graph.Apply(ConcatOp{axis}, xs...)
}

// ConcatOp is the op of [Concat].
type ConcatOp struct{ Axis int }

// Name implements [graph.Op].
func (ConcatOp) Name() string { return "Concat" }

// Infer implements [graph.Op].
func (op ConcatOp) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) == 0 {
		return shape.Type{}, errors.New("there is nothing to join; want at least one input")
	}
	out := in[0]
	if op.Axis < 0 || op.Axis >= out.Rank() {
		return shape.Type{}, fmt.Errorf("no axis %d in %v", op.Axis, out)
	}
	for i, t := range in[1:] {
		if t.Rank() != out.Rank() || t.Of(t.With(op.Axis, 0)) != out.Of(out.With(op.Axis, 0)) {
			return shape.Type{}, fmt.Errorf("input %d is %v, input 0 is %v; they may differ only in axis %d", i+1, t, in[0], op.Axis)
		}
		d, err := out.Dim(op.Axis).Add(t.Dim(op.Axis))
		if err != nil {
			return shape.Type{}, fmt.Errorf("extent of axis %d: %w", op.Axis, err)
		}
		out.Shape = out.With(op.Axis, d)
	}
	return out, nil
}

// Grad cuts the adjoint into the parts that came from the inputs.
func (op ConcatOp) Grad(n, dy *graph.Node) []*graph.Node {
	dxs := make([]*graph.Node, n.NIn())
	r := wholeOf(n.Type().Shape)
	for i, x := range n.Ins() {
		r.Part = x.Type().Shape
		dxs[i] = graph.Apply(SliceOp{r}, dy)
		r.Start[op.Axis] += r.Part.Dim(op.Axis) // Infer has already added these
	}
	return dxs
}

// Bind implements the vm's Bindable.
func (op ConcatOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindConcat(op.Axis, in, out)
}

// Joins implements the vm's Joiner.
func (ConcatOp) Joins() {}

// Simplify drops a Concat of one tensor.
func (ConcatOp) Simplify(n *graph.Node) *graph.Node {
	if n.NIn() == 1 {
		return n.In(0)
	}
	return nil
}

// PerExample joins the rows.
func (op ConcatOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	rows, some := shape.Dim(0), false
	for i, x := range in {
		if own(n, in, i) {
			rows, some = x.Type().Dim(0), true
		}
	}
	switch {
	case !some && op.Axis == 0 && isBatch(n.Type().Shape):
		return nil, errors.New("it joins batches, after which rows can no longer be assigned to examples")
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

// End as [Range.Stop] means up to the end of the axis or, with a negative step, down to its
// beginning.
const End = math.MaxInt

// Range selects the indices Start, Start+Step, ... of an axis, up to but not including Stop. As in
// NumPy, a negative Start or Stop counts from the end, and a negative Step walks backwards. A Step
// of 0 means 1. Unlike in NumPy, and as in Go, bounds beyond the axis are errors.
type Range struct{ Start, Stop, Step int }

// Whole returns the [Range] of a whole axis.
func Whole() Range { return Range{Stop: End} }

// Slice returns a part of x, given by one range per axis. Axes without a range are taken whole; an
// axis whose extent depends on N must be taken whole. The result has x's rank; see [Squeeze].
func Slice(x *graph.Node, ranges ...Range) *graph.Node {
	if x == nil || !x.Valid() {
		return graph.Apply(SliceOp{}, x)
	}
	s := x.Type().Shape
	if len(ranges) > s.Rank() {
		return x.Graph().Reject("Slice", fmt.Errorf("%d ranges were given for the %d axes of %v", len(ranges), s.Rank(), s), x)
	}
	r := wholeOf(s)
	for i, rg := range ranges {
		if err := r.limit(i, rg); err != nil {
			return x.Graph().Reject("Slice", fmt.Errorf("axis %d of %v: %w", i, s, err), x)
		}
	}
	return graph.Apply(SliceOp{r}, x)
}

// region is a strided part of a tensor: along axis i the elements Start[i], Start[i]+Step[i], and
// so on. Whole and Part are the shapes of the tensor and of the part. A Start along the batch is a
// multiple of N.
type region struct {
	Whole, Part shape.Shape
	Start       [shape.MaxRank]shape.Dim
	Step        [shape.MaxRank]int
}

// wholeOf returns the region that covers all of s.
func wholeOf(s shape.Shape) region {
	r := region{Whole: s, Part: s}
	for i := range s.Rank() {
		r.Step[i] = 1
	}
	return r
}

// limit restricts axis i, so far whole, to a range.
func (r *region) limit(i int, rg Range) error {
	if rg.Step == 0 {
		rg.Step = 1
	}
	if rg == (Range{0, End, 1}) {
		return nil
	}
	n, ok := r.Whole.Dim(i).Int()
	switch {
	case !ok:
		return fmt.Errorf("the batch axis cannot be sliced, only taken by Whole(): %w", shape.ErrSymbolic)
	case n == 0:
		return errors.New("an axis without elements can only be taken by Whole()")
	}
	start, err := position(rg.Start, n, 0, n-1)
	if err != nil {
		return err
	}
	stop, err := rg.stop(n)
	if err != nil {
		return err
	}
	rg.Step = min(max(rg.Step, -n), n) // a longer step reaches no further element
	towards := 1
	if rg.Step < 0 {
		towards = -1
	}
	count := (stop - start + rg.Step - towards) / rg.Step
	if (stop-start)*towards <= 0 {
		return fmt.Errorf("no index from %d up to but not including %d in steps of %d", start, stop, rg.Step)
	}
	r.Start[i], r.Step[i] = shape.Dim(start), rg.Step
	r.Part = r.Part.With(i, shape.Dim(count))
	return nil
}

// stop returns the index before which a range ends; it is -1 if index 0 is the last.
func (rg Range) stop(n int) (int, error) {
	switch {
	case rg.Stop != End:
		return position(rg.Stop, n, 0, n)
	case rg.Step < 0:
		return -1, nil
	}
	return n, nil
}

// position converts a negative index, which counts from the end.
func position(i, n, lo, hi int) (int, error) {
	p := i
	if i < 0 {
		p += n
	}
	if p < lo || p > hi {
		return 0, fmt.Errorf("index %d is outside %d..%d", i, lo-n, hi)
	}
	return p, nil
}

// window returns r for a concrete whole. N follows from the extents of its batch axes.
func (r region) window(whole shape.Shape) (w engine.Window) {
	n := 0
	for i, d := range r.Whole.Dims() {
		if k := d.Factor(); k > 0 {
			n = whole.Int(i) / k
		}
	}
	for i := range r.Whole.Rank() {
		w.Start[i], w.Step[i] = int(r.Start[i].At(n)), r.Step[i]
	}
	return w
}

// everything reports whether the part is the whole, in the same order.
func (r region) everything() bool { return r == wholeOf(r.Whole) }

// infer checks the type of the input that a region is applied to.
func (r region) infer(in []shape.Type, from, to shape.Shape) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	if in[0].Shape != from {
		return shape.Type{}, fmt.Errorf("input is %v, the op was made for %v", in[0], from)
	}
	return in[0].Of(to), nil
}

// SliceOp is the op of [Slice]. It is made for one input shape.
type SliceOp struct{ region }

// Name implements [graph.Op].
func (SliceOp) Name() string { return "Slice" }

// Infer implements [graph.Op].
func (op SliceOp) Infer(in []shape.Type) (shape.Type, error) { return op.infer(in, op.Whole, op.Part) }

// Grad embeds the adjoint in zeros.
func (op SliceOp) Grad(_, dy *graph.Node) []*graph.Node { return one(graph.Apply(embedOp(op), dy)) }

// Bind implements the vm's Bindable.
func (op SliceOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindSlice(op.window(in[0].Shape), in, out)
}

// Simplify drops a slice of everything, and a slice that takes out exactly the part that was just
// embedded.
func (op SliceOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	switch {
	case op.everything():
		return x
	case x.Op() == graph.Op(embedOp(op)):
		return x.In(0)
	}
	return nil
}

// PerExample slices each row.
func (op SliceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return op.perRow(n, in, func(r region) *graph.Node { return graph.Apply(SliceOp{r}, in[0]) })
}

// embedOp embeds its input in zeros. It is the adjoint of Slice.
type embedOp struct{ region }

func (embedOp) Name() string { return "Embed" }

func (op embedOp) Infer(in []shape.Type) (shape.Type, error) { return op.infer(in, op.Part, op.Whole) }

func (op embedOp) Grad(_, dy *graph.Node) []*graph.Node { return one(graph.Apply(SliceOp(op), dy)) }

func (op embedOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, err := mover(e, op)
	if err != nil {
		return engine.Bound{}, err
	}
	return m.BindEmbed(op.window(out.Shape), in, out)
}

func (op embedOp) Simplify(n *graph.Node) *graph.Node {
	if op.everything() {
		return n.In(0)
	}
	return nil
}

// Absorb absorbs a sum with a tensor of the whole, so that only the part is added. The adjoint of a
// tensor that is cut into many parts then costs no more than the parts. The sum may overwrite the
// other term.
func (op embedOp) Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool) {
	_, ok := e.(engine.Accumulator)
	ok = ok && next == graph.Op(add) && in[0].IsFloat() && nextIn[0] == nextIn[1]
	return embedAddOp{op.concrete(nextIn[at].Shape, in[0].Shape)}, ok
}

// PerExample embeds each row in zeros.
func (op embedOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return op.perRow(n, in, func(r region) *graph.Node { return graph.Apply(embedOp{r}, in[0]) })
}

// concrete returns r for a whole and a part without N.
func (r region) concrete(whole, part shape.Shape) region {
	c, w := region{Whole: whole, Part: part, Step: r.Step}, r.window(whole)
	for i := range whole.Rank() {
		c.Start[i] = shape.Dim(w.Start[i])
	}
	return c
}

// embedAddOp has a part and a sum as inputs, with concrete types. It adds the part to its region of
// the sum.
type embedAddOp struct{ region }

func (embedAddOp) Name() string { return "Embed+Add" }

func (op embedAddOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if t, err = op.infer(in[:1], op.Part, op.Whole); err == nil && t != in[1] {
		err = fmt.Errorf("the part is one of %v, the sum is %v", t, in[1])
	}
	return t, err
}

// NotDifferentiable implements autodiff's NotDifferentiable.
func (embedAddOp) NotDifferentiable() string { return madeByAbsorb }

func (op embedAddOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	a, ok := e.(engine.Accumulator)
	if !ok {
		return engine.Bound{}, engine.Missing(e, op.Name())
	}
	return a.BindAddPart(op.window(out.Shape), in, out)
}
