package gorgonia

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/graph"
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
	op, x := c.node.Op().(ops.Conv2DOp), c.in[0]
	if !symmetric(op.Pad) {
		x, op.Pad = c.framed(x, op.Pad, 0), [2][2]int{}
	}
	return c.grouped(x, c.in[1], op)
}

// symmetric is the padding that gorgonia has.
func symmetric(pad [2][2]int) bool { return pad[0][0] == pad[0][1] && pad[1][0] == pad[1][1] }

// framed puts v around the images x.
func (c *call) framed(x *G.Node, pad [2][2]int, v float64) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := x.Shape()
	for i, p := range pad {
		dims[2+i] += p[0] + p[1]
	}
	return c.take(x, dims, v, func(axis, i int) int {
		if axis < 2 {
			return i
		}
		return i - pad[axis-2][0]
	})
}

// grouped convolves by one filter for all channels, with zeros between the groups: gorgonia's
// Conv2d has one group, and hundreds of small ones would take it minutes to compile.
func (c *call) grouped(x, filter *G.Node, op ops.Conv2DOp) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := filter.Shape()
	if op.Groups == 1 {
		return c.convolve(x, c.private(filter, dims), op)
	}
	o, row := dims[0]/op.Groups, size(dims[1:])
	places := make([]int, 0, dims[0]*row*op.Groups)
	for f := range dims[0] {
		for g := range op.Groups {
			for k := range row {
				if g == f/o {
					places = append(places, f*row+k)
				} else {
					places = append(places, -1)
				}
			}
		}
	}
	dims[1] *= op.Groups
	return c.convolve(x, c.custom(c.takeOp(filter, dims, places, 0), filter), op)
}

// convolve is gorgonia's Conv2d, the kernel's extents being those of the filter, which Conv2d
// reshapes: nothing else may read it. Convolutions of one image that differ only in their
// dilation would be one to gorgonia.
func (c *call) convolve(x, filter *G.Node, op ops.Conv2DOp) *G.Node {
	if c.err != nil {
		return nil
	}
	if op.Dilation != [2]int{1, 1} {
		x = c.private(x, x.Shape())
	}
	kernel, before := filter.Shape()[2:], []int{op.Pad[0][0], op.Pad[1][0]}
	return c.got(G.Conv2d(x, filter, kernel, before, op.Stride[:], op.Dilation[:]))
}

// transposedConv2D is a convolution of stride 1, by the filter turned round, of images whose
// pixels lie as far apart as the stride says.
func transposedConv2D(c *call) *G.Node {
	op, kernel, out := field[ops.Conv2DOp](c, "Conv"), c.dims(c.node.In(1)), c.dims(c.node)
	dims, before := c.dims(c.node.In(0)), [2]int{}
	for i := range before {
		reach := op.Dilation[i] * (kernel[2+i] - 1)
		before[i], dims[2+i] = reach-op.Pad[i][0], out[2+i]+reach
	}
	x := c.take(c.in[0], dims, 0, func(axis, i int) int {
		if axis < 2 {
			return i
		}
		i -= before[axis-2]
		if i%op.Stride[axis-2] != 0 {
			return -1
		}
		return i / op.Stride[axis-2]
	})
	op.Stride, op.Pad = [2]int{1, 1}, [2][2]int{}
	return c.grouped(x, c.turned(c.in[1], kernel, op.Groups), op)
}

// turned makes of filters (O,C/groups,KH,KW) those of the adjoint, (C,O/groups,KH,KW), upside
// down and back to front.
func (c *call) turned(w *G.Node, dims []int, groups int) *G.Node {
	o, depth, kh, kw := dims[0]/groups, dims[1], dims[2], dims[3]
	w = c.take(w, dims, 0, func(axis, i int) int {
		if axis < 2 {
			return i
		}
		return dims[axis] - 1 - i
	})
	w = c.transposed(c.view(w, []int{groups, o, depth, kh, kw}), 0, 2, 1, 3, 4)
	return c.view(w, []int{groups * depth, o, kh, kw})
}

// poolFits is false for adaptive pooling, whose windows may differ in length.
func poolFits(_ *lowering, n *graph.Node) bool {
	switch op := n.Op().(type) {
	case ops.MaxPool2DOp:
		return op.Size == [2]int{}
	case ops.AvgPool2DOp:
		return op.Size == [2]int{}
	}
	return false
}

// maxPool2D puts the windows side by side where gorgonia has no such pooling, with the lowest
// number as padding.
func maxPool2D(c *call) *G.Node {
	op := c.node.Op().(ops.MaxPool2DOp)
	x := c.custom(c.poolableOp(c.in[0]), c.in[0])
	if pad := c.reaching(op); op.Dilation != [2]int{1, 1} || pad != op.Pad || !symmetric(pad) {
		x = c.apart(x, op)
		op.Stride, op.Pad = op.Kernel, [2][2]int{}
	}
	return c.one(func(x *G.Node) (*G.Node, error) {
		return G.MaxPool2D(x, op.Kernel[:], []int{op.Pad[0][0], op.Pad[1][0]}, op.Stride[:])
	}, x)
}

// apart gives each window of x a place of its own.
func (c *call) apart(x *G.Node, op ops.MaxPool2DOp) *G.Node {
	dims := c.dims(c.node)
	for i, k := range op.Kernel {
		dims[2+i] *= k
	}
	return c.take(x, dims, c.lowest(), func(axis, i int) int {
		if axis < 2 {
			return i
		}
		a := axis - 2
		window, tap := i/op.Kernel[a], i%op.Kernel[a]
		return window*op.Stride[a] - op.Pad[a][0] + tap*op.Dilation[a]
	})
}

// reaching is the padding, as far behind the image as the last windows reach.
func (c *call) reaching(op ops.MaxPool2DOp) [2][2]int {
	in, out, pad := c.dims(c.node.In(0)), c.dims(c.node), op.Pad
	for i := range pad {
		end := (out[2+i]-1)*op.Stride[i] + op.Dilation[i]*(op.Kernel[i]-1) + 1
		pad[i][1] = max(pad[i][1], end-in[2+i]-pad[i][0])
	}
	return pad
}

// avgPool2D is a convolution, a plane at a time, by a filter of ones, and a division: gorgonia's
// average pooling divides by the width of the image.
func avgPool2D(c *call) *G.Node {
	op := c.node.Op().(ops.AvgPool2DOp)
	in, out := c.dims(c.node.In(0)), c.dims(c.node)
	planes := c.view(c.in[0], []int{in[0] * in[1], 1, in[2], in[3]})
	pad := c.reaching(ops.MaxPool2DOp{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad})
	if !symmetric(pad) {
		planes, pad = c.framed(planes, pad, 0), [2][2]int{}
	}
	ones := c.fill([]int{1, 1, op.Kernel[0], op.Kernel[1]}, 1)
	sums := c.convolve(planes, ones, ops.Conv2DOp{Stride: op.Stride, Dilation: op.Dilation, Pad: pad})
	counts := c.constant([]int{1, 1, out[2], out[3]}, counts(op, in[2:], out[2:]))
	return c.view(c.broadcast(G.HadamardDiv, sums, counts), out)
}

// counts are the numbers of elements that the means of a plane are of, at least 1.
func counts(op ops.AvgPool2DOp, in, out []int) (n []float64) {
	var along [2][]int
	for i := range along {
		from, to := 0, in[i]
		if op.CountPad {
			from, to = -op.Pad[i][0], in[i]+op.Pad[i][1]
		}
		along[i] = make([]int, out[i])
		for o := range along[i] {
			for k := range op.Kernel[i] {
				if at := o*op.Stride[i] - op.Pad[i][0] + k*op.Dilation[i]; from <= at && at < to {
					along[i][o]++
				}
			}
		}
	}
	for _, rows := range along[0] {
		for _, columns := range along[1] {
			n = append(n, float64(max(rows*columns, 1)))
		}
	}
	return n
}
