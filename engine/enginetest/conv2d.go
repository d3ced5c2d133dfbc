package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// winogradUlps replaces productUlps for convolutions with the algorithms "winograd" and "nhwc winograd": F(4x4,3x3) sums
// products that are larger than the terms and cancel.
const winogradUlps = 32

type convCase struct {
	op      engine.Conv2D
	x, w, y shape.Type
}

// newConv returns the case with batch n and k filters over c channels.
func newConv(op engine.Conv2D, d shape.DType, n, c, k int, image, kernel [2]int) convCase {
	var size [2]int
	for i := range size {
		size[i] = (image[i]+op.Pad[i][0]+op.Pad[i][1]-op.Dilation[i]*(kernel[i]-1)-1)/op.Stride[i] + 1
	}
	of := func(dims ...int) shape.Type { return shape.Type{DType: d, Shape: shape.OfInts(dims...)} }
	return convCase{op, of(n, c, image[0], image[1]), of(k, c/op.Groups, kernel[0], kernel[1]), of(n, k, size[0], size[1])}
}

// forward has infinities and NaN only in the image. Those in a filter could meet the padding, and
// kernels may either compute or skip products with the padding.
func (c convCase) forward(ep engine.Epilogue) trial {
	op := c.op
	op.Epilogue = ep
	tr := trial{
		op: fmt.Sprintf("Conv2D%+v", op),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Conv2Der).BindConv2D(op, in, out)
		}),
		in: []shape.Type{c.x, c.w}, out: []shape.Type{c.y},
		data:  []source{terms, rarely(200, denormal, signed)},
		limit: limit{terms: productUlps}, weights: &engine.Weights{In: 1},
	}
	if ep.Bias {
		tr.in = append(tr.in, shape.Type{DType: c.x.DType, Shape: shape.Of(c.w.Dim(0))})
		tr.data = append(tr.data, signed)
	}
	return tr
}

func (c convCase) inputGrad() trial {
	return trial{
		op: fmt.Sprintf("Conv2DInputGrad%+v", c.op),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Conv2Der).BindConv2DInputGrad(c.op, in, out)
		}),
		in: []shape.Type{c.y, c.w}, out: []shape.Type{c.x},
		data:  []source{terms, rarely(200, denormal, signed)},
		limit: limit{terms: productUlps},
	}
}

func (c convCase) filterGrad() trial {
	return trial{
		op: fmt.Sprintf("Conv2DFilterGrad%+v", c.op),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Conv2Der).BindConv2DFilterGrad(c.op, in, out)
		}),
		in: []shape.Type{c.x, c.y}, out: []shape.Type{c.w},
		data:  []source{terms, rarely(200, denormal, signed)},
		limit: limit{terms: productUlps},
	}
}

var plainConv = engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}

// padded returns op with p zeros on every side.
func padded(op engine.Conv2D, p int) engine.Conv2D {
	op.Pad = [2][2]int{{p, p}, {p, p}}
	return op
}

// conv2DTable has the layers of LeNet and the first of AlexNet at small sizes, with every epilogue;
// a 1x1, a depthwise and a strided 1x1 convolution; an empty batch; a case in which height and width differ in all
// attributes; strides and padding larger than the kernel, windows side by side, dilation; and every edge as width,
// channels, filters and batch.
func conv2DTable(g *gen) []trial {
	strided, grouped, mixed := padded(plainConv, 2), padded(plainConv, 1), plainConv
	strided.Stride = [2]int{4, 4}
	grouped.Groups = 12
	mixed.Stride, mixed.Dilation, mixed.Pad = [2]int{2, 3}, [2]int{3, 1}, [2][2]int{{0, 4}, {3, 1}}
	sparse, far, holes, depthwise, grouped5 := plainConv, padded(plainConv, 7), padded(plainConv, 4), padded(plainConv, 1), padded(plainConv, 2)
	sparse.Stride = [2]int{3, 5} // larger than the kernel: parts of the image are in no window
	far.Stride = [2]int{2, 1}    // windows that lie entirely in the padding
	holes.Dilation = [2]int{5, 4}
	depthwise.Groups, grouped5.Groups = 7, 5
	sides, wide := plainConv, padded(plainConv, 3)
	sides.Stride, wide.Groups = [2]int{2, 3}, 150
	pairs := sides
	pairs.Stride = [2]int{3, 2}
	f32, f64 := shape.Float32, shape.Float64
	var all []trial
	for _, c := range []convCase{
		newConv(padded(plainConv, 2), f32, 5, 1, 6, [2]int{28, 28}, [2]int{5, 5}),
		newConv(plainConv, f32, 5, 6, 16, [2]int{14, 14}, [2]int{5, 5}),
		newConv(padded(plainConv, 1), f32, 2, 17, 19, [2]int{13, 13}, [2]int{3, 3}),
		newConv(strided, f32, 1, 3, 16, [2]int{47, 47}, [2]int{11, 11}),
		newConv(plainConv, f32, 3, 16, 24, [2]int{7, 9}, [2]int{1, 1}),
		newConv(grouped, f32, 3, 12, 24, [2]int{9, 8}, [2]int{3, 3}),
		newConv(padded(plainConv, 1), f32, 0, 2, 3, [2]int{5, 5}, [2]int{3, 3}),
		newConv(mixed, f32, 3, 4, 5, [2]int{11, 17}, [2]int{3, 4}),
		newConv(mixed, f64, 3, 4, 5, [2]int{11, 17}, [2]int{3, 4}),
		newConv(sparse, f32, 2, 3, 5, [2]int{16, 31}, [2]int{2, 3}),
		newConv(far, f32, 2, 3, 5, [2]int{5, 4}, [2]int{3, 3}),
		newConv(far, f64, 1, 2, 3, [2]int{5, 4}, [2]int{3, 3}),
		newConv(holes, f32, 2, 4, 6, [2]int{33, 17}, [2]int{3, 3}),
		newConv(depthwise, f32, 2, 7, 7, [2]int{13, 17}, [2]int{3, 3}),
		newConv(wide, f32, 1, 150, 150, [2]int{5, 9}, [2]int{7, 7}),
		newConv(sides, f32, 3, 7, 5, [2]int{10, 15}, [2]int{2, 3}),
		newConv(sides, f32, 3, 7, 5, [2]int{9, 16}, [2]int{1, 1}),
		newConv(pairs, f32, 2, 90, 5, [2]int{36, 50}, [2]int{3, 2}),
		newConv(pairs, f64, 2, 4, 5, [2]int{9, 10}, [2]int{3, 2}),
		newConv(pairs, f32, 2, 4, 5, [2]int{10, 10}, [2]int{3, 2}), // a row is in no window
		newConv(grouped5, f32, 2, 10, 15, [2]int{9, 16}, [2]int{5, 5}),
		newConv(plainConv, f32, 2, 4, 5, [2]int{6, 7}, [2]int{6, 7}), // one window
		newConv(plainConv, f32, 1, 1, 1, [2]int{1, 1}, [2]int{1, 1}),
		newConv(plainConv, f32, 1, 300, 133, [2]int{1, 1}, [2]int{1, 1}),
		newConv(plainConv, f64, 3, 6, 5, [2]int{4, 3}, [2]int{4, 3}),
		newConv(plainConv, f32, 12, 40, 33, [2]int{2, 2}, [2]int{2, 2}),
	} {
		for _, ep := range g.epilogues() {
			all = append(all, c.forward(ep))
		}
		all = append(all, c.inputGrad(), c.filterGrad())
	}
	for i, n := range edges[1:] {
		k := []int{1, 3, 5}[i%3]
		op := padded(plainConv, k/2)
		for _, c := range []convCase{
			newConv(op, f32, 2, 3, 4, [2]int{k, n + k - 1}, [2]int{k, k}),
			newConv(op, f32, 2, n, 5, [2]int{6, 7}, [2]int{k, k}),
			newConv(op, f32, 1, 5, n, [2]int{7, 6}, [2]int{k, k}),
			newConv(op, f32, n%35, 2, 3, [2]int{5, 6}, [2]int{k, k}),
		} {
			all = append(all, c.forward(pick(g, g.epilogues()...)), c.inputGrad(), c.filterGrad())
		}
	}
	return all
}

func randomConv2D(g *gen) trial {
	c := randomConvCase(g, pick(g, floats...), g.extent(5), 9, 17)
	switch g.IntN(4) {
	case 0:
		return c.inputGrad()
	case 1:
		return c.filterGrad()
	}
	return c.forward(pick(g, g.epilogues()...))
}

// randomConvCase draws a convolution of n images, with groups of at most the given numbers of
// channels and filters.
func randomConvCase(g *gen, d shape.DType, n, channels, filters int) convCase {
	op, image, kernel := plainConv, [2]int{}, [2]int{}
	op.Groups = pick(g, 1, 1, 2, 3)
	for i := range image {
		image[i] = g.positive(17)
		kernel[i] = 1 + g.IntN(5)
		op.Stride[i] = 1 + g.IntN(3)
		op.Dilation[i] = pick(g, 1, 1, 2, 3)
		op.Pad[i] = [2]int{g.IntN(4), g.IntN(4)}
		missing := op.Dilation[i]*(kernel[i]-1) + 1 - image[i] - op.Pad[i][0] - op.Pad[i][1]
		op.Pad[i][1] += max(missing, 0)
	}
	return newConv(op, d, n, op.Groups*g.positive(channels), op.Groups*g.positive(filters), image, kernel)
}
