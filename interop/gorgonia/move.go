package gorgonia

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

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
	return c.concatenated(c.node.Op().(ops.ConcatOp).Axis, c.in...)
}

// concatenated joins xs. The gradient cuts it up again: gorgonia tells slices by their bounds
// modulo 256.
func (c *call) concatenated(axis int, xs ...*G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	start, seen := 0, map[[2]byte]bool{}
	for _, x := range xs {
		stop := start + x.Shape()[axis]
		bounds := [2]byte{byte(start), byte(stop)}
		if seen[bounds] {
			return c.fail("gorgonia takes two slices for one whose bounds are equal modulo 256, as those of its gradient are along axis %d", axis)
		}
		seen[bounds], start = true, stop
	}
	return c.got(G.Concat(axis, xs...))
}

func slice(c *call) *G.Node {
	op, x := c.node.Op().(ops.SliceOp), c.in[0]
	from, to := c.dims(c.node.In(0)), c.dims(c.node)
	for i := len(from) - 1; i >= 0; i-- { // gorgonia drops axes of which one index is taken
		start := int(op.Start[i].At(c.batch))
		stop := start + to[i]
		switch {
		case from[i] == to[i] && op.Step[i] == 1:
			continue
		case op.Step[i] != 1 && to[i] > 1:
			return c.fail("axis %d is taken in steps of %d; gorgonia's slices are right for steps of 1 alone", i, op.Step[i])
		case stop > 255:
			return c.fail("axis %d is taken up to index %d; gorgonia takes slices for equal whose bounds are equal modulo 256", i, stop)
		}
		x = c.sliced(x, i, start, stop)
	}
	return c.as(x, to)
}

// sliced takes some indices of one axis, which stays.
func (c *call) sliced(x *G.Node, axis, start, stop int) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	dims[axis] = stop - start
	ranges := make([]tensor.Slice, axis+1)
	ranges[axis] = G.S(start, stop)
	return c.view(c.got(G.Slice(x, ranges...)), dims)
}

// pad puts constants before and behind x, axis by axis.
func pad(c *call) *G.Node {
	op := c.node.Op().(ops.PadOp)
	if op.Mode != ops.PadConstant {
		return c.fail("%v padding has nothing in gorgonia to be lowered to; constant padding has", op.Mode)
	}
	x := c.in[0]
	for i := range c.node.Type().Rank() {
		x = c.padded(x, i, op.Before[i], op.After[i], op.Value.Value())
	}
	return x
}

func (c *call) padded(x *G.Node, axis, before, after int, v float64) *G.Node {
	if c.err != nil || before == 0 && after == 0 {
		return x
	}
	block := func(extent int) []*G.Node {
		if extent == 0 {
			return nil
		}
		dims := x.Shape()
		dims[axis] = extent
		return []*G.Node{c.fill(dims, v)}
	}
	return c.concatenated(axis, slices.Concat(block(before), []*G.Node{x}, block(after))...)
}

func hot(c *call) *G.Node {
	return c.custom(oneHotOp(c.in[0], c.node.Op().(ops.OneHotOp).Classes), c.in[0])
}
