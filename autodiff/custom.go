package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A Rule is a gradient that a user gives. It returns, for each node of in, the adjoint that the
// adjoint dy of y induces on it, of that node's type, or nil where that is zero. It builds on the
// nodes that it is given alone: in a clone of the graph they are the clone's.
type Rule func(in []*graph.Node, y, dy *graph.Node) []*graph.Node

// Custom returns y, which is computed from the nodes of in, with a gradient of the user's own: the
// name, which errors and printouts show, and the rule take the place of the gradients of all that
// lies between in and y. A straight-through estimator is
//
//	autodiff.Custom("StraightThrough", ops.Sign(x), []*graph.Node{x},
//		func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} })
//
// Gradients go to in alone: that by a node between in and y, or by a node that in does not list, is
// zero, so a Param that y is computed from past in is an error. [JVP] uses the rule too, by
// differentiating its result by dy; a rule that is not linear in dy is an error there. Check a rule
// against finite differences with package gradcheck.
//
// y must be floating point, and computed in the graph of in; clones of the graph keep the rule.
// What is wrong with the result of a rule is an error when the gradient is taken.
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

// between returns y and what it is computed from, inputs first, without looking beyond the nodes
// of in, which are left out.
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

// customRule is the part of a customOp that cannot be compared; its address is.
type customRule struct {
	name string
	rule Rule
}

// customOp takes y and then the inputs of its rule. Its value is y.
type customOp struct{ of *customRule }

func (op customOp) Name() string { return op.of.name }

func (op customOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

// first is the type of an op that gives its first input.
func first(in []shape.Type) (t shape.Type, err error) {
	if len(in) == 0 {
		return t, errors.New("no inputs were given; want one at least")
	}
	return in[0], nil
}

func (op customOp) Grad(n, dy *graph.Node) []*graph.Node {
	in := n.Ins()[1:]
	dxs := op.of.rule(slices.Clone(in), n, dy)
	if len(dxs) != len(in) { // in terms of the user's rule, which does not know of y
		err := fmt.Errorf("its gradient rule gives %d adjoints for %d inputs", len(dxs), len(in))
		return same(n.Graph().Reject(op.Name(), err, in...), n.NIn())
	}
	return append([]*graph.Node{nil}, dxs...)
}

// Aliases says that the result is the memory of y.
func (customOp) Aliases() {}

// Simplify drops the op: gradients have been taken when a program is made.
func (customOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }

// checkLinear returns an invalid node where the forward derivatives, made from adjoints dys whose
// values must not matter, depend on them for the rule of a user.
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
		if ops.Uniform(n.Op()) { // dys themselves among them
			continue
		}
		on[n] = on[n] || slices.ContainsFunc(n.Ins(), func(x *graph.Node) bool { return on[x] })
	}
	return slices.ContainsFunc(ys, func(y *graph.Node) bool { return on[y] && !given[y] })
}
