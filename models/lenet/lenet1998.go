package lenet

import (
	"math/rand/v2"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Model1998 is LeNet-5 as published (section II.B), with 60,000 parameters: partial
// connections in C3, trainable subsampling, scaled tanh, and radial basis functions as
// outputs. It maps images (N,1,28,28), which it pads to 32×32, to the negative squared
// distances (N,10) of F6 from the code of each class: the largest wins, as with logits, and
// [Loss1998] or [ops.CrossEntropy] is the loss.
//
// Pixels are expected in the paper's range, -0.1 for the background and 1.175 for full ink:
// an intensity from 0 to 1 less [Mean1998], divided by [Std1998]. Losses are sums over the 84
// pixels of a code, so learning rates are small: 0.002 with a momentum of 0.9 trains well,
// 0.01 diverges.
var Model1998 = nn.Sequential{
	nn.Func(to32x32),
	nn.Conv2D{Name: "c1", Out: 6, Kernel: 5, Init: uniform(25), BiasInit: uniform(25)}, nn.Func(squash),
	subsample{"s2"}, nn.Func(squash),
	partialConv{"c3"}, nn.Func(squash),
	subsample{"s4"}, nn.Func(squash),
	nn.Conv2D{Name: "c5", Out: 120, Kernel: 5, Init: uniform(16 * 25), BiasInit: uniform(16 * 25)}, nn.Func(squash),
	nn.Flatten{},
	nn.Linear{Name: "f6", Out: codeLen, Init: uniform(120), BiasInit: uniform(120)}, nn.Func(squash),
	nn.Func(negDistances),
}

// The pixels of [Model1998] in terms of intensities from 0 to 1: 1.275*x - 0.1.
const (
	Mean1998 = 0.1 / 1.275
	Std1998  = 1 / 1.275

	background = -0.1
)

// Loss1998 is the maximum a posteriori criterion of the paper (eq. 9), the mean over the
// batch of y + log(e^-j + Σe^-yᵢ), where y is the distance from the code of the right class.
// Distances of wrong classes far beyond j, here 10, are not pushed any further. logits are
// those of [Model1998], target the class numbers (N).
func Loss1998(logits, target *graph.Node) *graph.Node {
	// e^-j is one more class, which is never right.
	rubbish := ops.PadOp{Value: graph.Float(-10)}
	rubbish.After[1] = 1
	return ops.CrossEntropy(ops.Pad(logits, rubbish), target)
}

// uniform is the paper's distribution of the weights and the bias of a unit with so many
// inputs: ±2.4/inputs.
func uniform(inputs int) nn.Uniform {
	b := 2.4 / float64(inputs)
	return nn.Uniform{Lo: -b, Hi: b}
}

func to32x32(x *graph.Node) *graph.Node {
	op := ops.PadOp{Value: graph.Float(background)}
	for _, axis := range []int{2, 3} {
		op.Before[axis], op.After[axis] = 2, 2
	}
	return ops.Pad(x, op)
}

// squash is the paper's f(a) = A tanh(Sa), with f(±1) = ±1 (appendix A).
func squash(a *graph.Node) *graph.Node {
	return ops.MulScalar(ops.Tanh(ops.MulScalar(a, 2.0/3)), 1.7159)
}

// subsample adds the pixels of each 2×2 block, times a coefficient a map, plus a bias a map.
type subsample struct{ name string }

// Label is the layer's name.
func (l subsample) Label() string { return l.name }

func (l subsample) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.name, x, func(s nn.Scope) *graph.Node {
		maps := x.Type().Of(shape.Of(x.Type().Dim(1)))
		w, b := s.Param("weight", maps, uniform(4)), s.Param("bias", maps, uniform(4))
		sum := ops.MulScalar(ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: [2]int{2, 2}}), 4)
		return ops.AddBias(ops.Mul(sum, ops.Unsqueeze(w, 1, 2)), b)
	})
}

// c3Inputs are the maps of S2 that each map of C3 sees (table I).
var c3Inputs = [16]string{
	"012", "123", "234", "345", "045", "015",
	"0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245", "0235",
	"012345",
}

const (
	c3Kernels = 60 // connections in c3Inputs
	s2Maps    = 6
	taps      = 5 * 5
)

// partialConv is a 5×5 convolution of 6 maps to 16, each of which sees those of c3Inputs. It
// has a kernel for each connection, in the order of the table.
type partialConv struct{ name string }

// Label is the layer's name.
func (l partialConv) Label() string { return l.name }

func (l partialConv) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.name, x, func(s nn.Scope) *graph.Node {
		t, maps := x.Type(), len(c3Inputs)
		kernels := s.Param("weight", t.Of(shape.Of(c3Kernels, 5, 5)), c3Weights{})
		bias := s.Param("bias", t.Of(shape.OfInts(maps)), c3Biases{})

		// A product puts the kernels in their places of the dense filter and zeros elsewhere.
		place := s.Graph().Const(t.Of(shape.OfInts(maps*s2Maps, c3Kernels)), placement())
		filter := ops.MatMul(place, ops.Reshape(kernels, c3Kernels, taps))
		filter = ops.Reshape(filter, shape.Dim(maps), s2Maps, 5, 5)
		return ops.AddBias(ops.Conv2D(x, filter, ops.Conv2DOp{}), bias)
	})
}

// placement is a (16*6,60) matrix with a 1 for each kernel, in the row of its connection.
func placement() []float64 {
	m := make([]float64, len(c3Inputs)*s2Maps*c3Kernels)
	kernel := 0
	for i, inputs := range c3Inputs {
		for _, in := range inputs {
			row := i*s2Maps + int(in-'0')
			m[row*c3Kernels+kernel] = 1
			kernel++
		}
	}
	return m
}

// c3Weights and c3Biases apply the rule of uniform, as fan-ins differ from map to map.
type (
	c3Weights struct{}
	c3Biases  struct{}
)

func (c3Weights) Fill(v []float64, t shape.Type, r *rand.Rand) {
	for _, inputs := range c3Inputs {
		n := len(inputs) * taps
		uniform(n).Fill(v[:n], t, r)
		v = v[n:]
	}
}

func (c3Biases) Fill(v []float64, t shape.Type, r *rand.Rand) {
	for i, inputs := range c3Inputs {
		uniform(len(inputs)*taps).Fill(v[i:i+1], t, r)
	}
}

// negDistances returns -|x - code|² for the code of each class.
func negDistances(x *graph.Node) *graph.Node {
	codes := x.Graph().Const(x.Type().Of(shape.Of(10, codeLen)), codeValues())
	d := ops.Sub(ops.Unsqueeze(x, 1), codes)
	return ops.Neg(ops.Sum(ops.Square(d), 2))
}
