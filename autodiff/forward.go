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
	if bad := check(y, y, wrt); bad != nil {
		return bad
	}
	if bad := checkTangents("JVP", y, wrt, tangents); bad != nil {
		return bad
	}
	return pushForward([]*graph.Node{y}, wrt, tangents)[0]
}

// HVP returns the product of the Hessian of loss, a floating-point scalar, and the vector v: for
// each node of wrt the derivative of its gradient, a node of its type, in the direction in which
// every node of wrt moves by its vector of v. It costs about as much as a few gradients, however
// many elements wrt has. It is zeros where the gradient does not depend on wrt.
//
// A vector has its node's type; anything else is one error of the loss's graph, and the results
// are invalid. Errors of the loss are those of [Grad].
func HVP(loss *graph.Node, wrt, v []*graph.Node) []*graph.Node {
	grads := Grad(loss, wrt...)
	for _, d := range grads {
		if !d.Valid() {
			return grads
		}
	}
	if bad := checkTangents("HVP", loss, wrt, v); bad != nil {
		return same(bad, len(wrt))
	}
	return pushForward(grads, wrt, v)
}

// checkTangents returns an invalid node where the nodes of wrt, which are checked, cannot move by
// the tangents.
func checkTangents(name string, y *graph.Node, wrt, tangents []*graph.Node) *graph.Node {
	g := owner(y, nil, wrt)
	if len(wrt) != len(tangents) {
		return g.Reject(name, fmt.Errorf("%d tangents for %d nodes; want one for each", len(tangents), len(wrt)))
	}
	for i, t := range tangents {
		switch {
		case t == nil:
			return g.Reject(name, fmt.Errorf("tangent %d is nil", i), y)
		case t.Graph() != g:
			return g.Reject(name, errors.New("a tangent belongs to another graph"), y)
		case !t.Valid():
			return t
		case !wrt[i].Valid():
			return wrt[i]
		case t.Type() != wrt[i].Type():
			return g.Reject(name, fmt.Errorf("tangent %d is %v; want %v, the type of the node that it moves", i, t.Type(), wrt[i].Type()), wrt[i], t)
		}
	}
	return nil
}

// pushForward returns the derivative of each of ys in the direction in which the nodes of wrt move
// by their tangents: the adjoint of what the adjoints of ys induce, which is linear in them.
func pushForward(ys, wrt, tangents []*graph.Node) []*graph.Node {
	dys := make([]*graph.Node, len(ys))
	for i, y := range ys {
		y.Graph().Derived(y, func() { dys[i] = ops.ZerosLike(y) }) // their values do not matter
	}
	if len(ys) == 0 || len(wrt) == 0 {
		return dys
	}
	moved := pullBack(pullBack(ys, dys, wrt), tangents, dys)
	if bad := checkLinear(ys, dys, moved); bad != nil {
		return same(bad, len(ys))
	}
	return moved
}
