package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

var convOperators = family{
	"Conv":          always(2, 3, conv),
	"ConvTranspose": always(2, 3, convTranspose),
}

func conv(c *call) []*value {
	w := c.window(c.numbers(1, 2))
	c.pad(&w)
	x, layer := c.integerLayer(0)
	if x == nil {
		x = c.node(0)
	}
	y := c.ev.inLayer(layer, func() *graph.Node { return w.conv(x, c.node(1), c.groups()) })
	return result(biased(y, c.optional(2)), c.elem(0))
}

func (c *call) groups() int {
	g := c.intAttr("group", 1)
	if g < 1 {
		refuse("attribute group is %d", g)
	}
	return g
}

func biased(y, b *graph.Node) *graph.Node {
	if b == nil {
		return y
	}
	return ops.AddBias(y, b)
}

func (w window) conv(x, filters *graph.Node, groups int) *graph.Node {
	switch len(w.kernel) {
	case 1:
		return ops.Conv1D(x, filters, w.conv1(groups))
	case 2:
		return ops.Conv2D(x, filters, w.conv2(groups))
	}
	return ops.Conv3D(x, filters, w.conv3(groups))
}

func (w window) conv1(groups int) ops.Conv1DOptions {
	return ops.Conv1DOptions{Stride: w.stride[0], Dilation: w.dilation[0], Pad: w.pads[0], Groups: groups}
}

func (w window) conv2(groups int) ops.Conv2DOp {
	return ops.Conv2DOp{Stride: array2(w.stride), Dilation: array2(w.dilation), Pad: array2(w.pads), Groups: groups}
}

func (w window) conv3(groups int) ops.Conv3DOptions {
	return ops.Conv3DOptions{Stride: array3(w.stride), Dilation: array3(w.dilation), Pad: array3(w.pads), Groups: groups}
}

func convTranspose(c *call) []*value {
	w := c.window(c.numbers(1, 2))
	n := len(w.kernel)
	extra := c.intsAttr("output_padding", make([]int, n))
	if len(extra) != n || slices.Min(extra) < 0 {
		refuse("attribute output_padding is %v; want %d numbers", extra, n)
	}
	extra = slices.Clone(extra)
	c.padTransposed(&w, extra)
	y := w.convTranspose(c.node(0), c.node(1), c.groups(), extra)
	return result(biased(y, c.optional(2)), c.elem(0))
}

// padTransposed reads the padding, or computes it from the extents that the result should have. What
// the result then lacks at its end is added to extra.
func (c *call) padTransposed(w *window, extra []int) {
	size := c.intsAttr("output_shape", nil)
	auto := c.stringAttr("auto_pad", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "")
	if size == nil && auto != "SAME_UPPER" && auto != "SAME_LOWER" {
		c.pad(w)
		return
	}
	extents := c.numbers(0, 2)
	if len(size) == len(extents)+2 { // some files have all axes
		size = size[2:]
	}
	if size == nil {
		for i, n := range extents {
			size = append(size, n*w.stride[i])
		}
	}
	if len(size) != len(extents) {
		refuse("attribute output_shape is %v; want %d numbers", size, len(extents))
	}
	for i, n := range extents {
		total := w.stride[i]*(n-1) + extra[i] + (w.kernel[i]-1)*w.dilation[i] + 1 - size[i]
		if total < 0 {
			extra[i] -= total
			total = 0
		}
		w.pads[i] = [2]int{total - total/2, total / 2}
		if auto == "SAME_UPPER" {
			w.pads[i] = [2]int{total / 2, total - total/2}
		}
	}
}

// convTranspose computes a result of which extra elements at the end are reached by no element of x
// but through the padding. Where they are more than package ops can compute, zeros are appended to
// the whole result, and the padding is cut off afterwards.
func (w window) convTranspose(x, filters *graph.Node, groups int, extra []int) *graph.Node {
	beyond := false
	behind := make([][2]int, len(extra))
	for i, e := range extra {
		beyond = beyond || e >= w.stride[i]
		behind[i][1] = e
	}
	if !beyond {
		return w.transposed(x, filters, groups, extra)
	}
	whole := w
	whole.pads = make([][2]int, len(w.pads))
	return cropped(paddedBy(whole.transposed(x, filters, groups, make([]int, len(extra))), behind, 0), w.pads)
}

func (w window) transposed(x, filters *graph.Node, groups int, extra []int) *graph.Node {
	switch len(w.kernel) {
	case 1:
		return ops.ConvTranspose1D(x, filters, w.conv1(groups), extra[0])
	case 2:
		return ops.ConvTranspose2D(x, filters, w.conv2(groups), array2(extra))
	}
	return ops.ConvTranspose3D(x, filters, w.conv3(groups), array3(extra))
}

// cropped removes elements at both ends of the spatial axes.
func cropped(y *graph.Node, pads [][2]int) *graph.Node {
	if !y.Valid() {
		return y
	}
	ranges := []ops.Range{ops.Whole(), ops.Whole()}
	for i, p := range pads {
		n, _ := y.Type().Dim(2 + i).Int()
		ranges = append(ranges, ops.Range{Start: p[0], Stop: n - p[1]})
	}
	return ops.Slice(y, ranges...)
}
