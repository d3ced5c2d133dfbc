package onnx

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var activationOperators = family{
	"Relu":            always(1, 1, unary(ops.ReLU)),
	"Sigmoid":         always(1, 1, unary(ops.Sigmoid)),
	"Softplus":        always(1, 1, unary(ops.Softplus)),
	"Softsign":        always(1, 1, unary(ops.Softsign)),
	"HardSwish":       always(1, 1, unary(ops.HardSwish)),
	"Mish":            always(1, 1, unary(ops.Mish)),
	"LeakyRelu":       always(1, 1, leakyRelu),
	"Elu":             always(1, 1, elu),
	"Celu":            always(1, 1, celu),
	"Selu":            always(1, 1, selu),
	"HardSigmoid":     always(1, 1, hardSigmoid),
	"ThresholdedRelu": always(1, 1, thresholdedRelu),
	"Shrink":          always(1, 1, shrink),
	"PRelu":           always(2, 2, prelu),
	"Gelu":            always(1, 1, gelu),
	"Swish":           always(1, 1, swish),
	"Softmax":         {{since: 1, min: 1, max: 1, eval: flat(ops.Softmax)}, {since: 13, min: 1, max: 1, eval: along(ops.Softmax)}},
	"LogSoftmax":      {{since: 1, min: 1, max: 1, eval: flat(ops.LogSoftmax)}, {since: 13, min: 1, max: 1, eval: along(ops.LogSoftmax)}},
	"Hardmax":         {{since: 1, min: 1, max: 1, eval: flat(hardmax)}, {since: 13, min: 1, max: 1, eval: along(hardmax)}},
	"Dropout":         always(1, 3, dropout),
}

func leakyRelu(c *call) []*value {
	return result(ops.LeakyReLU(c.node(0), c.floatAttr("alpha", 0.01)), c.elem(0))
}

func elu(c *call) []*value { return result(ops.ELU(c.node(0), c.floatAttr("alpha", 1)), c.elem(0)) }

// celu is max(0,x) + min(0, alpha*(exp(x/alpha)-1)).
func celu(c *call) []*value {
	x, alpha := c.node(0), c.floatAttr("alpha", 1)
	if alpha == 0 {
		refuse("attribute alpha is 0")
	}
	negative := ops.MulScalar(ops.Expm1(ops.MulScalar(x, 1/alpha)), alpha)
	return result(ops.Add(ops.ReLU(x), ops.Minimum(negative, ops.Scalar(x, 0))), c.elem(0))
}

func selu(c *call) []*value {
	x := c.node(0)
	if !c.attr("alpha") && !c.attr("gamma") {
		return result(ops.SELU(x), c.elem(0))
	}
	alpha, gamma := c.floatAttr("alpha", 1.67326319217681884765625), c.floatAttr("gamma", 1.05070102214813232421875)
	return result(ops.MulScalar(ops.ELU(x, alpha), gamma), c.elem(0))
}

func hardSigmoid(c *call) []*value {
	x, alpha, beta := c.node(0), c.floatAttr("alpha", 0.2), c.floatAttr("beta", 0.5)
	if float32(alpha) == float32(1)/6 && beta == 0.5 {
		return result(ops.HardSigmoid(x), c.elem(0))
	}
	return result(ops.Clip(ops.AddScalar(ops.MulScalar(x, alpha), beta), 0, 1), c.elem(0))
}

func thresholdedRelu(c *call) []*value {
	x := c.node(0)
	return result(ops.Where(ops.Greater(x, ops.Scalar(x, c.floatAttr("alpha", 1))), x, ops.Scalar(x, 0)), c.elem(0))
}

// shrink is x+bias below -lambd, x-bias above lambd, and 0 between. It is computed in float64 for
// integers, as the attributes are fractions.
func shrink(c *call) []*value {
	x := c.node(0)
	t := x.Type().DType
	if !t.IsFloat() {
		x = ops.Cast(x, shape.Float64)
	}
	bias, lambd := c.floatAttr("bias", 0), c.floatAttr("lambd", 0.5)
	low := ops.Less(x, ops.Scalar(x, -lambd))
	high := ops.Greater(x, ops.Scalar(x, lambd))
	y := ops.Where(low, ops.AddScalar(x, bias), ops.Where(high, ops.AddScalar(x, -bias), ops.Scalar(x, 0)))
	if y.Type().DType != t {
		y = ops.Cast(y, t)
	}
	return result(y, c.elem(0))
}

// prelu multiplies what is negative by a slope, which broadcasts to x.
func prelu(c *call) []*value {
	x, slope := c.node(0), c.node(1)
	if c.version < 7 && slope.Type().Rank() == 1 && x.Type().Rank() > 2 && slope.Type().Dim(0) == x.Type().Dim(1) {
		return result(ops.PReLU(x, slope), c.elem(0))
	}
	if x.Type().IsFloat() && x.Type().Rank() > 1 && perChannel(x.Type(), slope.Type()) {
		return result(ops.PReLU(x, ops.Reshape(slope, ops.Infer)), c.elem(0))
	}
	return result(ops.Where(ops.Less(x, ops.Scalar(x, 0)), ops.Mul(x, slope), x), c.elem(0))
}

// perChannel reports whether s, which broadcasts to x, is one number for each channel or for all.
func perChannel(x, s shape.Type) bool {
	channel := s.Rank() - (x.Rank() - 1)
	for i, d := range s.Dims() {
		if d != 1 && (i != channel || d != x.Dim(1)) {
			return false
		}
	}
	return s.Rank() <= x.Rank()
}

func gelu(c *call) []*value {
	if c.stringAttr("approximate", "none", "none", "tanh") == "tanh" {
		return result(ops.GELUTanh(c.node(0)), c.elem(0))
	}
	return result(ops.GELU(c.node(0)), c.elem(0))
}

// swish is x*sigmoid(alpha*x).
func swish(c *call) []*value {
	x, alpha := c.node(0), c.floatAttr("alpha", 1)
	if alpha == 1 {
		return result(ops.SiLU(x), c.elem(0))
	}
	return result(ops.Mul(x, ops.Sigmoid(ops.MulScalar(x, alpha))), c.elem(0))
}

// along applies f along an axis, by default the last.
func along(f func(x *graph.Node, axis int) *graph.Node) func(*call) []*value {
	return func(c *call) []*value {
		x := c.node(0)
		return result(f(x, axis(c.intAttr("axis", -1), x.Type().Rank())), c.elem(0))
	}
}

// flat applies f along all axes from one on, by default axis 1, as if they were one.
func flat(f func(x *graph.Node, axis int) *graph.Node) func(*call) []*value {
	return func(c *call) []*value {
		x := c.node(0)
		a := axis(c.intAttr("axis", 1), x.Type().Rank())
		if a == x.Type().Rank()-1 {
			return result(f(x, a), c.elem(0))
		}
		dims := append(x.Type().Dims()[:a:a], ops.Infer)
		return result(ops.Reshape(f(ops.Reshape(x, dims...), a), x.Type().Dims()...), c.elem(0))
	}
}

// hardmax is 1 at the first maximum along an axis, and 0 elsewhere.
func hardmax(x *graph.Node, a int) *graph.Node {
	n, ok := x.Type().Dim(a).Int()
	if !ok {
		refuse("extent %v of axis %d must be a number", x.Type().Dim(a), a)
	}
	y := ops.OneHot(ops.ArgMax(x, a), n, x)
	perm := make([]int, 0, x.Type().Rank())
	for i := range x.Type().Rank() - 1 {
		perm = append(perm, i)
	}
	return ops.Transpose(y, append(perm[:a:a], append([]int{len(perm)}, perm[a:]...)...)...)
}

// dropout is that of inference, or of training with a seed: that has the random numbers of ONNX's reference, which are
// the same in each run.
func dropout(c *call) []*value {
	ratio := 0.5
	if c.version < 12 {
		ratio = c.floatAttr("ratio", ratio)
	} else if c.has(1) {
		ratio = c.scalar(1)
	}
	if c.version >= 12 && c.has(2) && c.ints(2)[0] != 0 && ratio != 0 {
		return c.dropped(ratio)
	}
	outs := []*value{c.value(0)}
	if c.in[0].node == nil || c.in[0].host != nil {
		outs = moved(c.node(0), c.elem(0))
	}
	if len(c.n.Outputs) > 1 {
		x := c.node(0)
		all := ops.Full(ops.Equal(x, x), x.Type().Shape, 1)
		if c.version < 10 { // the mask had the type of x then
			all = ops.OnesLike(x)
			return append(outs, computed(all, c.elem(0)))
		}
		outs = append(outs, mask(all)...)
	}
	return outs
}

// dropped returns the input without the elements that random numbers below the ratio fall on, the others scaled, and the
// mask of these.
func (c *call) dropped(ratio float64) []*value {
	x := c.node(0)
	t := x.Type()
	switch {
	case !c.attr("seed"):
		refuse("training_mode is set, and there is no seed: export the model for inference")
	case !(ratio > 0 && ratio < 1):
		refuse("ratio is %v; want a number from 0 on, less than 1", ratio)
	case !t.Concrete() || t.Len() > maxFolded:
		refuse("training_mode is set for %v; want extents that are numbers, of at most %d elements", t, maxFolded)
	}
	random := newTwister(uint32(c.intAttr("seed", 0)))
	kept, scaled := make([]float64, t.Len()), make([]float64, t.Len())
	for i := range kept {
		if random.float64() >= ratio {
			kept[i], scaled[i] = 1, 1/(1-ratio)
		}
	}
	y := ops.Mul(x, x.Graph().Const(t, scaled))
	return append(result(y, c.elem(0)), mask(x.Graph().Const(shape.Type{DType: shape.Bool, Shape: t.Shape}, kept))...)
}

// A twister is the Mersenne Twister MT19937, by which the reference draws.
type twister struct {
	state [624]uint32
	next  int
}

func newTwister(seed uint32) *twister {
	t := &twister{next: len(twister{}.state)}
	for i := range t.state {
		t.state[i] = seed
		seed = 1812433253*(seed^seed>>30) + uint32(i) + 1
	}
	return t
}

func (t *twister) uint32() uint32 {
	n := len(t.state)
	if t.next == n {
		for i := range t.state {
			y := t.state[i]&(1<<31) | t.state[(i+1)%n]&(1<<31-1)
			t.state[i] = t.state[(i+397)%n] ^ y>>1 ^ y&1*0x9908b0df
		}
		t.next = 0
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float64 returns a number of 53 bits in [0,1).
func (t *twister) float64() float64 {
	a, b := t.uint32()>>5, t.uint32()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}
