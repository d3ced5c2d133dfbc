package cpu

import (
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// pointwise sets the elements of dst from those of x and y, either of which may be dst.
type pointwise[T shape.Float] func(dst, x, y []T)

// vector is the elementwise function op: a vector kernel for float32, a loop for float64.
func vector[T shape.Float](e Engine, op vec.Op, c T) pointwise[T] {
	var f any
	if shape.DTypeOf[T]() == shape.Float32 {
		f = pointwise[float32](func(dst, x, y []float32) { e.simd.Vec.Map(op, dst, x, y, float32(c)) })
	} else {
		f = pointwise[float64](func(dst, x, y []float64) { mapFloat64(op, dst, x, y, float64(c)) })
	}
	return f.(pointwise[T])
}

// mapFloat64 does for float64 what [simd.Kernels.Map] does for float32; denormals stay.
func mapFloat64(op vec.Op, dst, x, y []float64, c float64) {
	x, y = x[:len(dst)], y[:len(dst)]
	switch op {
	case vec.Add:
		for i, v := range x {
			dst[i] = v + y[i]
		}
	case vec.AddC:
		for i, v := range x {
			dst[i] = v + c
		}
	case vec.Sub:
		for i, v := range x {
			dst[i] = v - y[i]
		}
	case vec.SubR:
		for i, v := range x {
			dst[i] = c - v
		}
	case vec.Mul:
		for i, v := range x {
			dst[i] = v * y[i]
		}
	case vec.MulC:
		for i, v := range x {
			dst[i] = v * c
		}
	case vec.Div:
		for i, v := range x {
			dst[i] = v / y[i]
		}
	case vec.DivC:
		for i, v := range x {
			dst[i] = v / c
		}
	case vec.DivR:
		for i, v := range x {
			dst[i] = c / v
		}
	case vec.Max:
		for i, v := range x {
			dst[i] = max(v, y[i])
		}
	case vec.MaxC:
		for i, v := range x {
			dst[i] = max(v, c)
		}
	case vec.Min:
		for i, v := range x {
			dst[i] = min(v, y[i])
		}
	case vec.MinC:
		for i, v := range x {
			dst[i] = min(v, c)
		}
	case vec.Neg:
		for i, v := range x {
			dst[i] = -v
		}
	case vec.Abs:
		for i, v := range x {
			dst[i] = math.Abs(v)
		}
	case vec.Sqrt:
		for i, v := range x {
			dst[i] = math.Sqrt(v)
		}
	case vec.Exp:
		for i, v := range x {
			dst[i] = math.Exp(v)
		}
	case vec.Log:
		for i, v := range x {
			dst[i] = math.Log(v)
		}
	case vec.Tanh:
		for i, v := range x {
			dst[i] = math.Tanh(v)
		}
	default:
		panic("cpu: no loop over float64 for " + op.String())
	}
}

// result is where an elementwise operation puts its results.
type result[T shape.Float] struct {
	dense *tensor.Dense
	to    []T
	add   bool // to what is there
}

// resultOf finds the place that opts name for the result of an operation on a, whose elements
// are x. It is false for what is left to StdEng: a place of another shape, type or layout,
// or one that lies across an operand.
func resultOf[T shape.Float](e Engine, a *tensor.Dense, x, y []T, opts []tensor.FuncOpt) (r result[T], ok bool) {
	if len(opts) > 0 {
		fo := tensor.ParseFuncOpts(opts...)
		if fo.Same() || fo.As() != (tensor.Dtype{}) {
			return r, false
		}
		into, add := fo.IncrReuse()
		if into != nil {
			to, ok := plain[T](into)
			if !ok || !slices.Equal(into.Shape(), a.Shape()) || across(to, x) || across(to, y) {
				return r, false
			}
			return result[T]{into.(*tensor.Dense), to, add}, true
		}
		if !fo.Safe() {
			return result[T]{dense: a, to: x}, !across(x, y)
		}
	}
	r.to = make([]T, len(x))
	r.dense = newDense(e, a.Shape().Clone(), r.to)
	if a.Shape().IsScalar() {
		r.to = memory[T](r.dense)
	}
	return r, true
}

// across reports whether x and y share memory, but not element by element.
func across[T any](x, y []T) bool { return overlap(x, y) && &x[0] != &y[0] }

// elementwise computes f, which takes about cost picoseconds an element.
func elementwise[T shape.Float](e Engine, r result[T], cost int, f pointwise[T], x, y []T) {
	if r.add {
		f = added(e, f)
	}
	grain := max(1, chunkWork*1000/cost/block) * block
	if len(r.to) <= grain {
		f(r.to, x, y)
		return
	}
	e.pool.For(len(r.to), grain, func(lo, hi int) { f(r.to[lo:hi], x[lo:hi], y[lo:hi]) })
}

// added adds the results of f to dst, a block at a time.
func added[T shape.Float](e Engine, f pointwise[T]) pointwise[T] {
	sum := vector(e, vec.Add, T(0))
	return func(dst, x, y []T) {
		mem := borrow[T](block)
		defer mem.giveBack()
		for len(dst) > 0 {
			n := min(len(dst), block)
			f(mem.s[:n], x[:n], y[:n])
			sum(dst[:n], dst[:n], mem.s[:n])
			dst, x, y = dst[n:], x[n:], y[n:]
		}
	}
}

const (
	cheap = 300   // picoseconds an element: bound by memory
	dear  = 10000 // a function of package math
)

// arithmetic is one of the four operations: the kernels of two vectors, and of a vector and a
// number on its right or left.
type arithmetic struct{ both, right, left vec.Op }

var (
	adding      = arithmetic{vec.Add, vec.AddC, vec.AddC}
	subtracting = arithmetic{vec.Sub, vec.AddC, vec.SubR} // x-c is x+(-c)
	multiplying = arithmetic{vec.Mul, vec.MulC, vec.MulC}
	dividing    = arithmetic{vec.Div, vec.DivC, vec.DivR}
)

// binary computes an operation on two tensors, unless it is left to StdEng.
func (e Engine) binary(op arithmetic, a, b tensor.Tensor, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	switch {
	case e.simd == nil:
		return nil, false
	case isDense(tensor.Float32, a, b):
		return pairwise[float32](e, op, a, b, opts)
	case isDense(tensor.Float64, a, b):
		return pairwise[float64](e, op, a, b, opts)
	}
	return nil, false
}

func pairwise[T shape.Float](e Engine, op arithmetic, a, b tensor.Tensor, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	x, okA := plain[T](a)
	y, okB := plain[T](b)
	if !okA || !okB || !slices.Equal(a.Shape(), b.Shape()) {
		return nil, false
	}
	r, ok := resultOf(e, a.(*tensor.Dense), x, y, opts)
	if !ok {
		return nil, false
	}
	elementwise(e, r, cheap, vector(e, op.both, T(0)), x, y)
	return r.dense, true
}

// withScalar computes an operation on a tensor and a number, unless it is left to StdEng.
func (e Engine) withScalar(op arithmetic, t tensor.Tensor, s any, left bool, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	switch {
	case e.simd == nil:
		return nil, false
	case isDense(tensor.Float32, t):
		return withScalar[float32](e, op, t, s, left, opts)
	case isDense(tensor.Float64, t):
		return withScalar[float64](e, op, t, s, left, opts)
	}
	return nil, false
}

func withScalar[T shape.Float](e Engine, op arithmetic, t tensor.Tensor, s any, left bool, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	x, okT := plain[T](t)
	c, okS := scalarOf[T](s)
	if !okT || !okS {
		return nil, false
	}
	r, ok := resultOf(e, t.(*tensor.Dense), x, nil, opts)
	if !ok {
		return nil, false
	}
	f := vector(e, op.left, c)
	if left { // then the number is on the right
		if op == subtracting {
			c = -c
		}
		f = vector(e, op.right, c)
	}
	elementwise(e, r, cheap, f, x, x)
	return r.dense, true
}

// scalarOf returns the number that s is, or that a tensor holds as a scalar.
func scalarOf[T shape.Float](s any) (T, bool) {
	if c, ok := s.(T); ok {
		return c, true
	}
	t, ok := s.(tensor.Tensor)
	if !ok || !t.Shape().IsScalar() {
		return 0, false
	}
	x, ok := plain[T](t)
	if !ok {
		return 0, false
	}
	return x[0], true
}

// unary is a function of one number: the kernel of float32, or how to compute it one by one, in
// float64.
type unary struct {
	vector func(e Engine) pointwise[float32]
	loop   pointwise[float64]
	cost   [2]int // of float32 and float64
}

func kernel(op vec.Op, cost, cost64 int) unary {
	return unary{
		vector: func(e Engine) pointwise[float32] { return vector(e, op, float32(0)) },
		loop:   func(dst, x, y []float64) { mapFloat64(op, dst, x, y, 0) },
		cost:   [2]int{cost, cost64},
	}
}

// each computes f of each number; one of float32 by way of float64.
func each(cost int, f func(float64) float64) unary {
	return unary{
		vector: func(Engine) pointwise[float32] {
			return func(dst, x, _ []float32) {
				for i, v := range x {
					dst[i] = float32(f(float64(v)))
				}
			}
		},
		loop: func(dst, x, _ []float64) {
			for i, v := range x {
				dst[i] = f(v)
			}
		},
		cost: [2]int{cost, cost},
	}
}

func signOf(a float64) float64 {
	switch {
	case a > 0:
		return 1
	case a < 0:
		return -1
	}
	return a // 0, -0 or NaN
}

var (
	negating          = kernel(vec.Neg, cheap, cheap)
	absolute          = kernel(vec.Abs, cheap, cheap)
	squareRoot        = kernel(vec.Sqrt, 2*cheap, 4*cheap)
	exponential       = kernel(vec.Exp, 2*cheap, dear)
	logarithm         = kernel(vec.Log, 2*cheap, dear)
	hyperbolicTangent = kernel(vec.Tanh, 3*cheap, dear)
	log2              = each(dear, math.Log2)
	log10             = each(dear, math.Log10)
	cubeRoot          = each(dear, math.Cbrt)
	signing           = each(2*cheap, signOf)

	inverting = unary{
		vector: func(e Engine) pointwise[float32] { return vector(e, vec.DivR, float32(1)) },
		loop:   func(dst, x, y []float64) { mapFloat64(vec.DivR, dst, x, y, 1) },
		cost:   [2]int{cheap, 2 * cheap},
	}
	squaring = unary{
		vector: func(e Engine) pointwise[float32] {
			return func(dst, x, _ []float32) { e.simd.Vec.Map(vec.Mul, dst, x, x, 0) }
		},
		loop: func(dst, x, _ []float64) { mapFloat64(vec.Mul, dst, x, x, 0) },
		cost: [2]int{cheap, cheap},
	}
	cubing = unary{
		vector: func(Engine) pointwise[float32] { return cubes[float32] },
		loop:   cubes[float64],
		cost:   [2]int{2 * cheap, 2 * cheap},
	}
	inverseRoot = unary{
		vector: func(e Engine) pointwise[float32] {
			return func(dst, x, _ []float32) {
				e.simd.Vec.Map(vec.Sqrt, dst, x, nil, 0)
				e.simd.Vec.Map(vec.DivR, dst, dst, nil, 1)
			}
		},
		loop: func(dst, x, _ []float64) {
			for i, v := range x {
				dst[i] = 1 / math.Sqrt(v)
			}
		},
		cost: [2]int{2 * cheap, 4 * cheap},
	}
)

func cubes[T shape.Float](dst, x, _ []T) {
	for i, v := range x {
		dst[i] = v * v * v
	}
}

// clamping limits numbers to lo..hi; NaN stays.
func clamping(lo, hi float64) unary {
	return unary{
		vector: func(e Engine) pointwise[float32] {
			return func(dst, x, _ []float32) {
				e.simd.Vec.Map(vec.MaxC, dst, x, nil, float32(lo))
				e.simd.Vec.Map(vec.MinC, dst, dst, nil, float32(hi))
			}
		},
		loop: func(dst, x, _ []float64) {
			for i, v := range x {
				dst[i] = min(max(v, lo), hi)
			}
		},
		cost: [2]int{cheap, 2 * cheap},
	}
}

// clampOf is the function that limits the elements of a, unless it is left to StdEng: where the
// limits are not numbers of a's type, or not in order.
func clampOf(a tensor.Tensor, lo, hi any) (unary, bool) {
	if lo, ok := lo.(float32); ok {
		hi, ok := hi.(float32)
		return clamping(float64(lo), float64(hi)), ok && lo <= hi && a.Dtype() == tensor.Float32
	}
	l, okL := lo.(float64)
	h, okH := hi.(float64)
	return clamping(l, h), okL && okH && l <= h && a.Dtype() == tensor.Float64
}

// apply computes a function of a tensor, unless it is left to StdEng.
func (e Engine) apply(u unary, a tensor.Tensor, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	switch {
	case e.simd == nil:
		return nil, false
	case isDense(tensor.Float32, a):
		return apply(e, a, opts, u.vector(e), u.cost[0])
	case isDense(tensor.Float64, a):
		return apply(e, a, opts, u.loop, u.cost[1])
	}
	return nil, false
}

func apply[T shape.Float](e Engine, a tensor.Tensor, opts []tensor.FuncOpt, f pointwise[T], cost int) (tensor.Tensor, bool) {
	x, ok := plain[T](a)
	if !ok {
		return nil, false
	}
	r, ok := resultOf(e, a.(*tensor.Dense), x, nil, opts)
	if !ok {
		return nil, false
	}
	elementwise(e, r, cost, f, x, x)
	return r.dense, true
}
