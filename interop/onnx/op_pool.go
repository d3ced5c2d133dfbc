package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var poolOperators = family{
	"MaxPool":           always(1, 1, maxPool),
	"AveragePool":       always(1, 1, averagePool),
	"LpPool":            always(1, 1, lpPool),
	"GlobalMaxPool":     always(1, 1, unary(global(ops.MaxKeep))),
	"GlobalAveragePool": always(1, 1, unary(globalAverage)),
	"GlobalLpPool":      always(1, 1, globalLpPool),
}

func maxPool(c *call) []*value {
	w := c.window(nil)
	c.pad(&w)
	x := c.node(0)
	d := x.Type().DType
	if !d.IsFloat() { // the integers of 8 bits, which float32 has all
		x = ops.Cast(x, shape.Float32)
	}
	if q := c.in[0].codes; q != nil && len(c.n.Outputs) == 1 {
		return c.pooledCodes(w, q)
	}
	y := w.maxPool(x, c.flag("ceil_mode", false))
	if len(c.n.Outputs) > 1 && c.n.Outputs[1] != "" {
		outs := c.maxPoolIndices(w, x, y)
		outs[0] = computed(convert(y, d), c.elem(0))
		return outs
	}
	return moved(convert(y, d), c.elem(0))
}

// pooledCodes has the codes that are the largest, which those less the zero point are too.
func (c *call) pooledCodes(w window, q *codes) []*value {
	y := w.maxPool(q.inUnits(), c.flag("ceil_mode", false))
	return []*value{q.like(y)}
}

func (w window) maxPool(x *graph.Node, ceil bool) *graph.Node {
	switch len(w.kernel) {
	case 1:
		return ops.MaxPool1D(x, w.maxPool1(ceil))
	case 2:
		return ops.MaxPool2D(x, w.maxPool2(ceil))
	}
	return ops.MaxPool3D(x, w.maxPool3(ceil))
}

func (w window) maxPool1(ceil bool) ops.MaxPool1DOptions {
	return ops.MaxPool1DOptions{Kernel: w.kernel[0], Stride: w.stride[0], Dilation: w.dilation[0], Pad: w.pads[0], Ceil: ceil}
}

func (w window) maxPool2(ceil bool) ops.MaxPool2DOp {
	return ops.MaxPool2DOp{Kernel: array2(w.kernel), Stride: array2(w.stride), Dilation: array2(w.dilation), Pad: array2(w.pads), Ceil: ceil}
}

func (w window) maxPool3(ceil bool) ops.MaxPool3DOptions {
	return ops.MaxPool3DOptions{Kernel: array3(w.kernel), Stride: array3(w.stride), Dilation: array3(w.dilation), Pad: array3(w.pads), Ceil: ceil}
}

func averagePool(c *call) []*value {
	w := c.window(nil)
	c.pad(&w)
	ceil, count := c.flag("ceil_mode", false), c.flag("count_include_pad", false)
	x := c.node(0)
	var y *graph.Node
	switch len(w.kernel) {
	case 1:
		y = ops.AvgPool1D(x, ops.AvgPool1DOptions{Kernel: w.kernel[0], Stride: w.stride[0], Dilation: w.dilation[0], Pad: w.pads[0], Ceil: ceil, CountPad: count})
	case 2:
		y = ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: array2(w.kernel), Stride: array2(w.stride), Dilation: array2(w.dilation), Pad: array2(w.pads), Ceil: ceil, CountPad: count})
	default:
		y = ops.AvgPool3D(x, ops.AvgPool3DOptions{Kernel: array3(w.kernel), Stride: array3(w.stride), Dilation: array3(w.dilation), Pad: array3(w.pads), Ceil: ceil, CountPad: count})
	}
	return result(y, c.elem(0))
}

func lpPool(c *call) []*value {
	w := c.window(nil)
	c.pad(&w)
	x, p, ceil := c.node(0), c.norm(), c.flag("ceil_mode", false)
	var y *graph.Node
	switch len(w.kernel) {
	case 1:
		y = ops.LpPool1D(x, p, w.maxPool1(ceil))
	case 2:
		y = ops.LpPool2D(x, p, w.maxPool2(ceil))
	default:
		y = ops.LpPool3D(x, p, w.maxPool3(ceil))
	}
	return result(y, c.elem(0))
}

// norm is the attribute p, a float before opset 2.
func (c *call) norm() float64 {
	if c.version < 2 {
		return c.floatAttr("p", 2)
	}
	return float64(c.intAttr("p", 2))
}

// global applies a reduction to all axes after the channels, which stay with extent 1.
func global(f reduceFunc) unaryFunc {
	return func(x *graph.Node) *graph.Node {
		var over []int
		for a := 2; a < x.Type().Rank(); a++ {
			over = append(over, a)
		}
		if len(over) == 0 {
			refuse("input %v has no axes after the channels", x.Type())
		}
		return f(x, over...)
	}
}

// globalAverage takes the pooling of images where there are some, which is fused as such.
func globalAverage(x *graph.Node) *graph.Node {
	if x.Type().Rank() == 4 {
		return ops.GlobalAvgPool2D(x)
	}
	return global(ops.MeanKeep)(x)
}

func globalLpPool(c *call) []*value {
	p := c.norm()
	y := global(func(x *graph.Node, axes ...int) *graph.Node { return pNorm(x, p, axes...) })(c.node(0))
	return result(y, c.elem(0))
}

// pNorm is (sum |x|^p)^(1/p) over axes, which stay with extent 1.
func pNorm(x *graph.Node, p float64, axes ...int) *graph.Node {
	switch p {
	case 1:
		return ops.SumKeep(ops.Abs(x), axes...)
	case 2:
		return ops.Sqrt(ops.SumKeep(ops.Square(x), axes...))
	}
	sum := ops.SumKeep(ops.Pow(ops.Abs(x), ops.Scalar(x, p)), axes...)
	return ops.Pow(sum, ops.Scalar(sum, 1/p))
}
