package autodiff

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// JVP returns the derivative of y, of any floating-point type, in the direction in which each
// node of wrt moves by its tangent: the Jacobian of y times the tangents, a node of y's type.
// Of [Grad] of a scalar it makes the product of the Hessian and a vector. It is zeros where y
// depends on none of wrt.
//
// A tangent has its node's type; anything else is one error of y's graph, and the result is
// invalid. Ops need no further rule: the adjoints that an adjoint of y induces are linear in it,
// and JVP is their adjoint.
func JVP(y *graph.Node, wrt, tangents []*graph.Node) *graph.Node {
	if len(wrt) != len(tangents) {
		err := fmt.Errorf("%d tangents for %d nodes; want one for each", len(tangents), len(wrt))
		return owner(y, nil, wrt).Reject("JVP", err)
	}
	if bad := check(y, y, wrt); bad != nil {
		return bad
	}
	g := y.Graph()
	for i, t := range tangents {
		switch {
		case t == nil:
			return g.Reject("JVP", fmt.Errorf("tangent %d is nil", i), y)
		case t.Graph() != g:
			return g.Reject("JVP", errors.New("a tangent belongs to another graph"), y)
		case t.Valid() && wrt[i].Valid() && t.Type() != wrt[i].Type():
			return g.Reject("JVP", fmt.Errorf("tangent %d is %v; want %v, the type of the node that it moves", i, t.Type(), wrt[i].Type()), wrt[i], t)
		}
	}
	var dy, sum *graph.Node
	g.Derived(y, func() { dy = ops.ZerosLike(y) }) // its value does not matter
	for i, dx := range VJP(y, dy, wrt...) {
		part := VJP(dx, tangents[i], dy)[0]
		if sum == nil {
			sum = part
			continue
		}
		g.Derived(y, func() { sum = ops.Add(sum, part) })
	}
	if sum == nil {
		return dy
	}
	return sum
}
