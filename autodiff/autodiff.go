package autodiff

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// ErrNotDifferentiable is wrapped where a gradient would have to pass an op without one.
var ErrNotDifferentiable = errors.New("not differentiable")

// A Differentiable op can carry the adjoint of its result back to its inputs.
type Differentiable interface {
	// Grad returns the vector-Jacobian product: for each input of n the adjoint that dy
	// induces on it, of the input's type, or nil where that is zero or the input is not
	// floating point. n is the node that applies the op, dy has n's type.
	Grad(n, dy *graph.Node) []*graph.Node
}

// A NotDifferentiable op has no gradient, and says why: "the permutation is not continuous".
// One type may serve ops of both kinds; an empty reason means that the op is
// [Differentiable] after all.
type NotDifferentiable interface{ NotDifferentiable() string }

// Grad returns the gradient of y with respect to each of wrt, nodes of their types. It is
// zeros where y does not depend on the node. Of the sweep from y only what leads to wrt is
// made; nodes that lie on the way carry the line and layer of those they are derived from.
//
// y must be a floating-point scalar; anything else is one error of y's graph, wrapping
// [graph.ErrNotScalar] where the shape is to blame. Errors make the results invalid.
func Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if y == nil || !y.Valid() {
		return VJP(y, y, wrt...)
	}
	if y.Type().Rank() != 0 {
		err := fmt.Errorf("gradient of %v: %w; take its Sum or Mean, or use VJP", y.Type(), graph.ErrNotScalar)
		return same(y.Graph().Reject("Grad", err, y), len(wrt))
	}
	if !y.Type().IsFloat() {
		return same(y.Graph().Reject("Grad", notFloat(y), y), len(wrt))
	}
	var dy *graph.Node
	y.Graph().Derived(y, func() { dy = ops.OnesLike(y) })
	return VJP(y, dy, wrt...)
}

// VJP returns, for each node of wrt, the adjoint that the adjoint dy of y induces on it: dy
// times the Jacobian of y. dy must have y's type. It is otherwise like [Grad], which is VJP
// of a scalar with dy = 1.
func VJP(y, dy *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if bad := check(y, dy, wrt); bad != nil {
		return same(bad, len(wrt))
	}
	return pullBack([]*graph.Node{y}, []*graph.Node{dy}, wrt)
}

// pullBack returns, for each node of wrt, the sum of the adjoints that those of ys, dys, induce
// on it. All are checked.
func pullBack(ys, dys, wrt []*graph.Node) []*graph.Node {
	s := newSweep(ys, wrt)
	s.run(ys, dys)
	dx := make([]*graph.Node, len(wrt))
	for i, x := range wrt {
		dx[i] = s.result(x)
	}
	return dx
}

// check returns an invalid node where there is nothing to sweep.
func check(y, dy *graph.Node, wrt []*graph.Node) *graph.Node {
	if y == nil || dy == nil {
		return owner(y, dy, wrt).Reject("Grad", errors.New("what is to be differentiated is nil"))
	}
	g := y.Graph()
	switch {
	case !y.Valid():
		return y
	case !dy.Valid():
		return dy
	case dy.Graph() != g:
		return g.Reject("Grad", errors.New("the adjoint belongs to another graph"), y)
	case !y.Type().IsFloat():
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
		case x.Valid() && !x.Type().IsFloat():
			return g.Reject("Grad", notFloat(x), y, x)
		}
	}
	return nil
}

func notFloat(n *graph.Node) error {
	return fmt.Errorf("%v is %v; only floating point has gradients", n, n.Type().DType)
}

// owner is the graph that an error without a y is reported to.
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

// A sweep is one pass from some nodes back to their inputs. Its slices are indexed by node ID.
type sweep struct {
	nodes   []*graph.Node // up to the last to start from, as they were before the sweep added its own
	wrt     []bool
	active  []bool        // depends on wrt through floating point alone
	adjoint []*graph.Node // what has been summed so far

	stopped func(n *graph.Node, i int) // told of the active inputs that a rule gives nothing, where set
}

func newSweep(ys, wrt []*graph.Node) *sweep {
	n := 0
	for _, y := range ys {
		n = max(n, y.ID()+1)
	}
	s := &sweep{nodes: ys[0].Graph().Nodes()[:n], wrt: make([]bool, n), active: make([]bool, n), adjoint: make([]*graph.Node, n)}
	for _, x := range wrt {
		if x.ID() < n {
			s.wrt[x.ID()] = true
		}
	}
	for id, x := range s.nodes {
		s.active[id] = x.Type().IsFloat() && (s.wrt[id] || s.reached(x))
	}
	return s
}

// run sweeps from ys, whose adjoints are dys.
func (s *sweep) run(ys, dys []*graph.Node) {
	for i, y := range ys {
		y.Graph().Derived(y, func() { s.add(y.ID(), dys[i]) })
	}
	for id := len(s.nodes) - 1; id >= 0; id-- { // creation order is topological
		s.pull(id)
	}
}

// reached reports whether n is computed from an active node.
func (s *sweep) reached(n *graph.Node) bool {
	for _, x := range n.Ins() {
		if s.active[x.ID()] {
			return true
		}
	}
	return false
}

// pull adds to the adjoints of a node's inputs what its own induces on them.
func (s *sweep) pull(id int) {
	n, dy := s.nodes[id], s.adjoint[id]
	if dy == nil || !s.reached(n) {
		return
	}
	n.Graph().Derived(n, func() {
		if holds(n, func(m *graph.Node) bool { return s.wrt[m.ID()] }) {
			s.add(n.In(0).ID(), dy)
			return
		}
		dxs, err := rule(n, dy)
		if err != nil {
			dxs = same(n.Graph().Reject(n.Op().Name(), err, n.Ins()...), n.NIn())
		}
		for i, dx := range dxs {
			if no := dx == nil || !dx.Valid(); no && s.stopped != nil && s.active[n.In(i).ID()] {
				s.stopped(n, i)
			}
			s.add(n.In(i).ID(), dx)
		}
	})
}

// rule returns the adjoints that dy induces on n's inputs, checked.
func rule(n, dy *graph.Node) ([]*graph.Node, error) {
	if !dy.Valid() { // an error reported already; rules need not expect it
		return same(dy, n.NIn()), nil
	}
	if no, ok := n.Op().(NotDifferentiable); ok && no.NotDifferentiable() != "" {
		return nil, fmt.Errorf("%w: %s", ErrNotDifferentiable, no.NotDifferentiable())
	}
	d, ok := n.Op().(Differentiable)
	if !ok {
		return nil, fmt.Errorf("%w: op type %T has no method Grad(n, dy *graph.Node) []*graph.Node", ErrNotDifferentiable, n.Op())
	}
	dxs := d.Grad(n, dy)
	if len(dxs) != n.NIn() {
		return nil, fmt.Errorf("its gradient rule gives %d adjoints for %d inputs", len(dxs), n.NIn())
	}
	for i, dx := range dxs {
		x := n.In(i)
		switch {
		case dx == nil:
		case dx.Graph() != n.Graph():
			return nil, fmt.Errorf("its gradient rule gives a node of another graph for input %d", i)
		case !dx.Valid() || !x.Type().IsFloat():
		case dx.Type() != x.Type():
			return nil, fmt.Errorf("its gradient rule gives %v for input %d, which is %v", dx.Type(), i, x.Type())
		}
	}
	return dxs, nil
}

// add sums dx into an adjoint. Contributions come in the order of falling node ID, those of
// one node in the order of its inputs, so that the sum's rounding is the same in every run.
func (s *sweep) add(id int, dx *graph.Node) {
	switch sum := s.adjoint[id]; {
	case dx == nil || !s.active[id]:
	case sum == nil:
		s.adjoint[id] = dx
	default:
		s.adjoint[id] = ops.Add(sum, dx)
	}
}

func (s *sweep) result(x *graph.Node) *graph.Node {
	if !x.Valid() {
		return x
	}
	if x.ID() < len(s.adjoint) && s.adjoint[x.ID()] != nil {
		return s.adjoint[x.ID()]
	}
	var zeros *graph.Node
	x.Graph().Derived(x, func() { zeros = ops.ZerosLike(x) })
	return zeros
}
