package gorgonia

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

func reshape(c *call) *G.Node { return c.view(c.in[0], c.dims(c.node)) }

func transpose(c *call) *G.Node {
	perm := make([]int, c.node.Type().Rank())
	for i := range perm {
		perm[i] = int(c.node.Op().(ops.TransposeOp).Perm[i])
	}
	return c.transposed(c.in[0], perm...)
}

// transposed reorders the axes of x, by a mere copy where only those of extent 1 move.
func (c *call) transposed(x *G.Node, perm ...int) *G.Node {
	if c.err != nil {
		return nil
	}
	var dims, moved []int
	for _, axis := range perm {
		dims = append(dims, x.Shape()[axis])
		if x.Shape()[axis] != 1 {
			moved = append(moved, axis)
		}
	}
	if slices.IsSorted(moved) {
		return c.view(x, dims)
	}
	return c.one(func(x *G.Node) (*G.Node, error) { return G.Transpose(x, perm...) }, x)
}

func concat(c *call) *G.Node {
	if len(c.in) == 1 {
		return c.view(c.in[0], c.dims(c.node))
	}
	return c.got(G.Concat(c.node.Op().(ops.ConcatOp).Axis, c.in...))
}

// concatFits reports whether the slices of Concat's gradient are all told apart, which they are by
// their bounds modulo 256.
func concatFits(l *lowering, n *graph.Node) bool {
	axis, stop, seen := n.Op().(ops.ConcatOp).Axis, 0, map[[2]byte]bool{}
	for _, x := range n.Ins() {
		start := stop
		stop += l.dims(x)[axis]
		bounds := [2]byte{byte(start), byte(stop)}
		if seen[bounds] {
			return false
		}
		seen[bounds] = true
	}
	return true
}

// slice goes one axis after the other, the last one first: gorgonia drops axes of which one index
// is taken.
func slice(c *call) *G.Node {
	op, x := c.node.Op().(ops.SliceOp), c.in[0]
	from, to := c.dims(c.node.In(0)), c.dims(c.node)
	for i := len(from) - 1; i >= 0; i-- {
		if from[i] != to[i] {
			start := int(op.Start[i].At(c.batch))
			x = c.part(x, i, start, start+to[i])
		}
	}
	return c.as(x, to)
}

// sliceFits reports whether gorgonia's slices are right: in steps of 1, with bounds below 256.
func sliceFits(l *lowering, n *graph.Node) bool {
	op, from, to := n.Op().(ops.SliceOp), l.dims(n.In(0)), l.dims(n)
	for i := range from {
		if op.Step[i] != 1 && to[i] > 1 || int(op.Start[i].At(l.batch))+to[i] > 255 && to[i] < from[i] {
			return false
		}
	}
	return true
}

// part takes some indices of one axis, which stays.
func (c *call) part(x *G.Node, axis, start, stop int) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	dims[axis] = stop - start
	ranges := make([]tensor.Slice, axis+1)
	ranges[axis] = G.S(start, stop)
	return c.view(c.got(G.Slice(x, ranges...)), dims)
}
