package gorgonia

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/ops"
)

// matMul transposes operands where the op asks for it, and multiplies matrix by matrix or
// batch by batch.
func matMul(c *call) *G.Node {
	op := c.node.Op().(ops.MatMulOp)
	a, b, out := c.in[0], c.in[1], c.dims(c.node)
	if op.TransA {
		a = c.lastTwoSwapped(a)
	}
	if op.TransB {
		b = c.lastTwoSwapped(b)
	}
	if c.err != nil {
		return nil
	}
	if len(b.Shape()) == 2 {
		return c.as(c.two(G.Mul, c.stacked(a), b), out)
	}
	batch := slices.Clone(out[:len(out)-2])
	if len(a.Shape()) == 2 {
		a = c.expand(a, append(slices.Clone(batch), a.Shape()...))
	}
	product := func(a, b *G.Node) (*G.Node, error) { return G.BatchedMatMul(a, b) }
	return c.as(c.two(product, c.batched(a), c.batched(b)), out)
}

func (c *call) lastTwoSwapped(x *G.Node) *G.Node {
	perm := make([]int, len(x.Shape()))
	for i := range perm {
		perm[i] = i
	}
	last := len(perm) - 1
	perm[last-1], perm[last] = last, last-1
	return c.transposed(x, perm...)
}

// stacked makes one matrix of all the rows of x.
func (c *call) stacked(x *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	last := len(dims) - 1
	return c.as(x, []int{size(dims[:last]), dims[last]})
}

// batched joins the axes of x but the last two.
func (c *call) batched(x *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	last := len(dims) - 2
	return c.as(x, []int{size(dims[:last]), dims[last], dims[last+1]})
}

func conv2D(c *call) *G.Node {
	op := c.node.Op().(ops.Conv2DOp)
	if op.Groups != 1 {
		return c.fail("it has %d groups; gorgonia's Conv2d has 1 alone", op.Groups)
	}
	if !c.symmetric(op.Pad) {
		return nil
	}
	kernel := c.dims(c.node.In(1))
	// Conv2d reshapes the filter.
	return c.convolve(c.in[0], c.private(c.in[1], kernel), op)
}

// convolve is gorgonia's Conv2d, the kernel's extents being those of the filter.
func (c *call) convolve(x, filter *G.Node, op ops.Conv2DOp) *G.Node {
	if c.err != nil {
		return nil
	}
	kernel := [2]int(filter.Shape()[2:])
	before := [2]int{op.Pad[0][0], op.Pad[1][0]}
	key := patches{x, kernel, before, op.Stride}
	if d, ok := c.dilated[key]; ok && d != op.Dilation {
		return c.fail("its image is convolved with dilations %v and %v and the same kernel size, padding and stride; gorgonia takes the two for one", d, op.Dilation)
	}
	c.dilated[key] = op.Dilation
	return c.got(G.Conv2d(x, filter, tensor.Shape(kernel[:]), before[:], op.Stride[:], op.Dilation[:]))
}

// symmetric refuses padding that gorgonia has not got.
func (c *call) symmetric(pad [2][2]int) bool {
	for i, side := range []string{"height", "width"} {
		if pad[i][0] != pad[i][1] {
			c.fail("the padding of the %s is %d before and %d after; gorgonia's is equal, so use Pad first", side, pad[i][0], pad[i][1])
			return false
		}
	}
	return true
}

func maxPool2D(c *call) *G.Node {
	op := c.node.Op().(ops.Pool2DOp)
	if !c.poolable(op) {
		return nil
	}
	x := c.custom(c.poolableOp(c.in[0]), c.in[0])
	return c.one(func(x *G.Node) (*G.Node, error) {
		return G.MaxPool2D(x, op.Kernel[:], []int{op.Pad[0][0], op.Pad[1][0]}, op.Stride[:])
	}, x)
}

// poolable refuses windows that gorgonia has not got.
func (c *call) poolable(op ops.Pool2DOp) bool {
	in, out := c.dims(c.node.In(0)), c.dims(c.node)
	for i, kernel := range op.Kernel {
		room := in[2+i] + op.Pad[i][0] + op.Pad[i][1] - kernel
		switch {
		case op.Dilation[i] != 1:
			c.fail("it has dilation %v; gorgonia's pooling has none", op.Dilation)
		case room/op.Stride[i]+1 != out[2+i]:
			c.fail("Ceil adds a window, which gorgonia's pooling does not")
		}
	}
	return c.symmetric(op.Pad) && c.err == nil
}

// avgPool2D is a convolution, a plane at a time, by a filter of equal numbers: gorgonia's
// average pooling divides by the width of the image.
func avgPool2D(c *call) *G.Node {
	op := c.node.Op().(ops.AvgPool2DOp)
	if !c.poolable(ops.Pool2DOp{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad}) {
		return nil
	}
	if !op.CountPad && op.Pad != ([2][2]int{}) {
		return c.fail("the mean leaves out the padding; gorgonia can only count it, so set CountPad")
	}
	in := c.dims(c.node.In(0))
	planes := c.view(c.in[0], []int{in[0] * in[1], 1, in[2], in[3]})
	kh, kw := op.Kernel[0], op.Kernel[1]
	mean := c.fill([]int{1, 1, kh, kw}, 1/float64(kh*kw))
	y := c.convolve(planes, mean, ops.Conv2DOp{Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad})
	return c.view(y, c.dims(c.node))
}
