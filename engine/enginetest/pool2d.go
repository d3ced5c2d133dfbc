package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of pooling: maxima and gathered values must be exact. Sums, of the gradients at one
// position or over a window, may be off by 4 units in the last place of their magnitudes.
const poolUlps = 4

type poolCase struct {
	op   engine.Pool2D
	x, y shape.Type
}

// newPool returns the case of planes (n, c) of an image. ceil adds an incomplete last window, which
// may be wider than the padded image.
func newPool(op engine.Pool2D, d shape.DType, n, c int, image [2]int, ceil bool) poolCase {
	var size [2]int
	for i := range size {
		rest := image[i] + op.Pad[i][0] + op.Pad[i][1] - op.Dilation[i]*(op.Kernel[i]-1) - 1
		if ceil {
			rest += op.Stride[i] - 1
		}
		if rest < 0 {
			panic(fmt.Sprintf("a bad case: windows %+v do not fit in %v", op, image))
		}
		size[i] = rest/op.Stride[i] + 1
	}
	of := func(size [2]int) shape.Type {
		return shape.Type{DType: d, Shape: shape.OfInts(n, c, size[0], size[1])}
	}
	return poolCase{op, of(image), of(size)}
}

// newAdaptivePool returns the case of adaptive pooling to a size.
func newAdaptivePool(d shape.DType, n, c int, image, size [2]int) poolCase {
	of := func(size [2]int) shape.Type {
		return shape.Type{DType: d, Shape: shape.OfInts(n, c, size[0], size[1])}
	}
	return poolCase{engine.Pool2D{Adaptive: true}, of(image), of(size)}
}

// tied draws few different numbers, so that maxima are often equal, and values that compare in
// unusual ways.
var tied = rarely(30, among(nan, inf, -inf, -inf, negZero, 0), whole(-2, 2))

func (c poolCase) maxTrials() []trial {
	bind := func(op engine.Pool2D, f func(engine.MaxPooler, engine.Pool2D, []engine.Operand, engine.Operand) (engine.Bound, error)) binder {
		return one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return f(e.(engine.MaxPooler), op, in, out)
		})
	}
	x, y := []shape.Type{c.x}, []shape.Type{c.y}
	scatter := func(op engine.Pool2D) trial {
		return trial{op: fmt.Sprintf("MaxPool2DScatter%+v", op), bind: bind(op, engine.MaxPooler.BindMaxPool2DScatter),
			in: []shape.Type{c.x, c.y}, out: x, data: []source{tied, rarely(500, nonFinite, signed)}, limit: limit{terms: poolUlps}, chooses: true}
	}
	rectified := c.op
	rectified.ReLU = true
	return []trial{
		{op: fmt.Sprintf("MaxPool2D%+v", c.op), bind: bind(c.op, engine.MaxPooler.BindMaxPool2D),
			in: x, out: y, data: []source{tied}},
		scatter(c.op), scatter(rectified),
		{op: fmt.Sprintf("MaxPool2DGather%+v", c.op), bind: bind(c.op, engine.MaxPooler.BindMaxPool2DGather),
			in: []shape.Type{c.x, c.x}, out: y, data: []source{tied, rarely(50, nonFinite, signed)}},
	}
}

func (c poolCase) avgTrials() []trial {
	op := c.op
	x, y := []shape.Type{c.x}, []shape.Type{c.y}
	data, l := []source{rarely(500, nonFinite, signed)}, limit{terms: poolUlps}
	return []trial{
		{op: fmt.Sprintf("AvgPool2D%+v", op), in: x, out: y, data: data, limit: l,
			bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return e.(engine.AvgPooler).BindAvgPool2D(op, in, out)
			})},
		{op: fmt.Sprintf("AvgPool2DGrad%+v", op), in: y, out: x, data: data, limit: l,
			bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return e.(engine.AvgPooler).BindAvgPool2DGrad(op, in, out)
			})},
	}
}

func squarePool(kernel, stride, pad int) engine.Pool2D {
	return engine.Pool2D{Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{pad, pad}, {pad, pad}}}
}

// poolTable has every edge; the pooling of LeNet and AlexNet, global pooling, ceil mode on an odd
// image; strides and padding larger than the kernel.
func poolTable() []poolCase {
	f32 := shape.Float32
	var all []poolCase
	for i, n := range edges[1:] {
		k := 2 + i%2
		all = append(all,
			newPool(squarePool(k, 2, 0), f32, 1, 3, [2]int{k + 3, n + k - 1}, false),
			newPool(squarePool(k, 2, k/2), f32, 2, 1, [2]int{n + k - 1, 5}, i%4 < 2),
			newPool(squarePool(k, 3, 0), f32, 1, n, [2]int{5, 7}, true))
	}
	sparse := squarePool(2, 5, 1) // stride larger than the kernel
	large := squarePool(2, 2, 5)  // padding larger than the kernel
	odd := engine.Pool2D{Kernel: [2]int{2, 3}, Stride: [2]int{3, 1}, Dilation: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {0, 2}}, CountPad: true}
	all = append(all,
		newPool(sparse, f32, 2, 3, [2]int{13, 17}, true),
		newPool(large, f32, 2, 3, [2]int{5, 6}, false),
		newPool(squarePool(3, 2, 4), f32, 2, 3, [2]int{7, 6}, true),
		newPool(squarePool(2, 2, 0), f32, 9, 6, [2]int{28, 28}, false),
		newPool(squarePool(2, 2, 0), f32, 9, 16, [2]int{10, 10}, false),
		newPool(squarePool(2, 2, 0), f32, 3, 5, [2]int{7, 9}, false),
		newPool(squarePool(2, 2, 0), f32, 3, 5, [2]int{7, 9}, true),
		newPool(squarePool(2, 2, 0), f32, 1, 3, [2]int{6, 70}, false),
		newPool(squarePool(3, 2, 0), f32, 2, 24, [2]int{27, 27}, false),
		newPool(squarePool(3, 2, 1), f32, 2, 24, [2]int{14, 13}, false),
		newPool(squarePool(3, 1, 1), f32, 2, 3, [2]int{8, 8}, false),
		newPool(engine.Pool2D{Kernel: [2]int{7, 5}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}, f32, 4, 9, [2]int{7, 5}, false),
		newPool(squarePool(2, 2, 0), f32, 0, 3, [2]int{4, 4}, false),
		newPool(squarePool(2, 2, 2), f32, 2, 2, [2]int{4, 4}, false), // windows of padding alone
		newPool(odd, f32, 3, 2, [2]int{9, 11}, true),
		newPool(odd, shape.Float64, 3, 2, [2]int{9, 11}, false))
	return append(append(all, wideWindows()...), adaptivePools()...)
}

// adaptivePools have windows of unequal and of equal length, more of them than elements, many planes,
// and long windows.
func adaptivePools() (all []poolCase) {
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		all = append(all,
			newAdaptivePool(d, 9, 6, [2]int{28, 28}, [2]int{6, 6}),
			newAdaptivePool(d, 2, 3, [2]int{14, 13}, [2]int{4, 7}),
			newAdaptivePool(d, 2, 3, [2]int{12, 9}, [2]int{4, 3}),
			newAdaptivePool(d, 2, 3, [2]int{3, 1}, [2]int{5, 4}),
			newAdaptivePool(d, 1, 2, [2]int{1, 70}, [2]int{1, 9}),
			newAdaptivePool(d, 1, 2, [2]int{70, 5}, [2]int{3, 5}),
			newAdaptivePool(d, 2, 2, [2]int{5, 7}, [2]int{1, 1}),
			newAdaptivePool(d, 0, 2, [2]int{5, 7}, [2]int{2, 3}))
	}
	return all
}

// wideWindows are wider or higher than the image: a part is in the padding on one or both sides or,
// for an incomplete last window, beyond the padding.
func wideWindows() (all []poolCase) {
	padded := func(kernel, stride int, pad [2][2]int) engine.Pool2D {
		op := squarePool(kernel, stride, 0)
		op.Pad = pad
		return op
	}
	line := padded(3, 2, [2][2]int{{0, 0}, {1, 1}}) // windows in one dimension
	line.Kernel[0], line.Stride[0] = 1, 1
	holes := squarePool(3, 2, 2)
	holes.Dilation = [2]int{2, 2}
	back := engine.Pool2D{Kernel: [2]int{4, 1}, Stride: [2]int{3, 1}, Dilation: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {0, 0}}} // line 5 is in the window before that of line 2
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		all = append(all,
			newPool(padded(2, 2, [2][2]int{{0, 1}, {0, 1}}), d, 2, 3, [2]int{1, 3}, false),
			newPool(padded(2, 2, [2][2]int{{1, 0}, {1, 0}}), d, 2, 3, [2]int{3, 1}, false),
			newPool(padded(2, 2, [2][2]int{{0, 1}, {0, 1}}), d, 2, 3, [2]int{1, 1}, false),
			newPool(squarePool(3, 2, 0), d, 2, 3, [2]int{2, 2}, true),
			newPool(squarePool(3, 2, 0), d, 2, 3, [2]int{7, 2}, true),
			newPool(squarePool(3, 2, 1), d, 2, 3, [2]int{1, 9}, false),
			newPool(padded(3, 3, [2][2]int{{0, 0}, {0, 1}}), d, 2, 3, [2]int{3, 2}, false),
			newPool(holes, d, 2, 3, [2]int{4, 2}, true),
			newPool(back, d, 2, 3, [2]int{9, 2}, false),
			newPool(line, d, 2, 3, [2]int{5, 1}, false),
			newPool(squarePool(5, 1, 2), d, 2, 3, [2]int{1, 3}, false))
	}
	return all
}

func maxPoolTable(*gen) (all []trial) {
	for _, c := range poolTable() {
		all = append(all, c.maxTrials()...)
	}
	return all
}

func avgPoolTable(*gen) (all []trial) {
	for _, c := range poolTable() {
		all = append(all, c.avgTrials()...)
	}
	return all
}

func randomMaxPool(g *gen) trial { return pick(g, randomPool(g).maxTrials()...) }
func randomAvgPool(g *gen) trial { return pick(g, randomPool(g).avgTrials()...) }

func randomPool(g *gen) poolCase {
	return randomPoolCase(g, pick(g, floats...), g.extent(4), 5, 33)
}

// randomPoolCase draws a pooling of n images with at most the given number of channels and extent,
// which windows may exceed.
func randomPoolCase(g *gen, d shape.DType, n, channels, side int) poolCase {
	if g.IntN(4) == 0 {
		return newAdaptivePool(d, n, g.extent(channels), [2]int{g.positive(side), g.positive(side)}, [2]int{g.positive(9), g.positive(9)})
	}
	op, image := squarePool(1, 1, 0), [2]int{}
	for i := range image {
		op.Kernel[i] = 1 + g.IntN(4)
		op.Stride[i] = 1 + g.IntN(3)
		op.Dilation[i] = pick(g, 1, 1, 1, 2)
		op.Pad[i] = [2]int{g.IntN(op.Kernel[i]), g.IntN(op.Kernel[i])}
		image[i] = g.positive(side)
		if g.IntN(3) == 0 {
			image[i] = 1 + g.IntN(3) // a window is often wider
		}
		image[i] = max(image[i], op.Dilation[i]*(op.Kernel[i]-1)+1-op.Pad[i][0]-op.Pad[i][1])
	}
	op.CountPad = g.bool()
	return newPool(op, d, n, g.extent(channels), image, g.bool())
}
