package onnx

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Products and convolutions of 8-bit integers are those of whole numbers in floating point. Where the second factor is
// known, and is 8-bit integers after its zero point is taken off, a Session computes them on the kernels of 8-bit integers,
// whose scales are 1 then. Where no sum can reach 2^24, float32 is as exact. Everything else is computed in float64, in which
// sums of up to 2^37 products are exact.

// exactFloat32 bounds the whole numbers that float32 has all.
const exactFloat32 = 1 << 24

// factors are the two of a product of integers, as whole numbers less their zero points.
type factors struct {
	*call
	a, b   *graph.Node
	layer  string      // that computes in 8-bit integers, or ""
	shift  *graph.Node // a zero point that is not known, and so is still in a
	groups int         // of a convolution; 0 for a product
	window window
}

// operands are the inputs of a product or convolution of integers: the factors and their zero points, which may be left out
// and are one number, or one for each row of a and each channel of b.
type operands struct {
	a, aZero, b, bZero int
	product            bool // and no convolution
	exact              bool // sums are not rounded later
}

// factors returns the factors that o says.
func (c *call) factors(o operands) *factors {
	f := &factors{call: c}
	rank := c.shape(o.b).Rank()
	channels := max(rank-1, 0)
	if !o.product {
		f.window, channels = c.window(c.numbers(o.b, 2)), 0
		c.pad(&f.window)
		f.groups = c.groups()
	}
	r, ok := integerRanges[c.elem(o.a)]
	if !ok {
		refuse("input %d is %v; want 8-bit integers", o.a, c.value(o.a))
	}
	weights := c.wholeWeights(o.b, o.bZero, channels)
	zero, known := c.zeroPoint(o.aZero)
	later := !known && weights != nil && f.takesOff(o)
	sums := c.largestSum(o, weights)
	switch {
	case known:
		r[0], r[1] = r[0]-zero, r[1]-zero
		sums *= max(-r[0], r[1])
	case later:
		sums *= 2 * max(-r[0], r[1])
	default:
		sums *= r[1] - r[0]
	}
	d := shape.Float32
	switch {
	case (known || later) && c.integerKernel(f, weights, channels) && (sums < exactFloat32 || !o.exact):
		c.ev.layers++
		f.layer = fmt.Sprintf("%s (int8 %d)", cmp.Or(c.n.Name, c.n.Op), c.ev.layers)
		c.ev.ranges[f.layer] = vm.Range{Min: float32(r[0]), Max: float32(r[1])}
	case sums >= exactFloat32:
		d = shape.Float64
	}
	f.a = convert(c.centred(o.a, zero), d)
	if !known {
		if f.shift = c.perPlace(o.aZero, -2, c.shape(o.a).Rank(), d); !later {
			f.a, f.shift = ops.Sub(f.a, f.shift), nil
		}
	}
	if weights != nil {
		f.b = c.anyGraph().Const(shape.Type{DType: d, Shape: c.shape(o.b)}, weights)
		return f
	}
	f.b = convert(c.node(o.b), d)
	if c.has(o.bZero) {
		f.b = ops.Sub(f.b, c.perPlace(o.bZero, channels, rank, d))
	}
	return f
}

// takesOff reports whether what the zero point of the first factor adds to sums can be taken off these.
func (f *factors) takesOff(o operands) bool {
	if s := f.shape(o.aZero); s.Rank() > 1 || s.Rank() == 1 && s.Dim(0) != 1 {
		return false
	}
	x := f.shape(o.a).With(0, 1)
	return o.product || x.Concrete() && x.Len() <= maxFolded
}

// zeroPoint returns a zero point that is one known number, 0 if it is left out.
func (c *call) zeroPoint(k int) (zero float64, known bool) {
	if !c.has(k) {
		return 0, true
	}
	if t := c.in[k].host; t != nil && t.Len() == 1 {
		return t.floats()[0], true
	}
	return 0, false
}

// centred returns input k less a zero point in float32, which has all integers of 8 bits.
func (c *call) centred(k int, zero float64) *graph.Node {
	v := c.value(k)
	if v.codes != nil && v.codes.zero == zero {
		return v.codes.inUnits()
	}
	x := v.whole
	if x == nil {
		x = convert(c.node(k), shape.Float32)
	}
	if x = convert(x, shape.Float32); zero == 0 {
		return x
	}
	return ops.Sub(x, ops.Scalar(x, zero))
}

// wholeWeights returns the elements of input k less their zero points, one for each channel along an axis, if both are known.
func (c *call) wholeWeights(k, zero, axis int) []float64 {
	t := c.value(k).host
	if t == nil || t.Type != ir.Int8 && t.Type != ir.Uint8 {
		return nil
	}
	v := t.floats()
	if len(v) > 0 {
		v = append([]float64(nil), v...)
	}
	if !c.has(zero) {
		return v
	}
	z := c.in[zero].host
	if z == nil {
		return nil
	}
	zeros := z.floats()
	inner := product(t.Dims[min(axis+1, len(t.Dims)):])
	for i := range v {
		switch {
		case len(zeros) == 1:
			v[i] -= zeros[0]
		case len(z.Dims) == 1 && axis < len(t.Dims) && len(zeros) == t.Dims[axis]:
			v[i] -= zeros[i/inner%t.Dims[axis]]
		default:
			return nil
		}
	}
	return v
}

// largestSum bounds the sum of the magnitudes of the second factor's elements that are added up for one result.
func (c *call) largestSum(o operands, weights []float64) float64 {
	dims := c.numbers(o.b, 0)
	rank := len(dims)
	depth, columns := 1, 1
	switch {
	case !o.product:
		depth = product(dims[1:])
	case rank > 1:
		depth, columns = dims[rank-2], dims[rank-1]
	case rank == 1:
		depth = dims[0]
	}
	if len(weights) == 0 {
		return 255 * float64(depth)
	}
	sums := make([]float64, len(weights)/depth)
	for i, v := range weights {
		sums[i/(depth*columns)*columns+i%columns] += math.Abs(v)
	}
	return slices.Max(sums)
}

// integerKernel reports whether there is a kernel of 8-bit integers for a product by the weights.
func (c *call) integerKernel(f *factors, weights []float64, channels int) bool {
	if c.ev.session == nil || c.b != builder(c.ev) {
		return false
	}
	if _, ok := c.ev.session.eng.(engine.Quantiser); !ok {
		return false
	}
	for _, v := range weights {
		if math.Abs(v) > math.MaxInt8 {
			return false
		}
	}
	if f.groups == 0 {
		return c.shape(0).Rank() >= 2 && channels == 1
	}
	return len(f.window.kernel) <= 2
}

// matmul is the product.
func (f *factors) matmul() *graph.Node {
	a, s := f.a, f.a.Type().Shape
	if f.layer == "" {
		return f.less(matmul(a, f.b))
	}
	rows := shape.Dim(1)
	for _, d := range s.Dims()[:s.Rank()-1] {
		var err error
		if rows, err = rows.Mul(d); err != nil {
			panic(refusal{err})
		}
	}
	a = ops.Reshape(a, rows, s.Dim(-1))
	y := f.ev.inLayer(f.layer, func() *graph.Node { return ops.MatMul(a, f.b) })
	y = ops.Reshape(y, append(s.Dims()[:s.Rank()-1], f.b.Type().Dim(1))...)
	return f.less(y)
}

// conv is the convolution.
func (f *factors) conv() *graph.Node {
	return f.less(f.ev.inLayer(f.layer, func() *graph.Node { return f.window.conv(f.a, f.b, f.groups) }))
}

// less takes off what the zero point of the first factor has added to y: itself times the sum of the weights, of those that
// lie within the images.
func (f *factors) less(y *graph.Node) *graph.Node {
	if f.shift == nil {
		return y
	}
	var sums *graph.Node
	switch {
	case f.groups == 0:
		sums = ops.Sum(f.b, -2)
	default:
		s := f.shape(0).With(0, 1)
		ones := f.b.Graph().Const(f.b.Type().Of(s), slices.Repeat([]float64{1}, s.Len()))
		sums = f.window.conv(ones, f.b, f.groups)
	}
	return ops.Sub(y, ops.Mul(sums, f.shift))
}
