package gorgonia

import (
	"reflect"
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

// concatenated joins xs: by gorgonia's Concat where the slices of its gradient are all told
// apart, which they are by their bounds modulo 256.
func (c *call) concatenated(axis int, xs ...*G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	stop, clash, seen := 0, false, map[[2]byte]bool{}
	for _, x := range xs {
		start := stop
		stop += x.Shape()[axis]
		bounds := [2]byte{byte(start), byte(stop)}
		clash, seen[bounds] = clash || seen[bounds], true
	}
	if !clash {
		return c.got(G.Concat(axis, xs...))
	}
	dims := xs[0].Shape().Clone()
	dims[axis] = stop
	return c.custom(c.joinOp(axis, dims, xs), xs...)
}

// slice is by gorgonia's slices, one axis after the other, where those are right: in steps of 1,
// with bounds below 256.
func slice(c *call) *G.Node {
	op, x := c.node.Op().(ops.SliceOp), c.in[0]
	from, to := c.dims(c.node.In(0)), c.dims(c.node)
	for i := range from {
		if op.Step[i] != 1 && to[i] > 1 || int(op.Start[i].At(c.batch))+to[i] > 255 && to[i] < from[i] {
			return c.take(x, to, 0, c.sliced(op))
		}
	}
	for i := len(from) - 1; i >= 0; i-- { // gorgonia drops axes of which one index is taken
		if from[i] != to[i] {
			start := int(op.Start[i].At(c.batch))
			x = c.part(x, i, start, start+to[i])
		}
	}
	return c.as(x, to)
}

// embed is the adjoint of a slice.
func embed(c *call) *G.Node {
	op := reflect.ValueOf(c.node.Op()).Convert(reflect.TypeFor[ops.SliceOp]()).Interface().(ops.SliceOp)
	return c.put(c.in[0], c.dims(c.node), c.sliced(op))
}

// sliced tells where the elements of a slice are.
func (c *call) sliced(op ops.SliceOp) func(axis, i int) int {
	return func(axis, i int) int { return int(op.Start[axis].At(c.batch)) + i*op.Step[axis] }
}

// shifted tells where the elements of a part are that begins at start of one axis.
func shifted(axis, start int) func(axis, i int) int {
	return func(a, i int) int {
		if a == axis {
			return start + i
		}
		return i
	}
}

// part takes some indices of one axis, which stays.
func (c *call) part(x *G.Node, axis, start, stop int) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	dims[axis] = stop - start
	if stop > 255 {
		return c.take(x, dims, 0, shifted(axis, start))
	}
	ranges := make([]tensor.Slice, axis+1)
	ranges[axis] = G.S(start, stop)
	return c.view(c.got(G.Slice(x, ranges...)), dims)
}

func pad(c *call) *G.Node {
	op := c.node.Op().(ops.PadOp)
	return c.take(c.in[0], c.dims(c.node), op.Value.Value(), padded(op, c.dims(c.node.In(0))))
}

func padGrad(c *call) *G.Node {
	op := reflect.ValueOf(c.node.Op()).Convert(reflect.TypeFor[ops.PadOp]()).Interface().(ops.PadOp)
	return c.put(c.in[0], c.dims(c.node), padded(op, c.dims(c.node)))
}

// padded tells which elements of a tensor of extents dims padding shows.
func padded(op ops.PadOp, dims []int) func(axis, i int) int {
	return func(axis, i int) int {
		i, last := i-op.Before[axis], dims[axis]-1
		switch op.Mode {
		case ops.PadEdge:
			return min(max(i, 0), last)
		case ops.PadReflect:
			return last - distance(last, distance(i, 0))
		case ops.PadSymmetric:
			if i < 0 {
				i = -1 - i
			}
			if i > last {
				i = 2*last + 1 - i
			}
		}
		return i
	}
}

func distance(a, b int) int { return max(a-b, b-a) }

func hot(c *call) *G.Node {
	return c.custom(oneHotOp(c.in[0], c.node.Op().(ops.OneHotOp).Classes), c.in[0])
}
