package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// convPoolCase is a convolution followed by pooling.
type convPoolCase struct {
	conv convCase
	pool poolCase
}

// newConvPool pools the result of c; ceil is that of newPool.
func newConvPool(c convCase, p engine.Pool2D, ceil bool) convPoolCase {
	return convPoolCase{c, newPool(p, c.y.DType, c.y.Int(0), c.y.Int(1), [2]int{c.y.Int(2), c.y.Int(3)}, ceil)}
}

// trial has the limits of the convolution: a maximum may be as far off as an element of its window.
func (c convPoolCase) trial(ep engine.Epilogue) trial {
	tr, op := c.conv.forward(ep), c.conv.op
	op.Epilogue = ep
	tr.op = fmt.Sprintf("Conv2DMaxPool%+v%+v", op, c.pool.op)
	tr.out = []shape.Type{c.pool.y}
	tr.bind = one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.(engine.ConvPooler).BindConv2DMaxPool(op, c.pool.op, in, c.conv.y, out)
	})
	return tr
}

// convPoolTable has the pooled layers of LeNet and AlexNet at small sizes; windows that overlap,
// are dilated, skip rows, are incomplete, are wider than the image, or lie entirely in the padding;
// groups; strides; an empty batch.
func convPoolTable(g *gen) (all []trial) {
	strided, grouped := padded(plainConv, 2), padded(plainConv, 1)
	strided.Stride = [2]int{4, 4}
	grouped.Groups = 3
	odd := engine.Pool2D{Kernel: [2]int{2, 3}, Stride: [2]int{3, 1}, Dilation: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {0, 2}}}
	f32, f64 := shape.Float32, shape.Float64
	for _, c := range []convPoolCase{
		newConvPool(newConv(padded(plainConv, 2), f32, 5, 1, 6, [2]int{28, 28}, [2]int{5, 5}), squarePool(2, 2, 0), false),
		newConvPool(newConv(strided, f32, 9, 3, 16, [2]int{47, 47}, [2]int{11, 11}), squarePool(3, 2, 0), false),
		newConvPool(newConv(padded(plainConv, 1), f32, 9, 17, 19, [2]int{13, 13}, [2]int{3, 3}), squarePool(3, 2, 0), false),
		newConvPool(newConv(grouped, f32, 3, 12, 24, [2]int{19, 8}, [2]int{3, 3}), squarePool(2, 3, 0), true),
		newConvPool(newConv(plainConv, f32, 2, 2, 3, [2]int{5, 6}, [2]int{2, 2}), squarePool(2, 2, 5), false),
		newConvPool(newConv(plainConv, f32, 3, 2, 3, [2]int{14, 13}, [2]int{4, 3}), odd, true),
		newConvPool(newConv(plainConv, f64, 3, 2, 3, [2]int{14, 13}, [2]int{4, 3}), odd, false),
		newConvPool(newConv(plainConv, f32, 0, 2, 3, [2]int{5, 5}, [2]int{2, 2}), squarePool(2, 2, 0), false),
		newConvPool(newConv(padded(plainConv, 1), f32, 40, 2, 3, [2]int{2, 2}, [2]int{3, 3}), squarePool(3, 2, 0), true),
		newConvPool(newConv(padded(plainConv, 1), f32, 40, 2, 3, [2]int{9, 1}, [2]int{3, 3}), squarePool(2, 2, 1), false),
		newConvPool(newConv(padded(plainConv, 1), f64, 3, 2, 3, [2]int{2, 2}, [2]int{3, 3}), squarePool(3, 2, 0), true),
	} {
		for _, ep := range g.epilogues() {
			all = append(all, c.trial(ep))
		}
	}
	return all
}

func randomConvPool(g *gen) trial {
	return randomConvPoolCase(g, pick(g, floats...), g.extent(5)).trial(pick(g, g.epilogues()...))
}

func randomConvPoolCase(g *gen, d shape.DType, n int) convPoolCase {
	c := randomConvCase(g, d, n, 5, 9)
	if g.IntN(5) == 0 {
		image := [2]int{c.y.Int(2), c.y.Int(3)}
		return convPoolCase{c, newAdaptivePool(d, n, c.y.Int(1), image, [2]int{g.positive(4), g.positive(4)})}
	}
	p := squarePool(1, 1, 0)
	for i := range p.Kernel {
		p.Dilation[i] = pick(g, 1, 1, 2)
		p.Kernel[i] = 1 + g.IntN(4)
		p.Stride[i] = 1 + g.IntN(5)
		missing := max(p.Dilation[i]*(p.Kernel[i]-1)+1-c.y.Int(2+i), 0) // of the image, if it is narrower
		p.Pad[i] = [2]int{g.IntN(p.Kernel[i]), g.IntN(p.Kernel[i])}
		p.Pad[i][1] += max(missing-p.Pad[i][0]-p.Pad[i][1], 0)
	}
	return newConvPool(c, p, g.bool())
}
