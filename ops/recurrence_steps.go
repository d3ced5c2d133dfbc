package ops

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
)

// Here recurrences are made of ops, step by step. That is their definition, of which the gradients of
// gradients are made, and those of each example.

// unrolled returns the planes of a recurrence over x (...,T,G*H). States are (...,H); w and b may have
// axes in front.
func (op recurrenceOp) unrolled(x *graph.Node, states []*graph.Node, w, b *graph.Node) *graph.Node {
	steps := make([]*graph.Node, x.Type().Int(-2))
	for t := range steps {
		planes := op.step(stepOf(x, t), states, w, b)
		states = planes[:op.Cell.States()]
		steps[t] = stacked(planes)
	}
	return Concat(steps[0].Type().Rank()-2, steps...)
}

// step returns the planes of a step, given those of the states before it.
func (op recurrenceOp) step(x *graph.Node, states []*graph.Node, w, b *graph.Node) []*graph.Node {
	h := states[0]
	units := h.Type().Int(-1)
	y := Add(MatMul(h, w, MatMulOp{TransB: true}), b)
	if op.Cell == engine.LSTM {
		g := parts(Add(x, y), units)
		i, f, g2, o := Sigmoid(g[0]), Sigmoid(g[1]), Tanh(g[2]), Sigmoid(g[3])
		c := Add(Mul(f, states[1]), Mul(i, g2))
		return []*graph.Node{Mul(o, Tanh(c)), c, i, f, g2, o}
	}
	xs, hs := parts(x, units), parts(y, units)
	r, z := Sigmoid(Add(xs[0], hs[0])), Sigmoid(Add(xs[1], hs[1]))
	fresh := Tanh(Add(xs[2], Mul(r, hs[2])))
	return []*graph.Node{Add(fresh, Mul(z, Sub(h, fresh))), r, z, fresh, hs[2]}
}

// parts cuts the last axis of x into parts of so many units.
func parts(x *graph.Node, units int) []*graph.Node {
	all := make([]*graph.Node, x.Type().Int(-1)/units)
	for i := range all {
		all[i] = sliceAxis(x, x.Type().Rank()-1, i*units, (i+1)*units)
	}
	return all
}

// stepOf returns step t of x (...,T,C).
func stepOf(x *graph.Node, t int) *graph.Node {
	axis := x.Type().Rank() - 2
	return Squeeze(sliceAxis(x, axis, t, t+1), axis)
}

// stacked joins planes along the last axis, as a step. Those that do not depend on all inputs may
// have to be broadcast.
func stacked(planes []*graph.Node) *graph.Node {
	to, rank := planes[0].Type().Shape, planes[0].Type().Rank()
	for _, p := range planes {
		if p.Valid() && p.Type().Rank() > rank {
			to, rank = p.Type().Shape, p.Type().Rank()
		}
	}
	all := make([]*graph.Node, len(planes))
	for i, p := range planes {
		if all[i] = p; p.Valid() && p.Type().Shape != to {
			all[i] = BroadcastTo(p, to)
		}
	}
	return Unsqueeze(Concat(rank-1, all...), rank-1)
}

// unrolled returns the result of a gradient, which is not brief, over (...,T,C).
func (op recurrenceGrad) unrolled(a recurrentAdjoints) *graph.Node {
	steps := make([]*graph.Node, a.dh.Type().Int(-2))
	units := a.dh.Type().Int(-1)
	var through, carry *graph.Node // of the step after
	for t := len(steps) - 1; t >= 0; t-- {
		at := recurrentAdjoints{dh: sumOf(through, stepOf(a.dh, t)), planes: stepOf(a.planes, t), state: a.state}
		if a.dc != nil {
			at.dc = stepOf(a.dc, t)
		}
		if a.inner != nil {
			at.inner = stepOf(a.inner, t)
		}
		if t > 0 {
			at.state = parts(stepOf(a.planes, t-1), units)[op.Cell.States()-1]
		}
		planes := op.step(at, carry)
		steps[t], carry = stacked(planes), planes[4]
		if t > 0 {
			gates := planes[:4]
			if op.Cell == engine.GRU {
				gates = planes[1:4]
			}
			through = MatMul(Squeeze(stacked(gates), -2), a.w)
		}
	}
	return Concat(steps[0].Type().Rank()-2, steps...)
}

// step returns the planes of a step of a gradient; carry is the last of those of the step after it.
func (op recurrenceGrad) step(a recurrentAdjoints, carry *graph.Node) []*graph.Node {
	units := a.state.Type().Int(-1)
	p, inner := parts(a.planes, units), make([]*graph.Node, 4)
	if a.inner != nil {
		inner = parts(a.inner, units)
	}
	rest := func(x *graph.Node) *graph.Node { return Sub(Scalar(x, 1), x) }
	sigmoid := func(dy, y *graph.Node) *graph.Node { return Mul(Mul(dy, y), rest(y)) }
	tanh := func(dy, y *graph.Node) *graph.Node { return Mul(dy, rest(Mul(y, y))) }
	if op.Cell == engine.LSTM {
		c, i, f, g, o := Tanh(p[1]), p[2], p[3], p[4], p[5]
		dc := sumOf(sumOf(tanh(Mul(a.dh, o), c), carry), a.dc)
		return []*graph.Node{
			sigmoid(sumOf(Mul(dc, g), inner[0]), i), sigmoid(sumOf(Mul(dc, a.state), inner[1]), f),
			tanh(sumOf(Mul(dc, i), inner[2]), g), sigmoid(sumOf(Mul(a.dh, c), inner[3]), o), Mul(dc, f),
		}
	}
	r, z, n, q := p[1], p[2], p[3], p[4]
	dh := sumOf(a.dh, carry)
	dn := tanh(sumOf(Mul(dh, rest(z)), inner[2]), n)
	return []*graph.Node{
		dn, sigmoid(sumOf(Mul(dn, q), inner[0]), r), sigmoid(sumOf(Mul(dh, Sub(a.state, n)), inner[1]), z),
		sumOf(Mul(dn, r), inner[3]), Mul(dh, z),
	}
}

// Grad differentiates the gradient as it is made of ops.
func (op recurrenceGrad) Grad(n, u *graph.Node) []*graph.Node {
	first := len(n.Graph().Nodes())
	in := make([]*graph.Node, n.NIn()) // apart, where one node is two inputs
	for i, x := range n.Ins() {
		in[i] = Reshape(x, x.Type().Dims()...)
	}
	return pullBack(first, op.unrolled(op.inputs(in)), u, in)
}

// pullBack returns the adjoints of wrt, given that of y, which is made of the nodes from first on: of
// ops that have gradients. An adjoint is nil if y does not depend on the node.
func pullBack(first int, y, dy *graph.Node, wrt []*graph.Node) []*graph.Node {
	nodes := y.Graph().Nodes()[first : y.ID()+1]
	active, adjoint := map[*graph.Node]bool{}, map[*graph.Node]*graph.Node{y: dy}
	for _, x := range wrt {
		active[x] = true
	}
	for _, n := range nodes {
		for _, x := range n.Ins() {
			active[n] = active[n] || active[x]
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		op, ok := n.Op().(interface {
			Grad(n, dy *graph.Node) []*graph.Node
		})
		if !ok || !active[n] || adjoint[n] == nil {
			continue
		}
		for k, dx := range op.Grad(n, adjoint[n]) {
			if x := n.In(k); dx != nil && active[x] {
				adjoint[x] = sumOf(adjoint[x], dx)
			}
		}
	}
	all := make([]*graph.Node, len(wrt))
	for i, x := range wrt {
		all[i] = adjoint[x]
	}
	return all
}

// PerExample unrolls the steps where weights are those of each row.
func (op recurrenceOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		return n, nil
	}
	all := eachRow(n, in)
	w, b := op.weights(all)
	if x := len(in) - 1; own(n, in, x) { // (N,G*H) to (N,1,G*H)
		b = Unsqueeze(b, 1)
	}
	return ofRows(n, in, op.unrolled(all[0], all[1:1+op.Cell.States()], w, b)), nil
}

// PerExample is like that of the recurrence.
func (op recurrenceGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		return n, nil
	}
	return ofRows(n, in, op.unrolled(op.inputs(eachRow(n, in)))), nil
}

// eachRow gives inputs that have the batch as axis 0 an axis after it, so that their rows are those of
// one example.
func eachRow(n *graph.Node, in []*graph.Node) []*graph.Node {
	all := make([]*graph.Node, len(in))
	for i, x := range in {
		if all[i] = x; !own(n, in, i) && isBatch(x.Type().Shape) {
			all[i] = Unsqueeze(x, 1)
		}
	}
	return all
}

// ofRows is the result for n of y, which was computed of eachRow.
func ofRows(n *graph.Node, in []*graph.Node, y *graph.Node) *graph.Node {
	to := n.Type().Shape
	if !isBatch(to) {
		return BroadcastTo(y, to.Insert(0, rowsOf(n, in)))
	}
	return Reshape(y, to.Dims()...)
}
