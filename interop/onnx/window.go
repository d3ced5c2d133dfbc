package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// A window is the geometry of a convolution or pooling over 1 to 3 axes.
type window struct {
	kernel, stride, dilation []int
	pads                     [][2]int
}

// window reads the attributes about the spatial axes of input 0, of which there are as many as kernel
// has, or those of the attribute kernel_shape if kernel is nil.
func (c *call) window(kernel []int) window {
	x := c.shape(0)
	axes := x.Rank() - 2
	if axes < 1 || axes > 3 {
		refuse("input 0 has %d axes; want 3 to 5: (N,C,...)", x.Rank())
	}
	if kernel == nil {
		kernel = c.intsAttr("kernel_shape", nil)
	} else if k := c.intsAttr("kernel_shape", kernel); !slices.Equal(k, kernel) {
		refuse("attribute kernel_shape is %v; the filters are %v", k, kernel)
	}
	ones := slices.Repeat([]int{1}, axes)
	w := window{kernel: kernel, stride: c.intsAttr("strides", ones), dilation: c.intsAttr("dilations", ones), pads: make([][2]int, axes)}
	for name, list := range map[string][]int{"kernel_shape": w.kernel, "strides": w.stride, "dilations": w.dilation} {
		if len(list) != axes {
			refuse("attribute %s is %v; want %d numbers", name, list, axes)
		}
		if slices.Min(list) < 1 {
			refuse("attribute %s is %v; want positive numbers", name, list)
		}
	}
	return w
}

// pad reads the padding. ceil says that the last window may extend beyond it.
func (c *call) pad(w *window) {
	auto := c.stringAttr("auto_pad", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "")
	if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
		w.same(c.numbers(0, 2), auto == "SAME_LOWER")
		return
	}
	if auto == "VALID" {
		return
	}
	n := len(w.kernel)
	list := c.intsAttr("pads", make([]int, 2*n))
	if len(list) != 2*n {
		refuse("attribute pads is %v; want %d numbers", list, 2*n)
	}
	for i := range w.pads {
		w.pads[i] = [2]int{list[i], list[n+i]}
	}
	if slices.Min(list) < 0 {
		refuse("attribute pads is %v; negative padding is not supported", list)
	}
}

// same pads so that the result has ceil(extent/stride) elements; an odd element is behind, or in
// front if lower is set.
func (w *window) same(extents []int, lower bool) {
	for i, n := range extents {
		out := (n + w.stride[i] - 1) / w.stride[i]
		total := max((out-1)*w.stride[i]+(w.kernel[i]-1)*w.dilation[i]+1-n, 0)
		w.pads[i] = [2]int{total / 2, total - total/2}
		if lower {
			w.pads[i] = [2]int{total - total/2, total / 2}
		}
	}
}

// array2 and array3 are the arrays that package ops takes.
func array2[T any](v []T) [2]T { return [2]T(v) }
func array3[T any](v []T) [3]T { return [3]T(v) }

// paddedBy pads the spatial axes of x with a number.
func paddedBy(x *graph.Node, pads [][2]int, v float64) *graph.Node {
	op := ops.PadOp{Value: graph.Float(v)}
	for i, p := range pads {
		op.Before[2+i], op.After[2+i] = p[0], p[1]
	}
	return ops.Pad(x, op)
}
