package onnx

import (
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var signalOperators = family{
	"HannWindow":      always(1, 1, windowed(.5, .5, 0)),
	"HammingWindow":   always(1, 1, windowed(25./46, 21./46, 0)),
	"BlackmanWindow":  always(1, 1, windowed(.42, .5, .08)),
	"MelWeightMatrix": always(5, 5, melWeights),
	"DFT":             {{since: 17, min: 1, max: 2, eval: dft}, {since: 20, min: 1, max: 3, eval: dft}},
	"STFT":            always(2, 4, stft),
}

// numbersOf returns known numbers of element type e, as a value that is no node.
func (c *call) numbersOf(e ir.DataType, v []float64, dims ...int) []*value {
	row, ok := elements[e]
	if !ok {
		refuse("element type %v is not supported", e)
	}
	g := c.anyGraph()
	d := make([]shape.Dim, len(dims))
	for i, n := range dims {
		d[i] = shape.Dim(n)
	}
	return result(g.Const(shape.Make(row.compute, d...), v), e)
}

// anyGraph is the graph in which input 0 is, or would be.
func (c *call) anyGraph() *graph.Graph { return c.node(0).Graph() }

// windowed returns a0 - a1*cos(2πi/n) + a2*cos(4πi/n), for n the size or, if the window is not periodic, one less.
func windowed(a0, a1, a2 float64) func(*call) []*value {
	return func(c *call) []*value {
		size := c.scalarInt(0)
		if size < 0 || size > maxFolded {
			refuse("a window of %d elements", size)
		}
		n := float64(size)
		if !c.flag("periodic", true) {
			n--
		}
		v := make([]float64, size)
		for i := range v {
			at := 2 * math.Pi * float64(i) / n
			v[i] = a0 - a1*math.Cos(at) + a2*math.Cos(2*at)
		}
		return c.numbersOf(ir.DataType(c.intAttr("output_datatype", int(ir.Float))), v, size)
	}
}

// melWeights returns the weights of the bins of a spectrum in triangular bands, even on the mel scale.
func melWeights(c *call) []*value {
	bands, length := c.scalarInt(0), c.scalarInt(1)
	rate, low, high := c.scalar(2), c.scalar(3), c.scalar(4)
	bins := length/2 + 1
	if bands < 1 || length < 1 || bands > maxFolded/bins || rate <= 0 {
		refuse("%d bands of a spectrum of length %d", bands, length)
	}
	mel := func(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
	step := (mel(high) - mel(low)) / float64(bands+2)
	at := make([]int, bands+2)
	for i := range at {
		hertz := 700 * (math.Pow(10, (float64(i)*step+mel(low))/2595) - 1)
		if at[i] = int(math.Floor(float64(length+1) * hertz / rate)); at[i] < 0 || at[i] >= bins {
			refuse("band %d ends beyond the spectrum", i)
		}
	}
	w := make([]float64, bins*bands)
	for i := range bands {
		left, centre, right := at[i], at[i+1], at[i+2]
		if left == centre {
			w[centre*bands+i] = 1
		}
		for j := left; left < centre && j <= centre; j++ {
			w[j*bands+i] = float64(j-left) / float64(centre-left)
		}
		for j := centre; j < right; j++ {
			w[j*bands+i] = float64(right-j) / float64(right-centre)
		}
	}
	return c.numbersOf(ir.DataType(c.intAttr("output_datatype", int(ir.Float))), w, bins, bands)
}

// maxTransform bounds the length of a transform, which is a product by a matrix.
const maxTransform = 4096

// dft transforms along an axis of x (...,1), real, or (...,2), complex numbers.
func dft(c *call) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	if rank < 2 {
		refuse("want (...,1) or (...,2), not %v", x.Type())
	}
	at := c.intAttr("axis", 1)
	if c.version >= 20 {
		if at = -2; c.has(2) {
			at = c.scalarInt(2)
		}
	}
	a := axis(at, rank)
	if a == rank-1 {
		refuse("axis %d has the parts of complex numbers", a)
	}
	inverse, oneSided := c.flag("inverse", false), c.flag("onesided", false)
	have, ok := x.Type().Dim(a).Int()
	if !ok {
		refuse("extent %v of axis %d must be a number", x.Type().Dim(a), a)
	}
	n := have
	if inverse && oneSided {
		n = 2 * (have - 1)
	}
	if c.has(1) {
		n = c.scalarInt(1)
	}
	return result(transformed(x, a, n, inverse, oneSided), c.elem(0))
}

// transformed is the discrete Fourier transform of length n along axis a of complex numbers: what is missing is 0.
// A transform with one side gives n/2+1 numbers; its inverse takes as many and gives real ones.
func transformed(x *graph.Node, a, n int, inverse, oneSided bool) *graph.Node {
	if n < 1 || n > maxTransform {
		refuse("a transform of length %d; want 1 to %d", n, maxTransform)
	}
	last := x.Type().Rank() - 1
	parts, ok := x.Type().Dim(last).Int()
	if !ok || parts < 1 || parts > 2 {
		refuse("axis %d has %v parts; want 1 or 2", last, x.Type().Dim(last))
	}
	take := n
	if inverse && oneSided {
		take = n/2 + 1
	}
	take = min(take, x.Type().Int(a))
	x = part(x, a, 0, take)
	rows, columns := take, n
	if !inverse && oneSided {
		columns = n/2 + 1
	}
	cos, sin := make([]float64, rows*columns), make([]float64, rows*columns)
	for i := range rows {
		for k := range columns {
			scale, sign := 1., -1.
			if inverse {
				scale, sign = 1/float64(n), 1
			}
			if inverse && oneSided && i > 0 && 2*i != n { // its conjugate is left out
				scale *= 2
			}
			t := 2 * math.Pi * float64(i*k%n) / float64(n)
			cos[i*columns+k], sin[i*columns+k] = scale*math.Cos(t), sign*scale*math.Sin(t)
		}
	}
	t := shape.Make(x.Type().DType, shape.Dim(rows), shape.Dim(columns))
	c, s := x.Graph().Const(t, cos), x.Graph().Const(t, sin)
	real := lastAxis(ops.Squeeze(part(x, last, 0, 1), last), a)
	re, im := ops.MatMul(real, c), ops.MatMul(real, s)
	if parts == 2 {
		imaginary := lastAxis(ops.Squeeze(part(x, last, 1, 1), last), a)
		re, im = ops.Sub(re, ops.MatMul(imaginary, s)), ops.Add(im, ops.MatMul(imaginary, c))
	}
	re = ops.Unsqueeze(backAxis(re, a), last)
	if inverse && oneSided {
		return re
	}
	return ops.Concat(last, re, ops.Unsqueeze(backAxis(im, a), last))
}

// lastAxis moves axis a to the end, and backAxis the last one to a.
func lastAxis(x *graph.Node, a int) *graph.Node {
	perm := make([]int, 0, x.Type().Rank())
	for i := range x.Type().Rank() {
		if i != a {
			perm = append(perm, i)
		}
	}
	return ops.Transpose(x, append(perm, a)...)
}

func backAxis(x *graph.Node, a int) *graph.Node {
	perm := make([]int, x.Type().Rank())
	for i := range perm {
		switch {
		case i < a:
			perm[i] = i
		case i == a:
			perm[i] = len(perm) - 1
		default:
			perm[i] = i - 1
		}
	}
	return ops.Transpose(x, perm...)
}

// stft transforms windows of a signal (N,L,1) or (N,L,2), frame_step apart.
func stft(c *call) []*value {
	x, step := c.node(0), c.scalarInt(1)
	if x.Type().Rank() == 2 {
		x = ops.Unsqueeze(x, 2)
	}
	length, ok := x.Type().Dim(1).Int()
	if !ok || x.Type().Rank() != 3 || step < 1 {
		refuse("signals %v, %d apart", x.Type(), step)
	}
	n := length
	switch {
	case c.has(3):
		n = c.scalarInt(3)
	case c.has(2):
		n = c.shape(2).Int(0)
	}
	if n < 1 || n > length {
		refuse("frames of %d of %d samples", n, length)
	}
	frames := 1 + (length-n)/step
	if frames > maxFolded/n {
		refuse("%d frames of %d samples", frames, n)
	}
	ids := make([]float64, 0, frames*n)
	for f := range frames {
		for i := range n {
			ids = append(ids, float64(f*step+i))
		}
	}
	y := ops.Gather(x, 1, x.Graph().Const(shape.I64(shape.Dim(frames), shape.Dim(n)), ids)) // (N,frames,n,parts)
	if c.has(2) {
		y = ops.Mul(y, ops.Reshape(c.node(2), shape.Dim(n), 1))
	}
	return result(transformed(y, 2, n, false, c.flag("onesided", true)), c.elem(0))
}
