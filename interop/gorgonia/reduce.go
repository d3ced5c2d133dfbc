package gorgonia

import (
	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/ops"
)

type reduction = func(x *G.Node, axes ...int) (*G.Node, error)

func reduceSum(c *call) *G.Node { return c.reduce(G.Sum, c.in[0]) }
func reduceMax(c *call) *G.Node { return c.reduce(G.Max, c.in[0]) }

// reduceMin is by way of the maximum: gorgonia has no minimum.
func reduceMin(c *call) *G.Node {
	return c.one(G.Neg, c.reduce(G.Max, c.one(G.Neg, c.in[0])))
}

// reduce applies f over the op's axes. tensor's reductions over an inner axis are wrong where
// two axes or more stand before it, so that f is given three axes at most: neighbours that are
// reduced, or kept, together are one.
func (c *call) reduce(f reduction, x *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	op, out := c.node.Op().(ops.ReduceOp), c.dims(c.node)
	var runs runs
	for i, d := range x.Shape() {
		runs = runs.with(run{d, op.Axes.Has(i)})
	}
	for len(runs) > 3 {
		last := runs.last()
		x = c.view(x, []int{runs[:last].size(), runs[last].extent, runs[last+1:].size()})
		x = c.over(f, x, 1)
		runs = runs.without(last)
	}
	if axes := runs.reduced(); len(axes) > 0 {
		x = c.over(f, c.as(x, runs.extents()), axes...)
	}
	// gorgonia reshapes the adjoint of what f gives.
	return c.private(x, out)
}

func (c *call) over(f reduction, x *G.Node, axes ...int) *G.Node {
	return c.one(func(x *G.Node) (*G.Node, error) { return f(x, axes...) }, x)
}

// run is one axis or several neighbours of which all are reduced, or none.
type run struct {
	extent  int
	reduced bool
}

type runs []run

// with adds a run behind the others; an axis of extent 1 can as well be left out.
func (rs runs) with(r run) runs {
	last := len(rs) - 1
	switch {
	case r.extent == 1:
	case last >= 0 && rs[last].reduced == r.reduced:
		rs[last].extent *= r.extent
	default:
		rs = append(rs, r)
	}
	return rs
}

// without drops run i and joins its neighbours.
func (rs runs) without(i int) (left runs) {
	for k, r := range rs {
		if k != i {
			left = left.with(r)
		}
	}
	return left
}

// last is the last run that is reduced.
func (rs runs) last() int {
	axes := rs.reduced()
	return axes[len(axes)-1]
}

func (rs runs) reduced() (axes []int) {
	for i, r := range rs {
		if r.reduced {
			axes = append(axes, i)
		}
	}
	return axes
}

func (rs runs) extents() []int {
	dims := make([]int, len(rs))
	for i, r := range rs {
		dims[i] = r.extent
	}
	return dims
}

func (rs runs) size() int { return size(rs.extents()) }

// logSoftmax gives a copy: gorgonia takes the softmax and the log-softmax of one node for the
// same, and rewrites the logarithm of either.
func logSoftmax(c *call) *G.Node {
	return c.private(c.over(G.LogSoftMax, c.in[0], c.node.Op().(ops.SoftmaxOp).Axis), c.dims(c.node))
}

func softmax(c *call) *G.Node { return c.one(G.Exp, logSoftmax(c)) }

// windowSum is a product with a matrix that is 1 where the channel is in the window.
func windowSum(c *call) *G.Node {
	before, after := field[int](c, "Before"), field[int](c, "After")
	return c.mixed(1, func(to, from int) bool { return to-before <= from && from <= to+after })
}

func cumSum(c *call) *G.Node {
	reverse := field[bool](c, "Reverse")
	return c.mixed(field[int](c, "Axis"), func(to, from int) bool { return from == to || from < to != reverse })
}

// mixed gives along an axis sums of those elements that are in each: a convolution of one pixel,
// of which the axis is the channels.
func (c *call) mixed(axis int, in func(to, from int) bool) *G.Node {
	dims := c.dims(c.node)
	n := dims[axis]
	filter := make([]float64, n*n)
	for i := range filter {
		if in(i/n, i%n) {
			filter[i] = 1
		}
	}
	x := c.view(c.in[0], []int{size(dims[:axis]), n, size(dims[axis+1:]), 1})
	w := c.constant([]int{n, n, 1, 1}, filter)
	return c.view(c.convolve(x, w, ops.Conv2DOp{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}), dims)
}
