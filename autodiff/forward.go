package autodiff

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// JVP returns the derivative of y in the direction in which each node of wrt moves by its tangent:
// the Jacobian of y times the tangents. y may have any floating-point type; the result has the same
// type. Applied to a gradient, JVP gives a Hessian-vector product. The result is zeros if y depends
// on no node of wrt.
//
// A tangent must have the type of its node. Otherwise one error is recorded in y's graph and the
// result is invalid. Ops need no extra rule for JVP: the adjoints of wrt are linear in the adjoint
// of y, and JVP differentiates them with respect to it.
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
// each node of wrt, the derivative of its gradient in the direction in which every node of wrt
// moves by its element of v. Each result has the type of its node. HVP costs about as much as a few
// gradients, for any number of elements of wrt. The results are zeros if the gradient does not
// depend on wrt.
//
// A vector must have the type of its node. Otherwise one error is recorded in the graph of loss and
// the results are invalid. Errors about loss are those of [Grad].
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

// checkTangents returns an invalid node if tangents do not match the nodes of wrt, which have been
// checked.
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
// by their tangents. The adjoints of wrt are linear in the adjoints of ys; pushForward returns the
// adjoints of these.
func pushForward(ys, wrt, tangents []*graph.Node) []*graph.Node {
	dys := make([]*graph.Node, len(ys))
	for i, y := range ys {
		y.Graph().Derived(y, func() { dys[i] = ops.ZerosLike(y) }) // the values do not matter
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
