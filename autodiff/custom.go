package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A Rule is a user-defined gradient. It returns the adjoint of each node of in, given that the
// adjoint of y is dy. An adjoint has the type of its node, or is nil if it is zero. A Rule must
// build only on the nodes passed to it: in a clone of the graph these are the nodes of the clone.
type Rule func(in []*graph.Node, y, dy *graph.Node) []*graph.Node

// Custom returns y, which is computed from the nodes of in, with a user-defined gradient: rule
// replaces the gradients of all nodes between in and y. Errors and printouts show the name. This is
// a straight-through estimator:
//
//	autodiff.Custom("StraightThrough", ops.Sign(x), []*graph.Node{x},
//		func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} })
//
// Gradients reach only the nodes of in. The gradient with respect to a node between in and y, or to
// a node that is not in in, is zero; it is an error if y is computed from a Param that is not in
// in. [JVP] uses the rule too, by differentiating its result with respect to dy; there a rule that
// is not linear in dy is an error. Use package gradcheck to check a rule against finite
// differences.
//
// y must be floating point and belong to the graph of in. Clones of the graph keep the rule. Errors
// in the result of a rule are reported when the gradient is taken.
func Custom(name string, y *graph.Node, in []*graph.Node, rule Rule) *graph.Node {
	g := owner(y, nil, in)
	if err := checkCustom(name, y, in, rule); err != nil {
		return g.Reject("Custom", err, y)
	}
	return g.Apply(customOp{&customRule{name, rule}}, append([]*graph.Node{y}, in...)...)
}

func checkCustom(name string, y *graph.Node, in []*graph.Node, rule Rule) error {
	switch {
	case name == "":
		return errors.New("the gradient has no name")
	case rule == nil:
		return fmt.Errorf("the rule of %s is nil", name)
	case y == nil:
		return fmt.Errorf("the result of %s is nil", name)
	case y.Valid() && !y.Type().HasGradient():
		return notFloat(y)
	}
	for _, n := range between(in, y) {
		if n.Kind() == graph.Param {
			return fmt.Errorf("%v is computed from %v, which is not among the inputs of %s and would have no gradient; list it, with an adjoint of nil if that is meant", y, n, name)
		}
	}
	return nil
}

// between returns y and the nodes that it is computed from, inputs first. It stops at the nodes of
// in and leaves them out.
func between(in []*graph.Node, y *graph.Node) (ns []*graph.Node) {
	seen := map[*graph.Node]bool{}
	for _, x := range in {
		seen[x] = true
	}
	if seen[y] {
		return nil
	}
	seen[y] = true
	for stack := []*graph.Node{y}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		ns = append(ns, n)
		for _, x := range n.Ins() {
			if x != nil && !seen[x] {
				seen[x] = true
				stack = append(stack, x)
			}
		}
	}
	slices.SortFunc(ns, func(a, b *graph.Node) int { return a.ID() - b.ID() })
	return ns
}

// customRule is the part of a customOp that is not comparable; customOp holds a pointer to it,
// which is.
type customRule struct {
	name string
	rule Rule
}

// customOp has as inputs y and then the inputs of its rule. Its value is y.
type customOp struct{ of *customRule }

func (op customOp) Name() string { return op.of.name }

func (op customOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

// first returns the type of an op whose value is its first input.
func first(in []shape.Type) (t shape.Type, err error) {
	if len(in) == 0 {
		return t, errors.New("no inputs were given; want at least one")
	}
	return in[0], nil
}

func (op customOp) Grad(n, dy *graph.Node) []*graph.Node {
	in := n.Ins()[1:]
	dxs := op.of.rule(slices.Clone(in), n, dy)
	if len(dxs) != len(in) { // counted as the user's rule counts, without y
		err := fmt.Errorf("its gradient rule returns %d adjoints for %d inputs", len(dxs), len(in))
		return same(n.Graph().Reject(op.Name(), err, in...), n.NIn())
	}
	return append([]*graph.Node{nil}, dxs...)
}

// Aliases declares that the result shares the memory of y.
func (customOp) Aliases() {}

// Simplify drops the op: by the time a program is compiled, gradients have been taken.
func (customOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }

// checkLinear returns an invalid node if tangents, forward derivatives made from adjoints dys,
// depend on the values of dys. They must not; if they do, a user's rule is not linear.
func checkLinear(ys, dys, tangents []*graph.Node) *graph.Node {
	var rules []*graph.Node
	for _, n := range graph.Reachable(ys...) {
		if _, ok := n.Op().(customOp); ok {
			rules = append(rules, n)
		}
	}
	if len(rules) == 0 || !readsAny(tangents, dys) {
		return nil
	}
	n := rules[0]
	err := errors.New("its gradient rule, or that of another Custom, is not linear in dy; forward mode needs that")
	return n.Graph().Reject(n.Op().Name(), err, n.Ins()...)
}

// readsAny reports whether the values of ys depend on those of xs.
func readsAny(ys, xs []*graph.Node) bool {
	on, given := map[*graph.Node]bool{}, map[*graph.Node]bool{}
	for _, x := range xs {
		on[x], given[x] = true, true
	}
	for _, n := range graph.Reachable(ys...) {
		if ops.Uniform(n.Op()) { // includes dys themselves
			continue
		}
		on[n] = on[n] || slices.ContainsFunc(n.Ins(), func(x *graph.Node) bool { return on[x] })
	}
	return slices.ContainsFunc(ys, func(y *graph.Node) bool { return on[y] && !given[y] })
}
