package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// ErrNotDifferentiable is wrapped by errors about a gradient that would have to pass through an op
// that has none.
var ErrNotDifferentiable = errors.New("not differentiable")

// A Differentiable op can propagate the adjoint of its result to its inputs.
type Differentiable interface {
	// Grad returns the vector-Jacobian product: for each input of n its adjoint, given that the
	// adjoint of n is dy. An adjoint has the type of its input; it is nil if it is zero or if the
	// input is not floating point. n is the node that applies the op; dy has the type of n.
	Grad(n, dy *graph.Node) []*graph.Node
}

// A NotDifferentiable op has no gradient. Its method returns the reason, such as "the permutation
// is not continuous". A type may serve both differentiable and other ops: an empty reason means
// that the op is [Differentiable].
type NotDifferentiable interface{ NotDifferentiable() string }

// Grad returns the gradient of y with respect to each node of wrt, as a node of the same type. The
// gradient is zeros if y does not depend on the node. Grad adds only the nodes that lead from y to
// wrt; they get the line and layer of the nodes that they are derived from.
//
// y must be a floating-point scalar. Otherwise one error is recorded in y's graph, which wraps
// [graph.ErrNotScalar] if the shape is at fault. After an error the results are invalid.
func Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if y == nil || !y.Valid() {
		return VJP(y, y, wrt...)
	}
	if y.Type().Rank() != 0 {
		err := fmt.Errorf("gradient of %v: %w; take its Sum or Mean, or use VJP", y.Type(), graph.ErrNotScalar)
		return same(y.Graph().Reject("Grad", err, y), len(wrt))
	}
	if !y.Type().HasGradient() {
		return same(y.Graph().Reject("Grad", notFloat(y), y), len(wrt))
	}
	var dy *graph.Node
	y.Graph().Derived(y, func() { dy = ops.OnesLike(y) })
	return VJP(y, dy, wrt...)
}

// VJP returns the adjoint of each node of wrt, given that the adjoint of y is dy: dy times the
// Jacobian of y. dy must have the type of y. [Grad] is VJP of a scalar with dy = 1; everything else
// is as described there.
func VJP(y, dy *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if bad := check(y, dy, wrt); bad != nil {
		return same(bad, len(wrt))
	}
	return pullBack([]*graph.Node{y}, []*graph.Node{dy}, wrt)
}

// pullBack returns, for each node of wrt, the sum of its adjoints, given the adjoints dys of ys.
// All arguments have been checked.
func pullBack(ys, dys, wrt []*graph.Node) []*graph.Node {
	s := newSweep(ys, wrt)
	s.run(ys, dys)
	dx := make([]*graph.Node, len(wrt))
	for i, x := range wrt {
		dx[i] = s.result(x)
	}
	return dx
}

// check returns an invalid node if y, dy or wrt cannot be differentiated.
func check(y, dy *graph.Node, wrt []*graph.Node) *graph.Node {
	if y == nil || dy == nil {
		return owner(y, dy, wrt).Reject("Grad", errors.New("the node to differentiate is nil"))
	}
	g := y.Graph()
	switch {
	case !y.Valid():
		return y
	case !dy.Valid():
		return dy
	case dy.Graph() != g:
		return g.Reject("Grad", errors.New("the adjoint belongs to another graph"), y)
	case !y.Type().HasGradient():
		return g.Reject("Grad", notFloat(y), y)
	case dy.Type() != y.Type():
		return g.Reject("Grad", fmt.Errorf("the adjoint of %v must have its type, not %v", y.Type(), dy.Type()), y, dy)
	}
	for i, x := range wrt {
		switch {
		case x == nil:
			return g.Reject("Grad", fmt.Errorf("node %d to differentiate by is nil", i), y)
		case x.Graph() != g:
			return g.Reject("Grad", fmt.Errorf("node %d to differentiate by, %v, belongs to another graph", i, x), y)
		case x.Valid() && !x.Type().HasGradient():
			return g.Reject("Grad", notFloat(x), y, x)
		}
	}
	return nil
}

func notFloat(n *graph.Node) error {
	return fmt.Errorf("%v is %v; only floating point has gradients", n, n.Type().DType)
}

// owner returns the graph to which an error is reported if y is nil.
func owner(y, dy *graph.Node, wrt []*graph.Node) *graph.Graph {
	for _, n := range append([]*graph.Node{y, dy}, wrt...) {
		if n != nil {
			return n.Graph()
		}
	}
	return graph.New()
}

func same(n *graph.Node, times int) []*graph.Node {
	ns := make([]*graph.Node, times)
	for i := range ns {
		ns[i] = n
	}
	return ns
}

// A sweep is one pass from some nodes back to their inputs. Its slices begin at the first node to
// differentiate by: no earlier node depends on any of them. This makes a short sweep cheap in a
// long graph.
type sweep struct {
	first   int           // ID of nodes[0]
	nodes   []*graph.Node // up to the last node to start from, without the nodes that the sweep adds
	wrt     []bool
	active  []bool        // depends on wrt through floating-point nodes only
	adjoint []*graph.Node // the sum of the adjoints so far

	stopped func(n *graph.Node, i int) // if set, called for each active input whose adjoint a rule leaves nil
}

func newSweep(ys, wrt []*graph.Node) *sweep {
	end := 0
	for _, y := range ys {
		end = max(end, y.ID()+1)
	}
	first := end
	for _, x := range wrt {
		first = min(first, x.ID())
	}
	n := end - first
	s := &sweep{
		first: first, nodes: ys[0].Graph().Nodes()[first:end],
		wrt: make([]bool, n), active: make([]bool, n), adjoint: make([]*graph.Node, n),
	}
	for _, x := range wrt {
		if i, ok := s.place(x); ok {
			s.wrt[i] = true
		}
	}
	for i, x := range s.nodes {
		s.active[i] = x.Type().HasGradient() && (s.wrt[i] || s.reached(x))
	}
	return s
}

// place returns the index of n in the slices, if it is in them.
func (s *sweep) place(n *graph.Node) (i int, ok bool) {
	i = n.ID() - s.first
	return i, i >= 0 && i < len(s.nodes)
}

// wants reports whether n is one of the nodes to differentiate by.
func (s *sweep) wants(n *graph.Node) bool {
	i, ok := s.place(n)
	return ok && s.wrt[i]
}

// depends reports whether the gradient passes through n.
func (s *sweep) depends(n *graph.Node) bool {
	i, ok := s.place(n)
	return ok && s.active[i]
}

// sum returns the adjoint of n so far, or nil.
func (s *sweep) sum(n *graph.Node) *graph.Node {
	if i, ok := s.place(n); ok {
		return s.adjoint[i]
	}
	return nil
}

// run sweeps from ys, whose adjoints are dys.
func (s *sweep) run(ys, dys []*graph.Node) {
	for i, y := range ys {
		y.Graph().Derived(y, func() { s.add(y, dys[i]) })
	}
	for _, n := range slices.Backward(s.nodes) { // creation order is topological
		s.pull(n)
	}
}

// reached reports whether n is computed from an active node.
func (s *sweep) reached(n *graph.Node) bool {
	for _, x := range n.Ins() {
		if s.depends(x) {
			return true
		}
	}
	return false
}

// pull propagates the adjoint of n to its inputs.
func (s *sweep) pull(n *graph.Node) {
	dy := s.sum(n)
	if dy == nil || !s.reached(n) {
		return
	}
	n.Graph().Derived(n, func() {
		if holds(n, s.wants) {
			s.add(n.In(0), dy)
			return
		}
		dxs, err := rule(n, dy)
		if err != nil {
			dxs = same(n.Graph().Reject(n.Op().Name(), err, n.Ins()...), n.NIn())
		}
		for i, dx := range dxs {
			if no := dx == nil || !dx.Valid(); no && s.stopped != nil && s.depends(n.In(i)) {
				s.stopped(n, i)
			}
			s.add(n.In(i), dx)
		}
	})
}

// rule returns the adjoints of n's inputs, given the adjoint dy of n, and checks them.
func rule(n, dy *graph.Node) ([]*graph.Node, error) {
	if !dy.Valid() { // the error is already reported; rules need not handle it
		return same(dy, n.NIn()), nil
	}
	if no, ok := n.Op().(NotDifferentiable); ok && no.NotDifferentiable() != "" {
		return nil, fmt.Errorf("%w: %s", ErrNotDifferentiable, no.NotDifferentiable())
	}
	d, ok := n.Op().(Differentiable)
	if !ok {
		return nil, fmt.Errorf("%w: op type %T has no method Grad(n, dy *graph.Node) []*graph.Node", ErrNotDifferentiable, n.Op())
	}
	var dxs []*graph.Node
	err := rescue.Do(func() error {
		dxs = d.Grad(n, dy)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("its gradient rule fails: %w", err)
	}
	if len(dxs) != n.NIn() {
		return nil, fmt.Errorf("its gradient rule returns %d adjoints for %d inputs", len(dxs), n.NIn())
	}
	for i, dx := range dxs {
		x := n.In(i)
		switch {
		case dx == nil:
		case dx.Graph() != n.Graph():
			return nil, fmt.Errorf("its gradient rule returns a node of another graph for input %d", i)
		case !dx.Valid() || !x.Type().HasGradient():
		case dx.Type() != x.Type():
			return nil, fmt.Errorf("its gradient rule returns %v for input %d, which is %v", dx.Type(), i, x.Type())
		}
	}
	return dxs, nil
}

// add adds dx to the adjoint of n. Contributions are added in the order of decreasing node ID, and
// those of one node in the order of its inputs, so that the sum is rounded in the same way in every
// run.
func (s *sweep) add(n, dx *graph.Node) {
	i, ok := s.place(n)
	switch {
	case dx == nil || !ok || !s.active[i]:
	case s.adjoint[i] == nil:
		s.adjoint[i] = dx
	default:
		s.adjoint[i] = sum(s.adjoint[i], dx)
	}
}

// sum adds two adjoints, of one type: in float32, and rounded, where ops do not compute with it.
func sum(a, b *graph.Node) *graph.Node {
	d := a.Type().DType
	if !a.Valid() || !b.Valid() || d.HasArithmetic() {
		return ops.Add(a, b)
	}
	return ops.Cast(ops.Add(ops.Cast(a, shape.Float32), ops.Cast(b, shape.Float32)), d)
}

func (s *sweep) result(x *graph.Node) *graph.Node {
	if !x.Valid() {
		return x
	}
	if dx := s.sum(x); dx != nil {
		return dx
	}
	var zeros *graph.Node
	x.Graph().Derived(x, func() { zeros = ops.ZerosLike(x) })
	return disconnected(zeros)
}

// zerosOf is the key of the zeros that stand for gradients of unconnected nodes.
type zerosOf struct{}

// disconnected marks zeros as the gradient of a node that is not connected.
func disconnected(zeros *graph.Node) *graph.Node {
	marked := zeros.Graph().Memo(zerosOf{}, func() any { return map[*graph.Node]bool{} })
	marked.(map[*graph.Node]bool)[zeros] = true
	return zeros
}

// Connected reports whether grad was computed by gradient rules. grad must be a result of [Grad] or
// another function of this package, or its image in a clone of the graph. Connected is false for
// the zeros that stand for the gradient of a node that the differentiated value does not depend on.
// A gradient whose value happens to be zero is connected.
func Connected(grad *graph.Node) bool {
	grad = grad.Source()
	marked, _ := grad.Graph().Memo(zerosOf{}, nil).(map[*graph.Node]bool)
	return !marked[grad]
}
