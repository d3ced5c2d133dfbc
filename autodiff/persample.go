package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A PerExample op can compute its result for each example of a batch separately; see [PerSample].
// Elementwise ops do not need it.
type PerExample interface {
	// PerExample returns n, the node that applies the op, rewritten so that inputs which all
	// examples share are separate for each example. in[i] is either input i of n, or a node of its
	// type with an axis in front for the rows of the batch (axis 0 of n, or N if n has no batch
	// axis). The result has the type of n, with that axis in front if n has no batch axis. For the
	// inputs of n itself PerExample returns n. It returns an error if a row of n depends on other
	// rows of its inputs.
	PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error)
}

// PerSample returns the gradient of every example's loss. For a loss of shape (N) and each node of
// wrt, of shape S, it returns a node of shape (N,S...) whose row i is the gradient of loss[i]. The
// sum of the rows is the gradient of the sum of the losses; see [ops.CrossEntropyOptions] for a
// loss per example. For a node of wrt with the batch as axis 0, such as an Input, the result has
// the type of the node: its row i belongs to loss[i].
//
// PerSample is one reverse sweep, like [Grad]. Only where examples meet a value that they share,
// such as weights, does it compute a product per example; filters are multiplied with image
// patches, which take KH*KW times the memory of the image. The batch must be axis 0 of every node
// on the way, and symbolic. An op that mixes the examples, as batch normalisation does in training,
// is one error with its line; use [graph.Inference] of the loss, or a normalisation of each example
// such as [ops.GroupNorm]. A [Custom] gradient is also an error, because its rule is not known, and
// so is an op that is not [PerExample]. The values inside a [Checkpoint] are kept.
func PerSample(loss *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if bad := check(loss, loss, wrt); bad != nil {
		return same(bad, len(wrt))
	}
	g := loss.Graph()
	if loss.Type().Shape != shape.Of(shape.N) {
		err := fmt.Errorf("the loss is %v; want shape (N), a number for each example, such as CrossEntropy with PerExample set", loss.Type())
		return same(g.Reject("PerSample", err, loss), len(wrt))
	}
	s := rowSweep{newSweep([]*graph.Node{loss}, wrt)}
	g.Derived(loss, func() { s.add(loss, ops.OnesLike(loss)) })
	for _, n := range slices.Backward(s.nodes) {
		if bad := s.pullRows(n); bad != nil {
			return same(bad, len(wrt))
		}
	}
	dx := make([]*graph.Node, len(wrt))
	for i, x := range wrt {
		dx[i] = s.rows(x)
	}
	return dx
}

// A rowSweep keeps the adjoints of the examples separate. The adjoint of a node with rows has the
// type of the node; that of any other node has an extra axis N in front.
type rowSweep struct{ *sweep }

// rows returns the result for a node to differentiate by.
func (s rowSweep) rows(x *graph.Node) (dx *graph.Node) {
	switch {
	case !x.Valid():
		return x
	case s.sum(x) != nil:
		return s.sum(x)
	}
	x.Graph().Derived(x, func() {
		if dx = ops.ZerosLike(x); !hasRows(x) {
			dx = ops.BroadcastTo(dx, x.Type().Insert(0, shape.N))
		}
	})
	return disconnected(dx)
}

// hasRows reports whether the batch is axis 0 of n.
func hasRows(n *graph.Node) bool { return n.Type().Rank() > 0 && n.Type().Dim(0).Symbolic() }

// pullRows propagates the adjoint of n to its inputs. If that is impossible it returns an invalid
// node.
func (s rowSweep) pullRows(n *graph.Node) (bad *graph.Node) {
	dy := s.sum(n)
	if dy == nil || !s.reached(n) || ops.Uniform(n.Op()) {
		return nil
	}
	if _, ok := n.Op().(checkpointOp); ok {
		s.add(n.In(0), dy)
		return nil
	}
	refuse := func(n *graph.Node, err error) {
		bad = n.Graph().Reject(n.Op().Name(), fmt.Errorf("there is no gradient per example: %w", err), n.Ins()...)
	}
	for _, x := range append([]*graph.Node{n}, n.Ins()...) {
		if s.depends(x) && !inRows(x.Type()) {
			x.Graph().Derived(x, func() {
				refuse(x, fmt.Errorf("the result is %v; want the batch as axis 0 and nowhere else", x.Type()))
			})
			return bad
		}
	}
	n.Graph().Derived(n, func() {
		switch m, err := s.through(n, dy); {
		case err != nil:
			refuse(n, err)
		case !m.Valid(): // already reported
			bad = m
		}
	})
	return bad
}

// inRows reports whether a value of type t is shared by all examples or has the batch as axis 0.
func inRows(t shape.Type) bool {
	if t.Rank() > 0 && t.Dim(0).Symbolic() {
		t.Shape = t.Drop(0)
	}
	return t.Concrete()
}

// through propagates dy through n, and returns n rewritten per example.
func (s rowSweep) through(n, dy *graph.Node) (*graph.Node, error) {
	if err := s.keepsRows(n); err != nil {
		return nil, err
	}
	in, lifts, err := s.lifted(n)
	if err != nil || !hasRows(n) && len(lifts) == 0 {
		return n, err
	}
	m, err := perExample(n, in)
	if err != nil || !m.Valid() {
		return m, err
	}
	s.share(n, m, dy, lifts)
	if !slices.ContainsFunc(n.Ins(), func(x *graph.Node) bool { return s.depends(x) && hasRows(x) }) {
		return m, nil
	}
	dxs, err := rule(n, dy)
	for i, dx := range dxs {
		if hasRows(n.In(i)) {
			s.add(n.In(i), dx)
		}
	}
	return m, err
}

// keepsRows returns an error if n has lost the batch axis of an input.
func (s rowSweep) keepsRows(n *graph.Node) error {
	for _, x := range n.Ins() {
		if s.depends(x) && hasRows(x) && !hasRows(n) {
			return fmt.Errorf("it computes %v from the whole batch %v, as batch normalisation does in training, and so mixes the examples; take graph.Inference of the loss, or a normalisation of each example", n.Type(), x.Type())
		}
	}
	return nil
}

// A lift is an input of a node, repeated for each row.
type lift struct {
	input int
	rows  *graph.Node
}

// lifted returns the inputs of n. Those that examples share and that the gradient reaches are
// repeated for each row.
func (s rowSweep) lifted(n *graph.Node) (in []*graph.Node, lifts []lift, err error) {
	rows := shape.N
	if hasRows(n) {
		rows = n.Type().Dim(0)
	}
	in = append(in, n.Ins()...)
	for i, x := range n.Ins() {
		if !s.depends(x) || hasRows(x) || ops.Uniform(x.Op()) {
			continue
		}
		if x.Type().Rank() == shape.MaxRank {
			return nil, nil, fmt.Errorf("%v has %d axes, the most there can be, and needs one more for the examples", x.Type(), shape.MaxRank)
		}
		in[i] = ops.BroadcastTo(x, x.Type().Insert(0, rows))
		lifts = append(lifts, lift{i, in[i]})
	}
	return in, lifts, nil
}

// perExample calls the PerExample method of n's op.
func perExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	var m *graph.Node
	switch op := n.Op().(type) {
	case customOp:
		return nil, errors.New("its gradient is a rule of the user's, which may mix the examples")
	case PerExample:
		var err error
		if m, err = op.PerExample(n, in); err != nil {
			return nil, err
		}
	default:
		if !ops.Elementwise(n.Op()) {
			return nil, fmt.Errorf("op type %T has no method PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error)", n.Op())
		}
		m = elementwise(n, in)
	}
	want := n.Type()
	if !hasRows(n) {
		want.Shape = want.Insert(0, shape.N)
	}
	if m == nil || m.Graph() != n.Graph() || m.Valid() && m.Type() != want {
		return nil, fmt.Errorf("its method PerExample returns %v; want a node %v of its graph", m, want)
	}
	return m, nil
}

// elementwise applies n's op to rows that are aligned.
func elementwise(n *graph.Node, in []*graph.Node) *graph.Node {
	rank, some := n.Type().Rank(), false
	if !hasRows(n) {
		rank++
	}
	aligned := make([]*graph.Node, len(in))
	for i, x := range in {
		if aligned[i] = x; x != n.In(i) {
			some = true
			aligned[i] = ops.Reshape(x, ops.AlignRows(x.Type().Shape, rank).Dims()...)
		}
	}
	if !some {
		return n
	}
	return graph.Apply(n.Op(), aligned...)
}

// share propagates the adjoint dy of m to the shared inputs, separately for each example.
func (s rowSweep) share(n, m, dy *graph.Node, lifts []lift) {
	if len(lifts) == 0 {
		return
	}
	wrt := make([]*graph.Node, len(lifts))
	for k, l := range lifts {
		wrt[k] = l.rows
	}
	part := newSweep([]*graph.Node{m}, wrt)
	part.run([]*graph.Node{m}, []*graph.Node{dy})
	for _, l := range lifts {
		d := part.sum(l.rows)
		x := n.In(l.input)
		if k := l.rows.Type().Dim(0).Factor(); d != nil && d.Valid() && k > 1 { // k rows per example
			dims := append([]shape.Dim{shape.N, shape.Dim(k)}, x.Type().Dims()...)
			d = ops.Sum(ops.Reshape(d, dims...), 1)
		}
		s.add(x, d)
	}
}
