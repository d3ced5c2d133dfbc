package ref

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/elementary"
	"github.com/plexaura/plexaura/shape"
)

type integer interface{ int32 | int64 | uint8 | int8 }

type numeric interface{ shape.Float | integer }

// compileStep returns the loop over a block that computes f, or nil if f is not defined for the
// types of its operands.
func compileStep(f engine.Fn, dst operand, args []operand) func(frame) {
	computes := args[len(args)-1].dtype
	switch {
	case f == engine.Copy:
		return compileCopy(dst, args[0])
	case f == engine.Select:
		return compileSelect(dst, args)
	case len(args) == 2 && args[0].dtype != args[1].dtype:
		return nil
	case computes == shape.Bool && dst.dtype == shape.Bool:
		return compileLogic(f, dst, args)
	case f >= engine.Eq && f <= engine.Ge:
		return compileComparison(f, dst, args)
	case computes != dst.dtype:
		return nil
	}
	switch dst.dtype {
	case shape.Float32:
		return compileFloat[float32](f, dst, args)
	case shape.Float64:
		return compileFloat[float64](f, dst, args)
	case shape.Int32:
		return compileInt[int32](f, dst, args)
	case shape.Int64:
		return compileInt[int64](f, dst, args)
	case shape.Uint8:
		return compileInt[uint8](f, dst, args)
	}
	return nil
}

func compileFloat[T shape.Float](f engine.Fn, dst operand, args []operand) func(frame) {
	if len(args) == 1 {
		return loop1(dst, args[0], Unary[T](f))
	}
	return loop2(dst, args[0], args[1], Binary[T](f))
}

func compileInt[T integer](f engine.Fn, dst operand, args []operand) func(frame) {
	if len(args) == 1 {
		return loop1(dst, args[0], intFn1[T](f))
	}
	return loop2(dst, args[0], args[1], intFn2[T](f))
}

func compileLogic(f engine.Fn, dst operand, args []operand) func(frame) {
	switch f {
	case engine.Not:
		return loop1(dst, args[0], func(a bool) bool { return !a })
	case engine.And:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a && b })
	case engine.Or:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a || b })
	case engine.Eq:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a == b })
	case engine.Ne:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a != b })
	}
	return nil
}

func compileComparison(f engine.Fn, dst operand, args []operand) func(frame) {
	if dst.dtype != shape.Bool {
		return nil
	}
	switch args[0].dtype {
	case shape.Float32:
		return loop2(dst, args[0], args[1], comparison[float32](f))
	case shape.Float64:
		return loop2(dst, args[0], args[1], comparison[float64](f))
	case shape.Int32:
		return loop2(dst, args[0], args[1], comparison[int32](f))
	case shape.Int64:
		return loop2(dst, args[0], args[1], comparison[int64](f))
	case shape.Uint8:
		return loop2(dst, args[0], args[1], comparison[uint8](f))
	}
	return nil
}

func compileSelect(dst operand, args []operand) func(frame) {
	if args[0].dtype != shape.Bool || args[1].dtype != dst.dtype || args[2].dtype != dst.dtype {
		return nil
	}
	switch dst.dtype.Width() {
	case 1:
		return selectLoop[uint8](dst, args)
	case 2:
		return selectLoop[shape.Half](dst, args)
	case 4:
		return selectLoop[int32](dst, args)
	}
	return selectLoop[int64](dst, args)
}

func loop1[A, R shape.Elem](dst, a operand, fn func(A) R) func(frame) {
	if fn == nil {
		return nil
	}
	return func(f frame) {
		to := view[R](f, dst)
		for i, v := range view[A](f, a) {
			to[i] = fn(v)
		}
	}
}

func loop2[A, R shape.Elem](dst, a, b operand, fn func(a, b A) R) func(frame) {
	if fn == nil {
		return nil
	}
	return func(f frame) {
		to, vb := view[R](f, dst), view[A](f, b)
		for i, v := range view[A](f, a) {
			to[i] = fn(v, vb[i])
		}
	}
}

func selectLoop[W word](dst operand, args []operand) func(frame) {
	return func(f frame) {
		to, yes, no := words[W](f, dst), words[W](f, args[1]), words[W](f, args[2])
		for i, c := range view[bool](f, args[0]) {
			if c {
				to[i] = yes[i]
			} else {
				to[i] = no[i]
			}
		}
	}
}

// Unary returns f of one argument, or nil if it is none. A float32 result is computed in float64 and
// rounded.
func Unary[T shape.Float](f engine.Fn) func(T) T {
	wide := func(fn func(float64) float64) func(T) T {
		return func(a T) T { return T(fn(float64(a))) }
	}
	switch f {
	case engine.Neg:
		return func(a T) T { return -a }
	case engine.Abs:
		return wide(math.Abs)
	case engine.Sign:
		return wide(sign)
	case engine.Exp:
		return wide(elementary.Exp)
	case engine.Log:
		return wide(elementary.Log)
	case engine.Log1p:
		return wide(math.Log1p)
	case engine.Expm1:
		return wide(math.Expm1)
	case engine.Sqrt:
		return wide(math.Sqrt)
	case engine.Sin:
		return wide(math.Sin)
	case engine.Cos:
		return wide(math.Cos)
	case engine.Tanh:
		return wide(math.Tanh)
	case engine.Sigmoid:
		return wide(sigmoid)
	case engine.Erf:
		return wide(math.Erf)
	case engine.Floor:
		return wide(math.Floor)
	case engine.Nearest:
		return wide(math.RoundToEven)
	case engine.Asin:
		return wide(math.Asin)
	case engine.Acos:
		return wide(math.Acos)
	case engine.Atan:
		return wide(math.Atan)
	case engine.Sinh:
		return wide(math.Sinh)
	case engine.Cosh:
		return wide(math.Cosh)
	case engine.Asinh:
		return wide(math.Asinh)
	case engine.Acosh:
		return wide(math.Acosh)
	case engine.Atanh:
		return wide(math.Atanh)
	}
	return nil
}

// Binary returns f of two arguments, or nil if it is none of floating-point numbers.
func Binary[T shape.Float](f engine.Fn) func(a, b T) T {
	switch f {
	case engine.Add:
		return func(a, b T) T { return a + b }
	case engine.Sub:
		return func(a, b T) T { return a - b }
	case engine.Mul:
		return func(a, b T) T { return a * b }
	case engine.Div:
		return func(a, b T) T { return a / b }
	case engine.Rem:
		return func(a, b T) T { return T(math.Mod(float64(a), float64(b))) }
	case engine.Pow:
		return func(a, b T) T { return T(math.Pow(float64(a), float64(b))) }
	case engine.Max:
		return func(a, b T) T { return max(a, b) }
	case engine.Min:
		return func(a, b T) T { return min(a, b) }
	case engine.ReLUGrad:
		return reluGrad[T]
	}
	return nil
}

// reluGrad passes a gradient where the rectifier's result y is positive or NaN.
func reluGrad[T shape.Float](y, dy T) T {
	if y <= 0 {
		return 0
	}
	return dy
}

func intFn1[T integer](f engine.Fn) func(T) T {
	switch f {
	case engine.Neg:
		return func(a T) T { return -a }
	case engine.Abs:
		return intAbs[T]
	case engine.Sign:
		return intSign[T]
	}
	return nil
}

func intFn2[T integer](f engine.Fn) func(a, b T) T {
	switch f {
	case engine.Add:
		return func(a, b T) T { return a + b }
	case engine.Sub:
		return func(a, b T) T { return a - b }
	case engine.Mul:
		return func(a, b T) T { return a * b }
	case engine.Div:
		return intDiv[T]
	case engine.Rem:
		return func(a, b T) T { return a - intDiv(a, b)*b }
	case engine.Pow:
		return intPow[T]
	case engine.BitAnd:
		return func(a, b T) T { return a & b }
	case engine.BitOr:
		return func(a, b T) T { return a | b }
	case engine.BitXor:
		return func(a, b T) T { return a ^ b }
	case engine.ShiftLeft:
		return func(a, b T) T { return a << uint64(b) } // a negative b is large
	case engine.ShiftRight:
		return func(a, b T) T { return a >> uint64(b) }
	case engine.Max:
		return func(a, b T) T { return max(a, b) }
	case engine.Min:
		return func(a, b T) T { return min(a, b) }
	}
	return nil
}

func comparison[T numeric](f engine.Fn) func(a, b T) bool {
	switch f {
	case engine.Eq:
		return func(a, b T) bool { return a == b }
	case engine.Ne:
		return func(a, b T) bool { return a != b }
	case engine.Lt:
		return func(a, b T) bool { return a < b }
	case engine.Le:
		return func(a, b T) bool { return a <= b }
	case engine.Gt:
		return func(a, b T) bool { return a > b }
	case engine.Ge:
		return func(a, b T) bool { return a >= b }
	}
	return nil
}

func sign(a float64) float64 {
	switch {
	case a > 0:
		return 1
	case a < 0:
		return -1
	}
	return a // 0, -0 or NaN
}

// sigmoid raises e only to negative numbers, so that nothing overflows.
func sigmoid(a float64) float64 {
	if a < 0 {
		e := math.Exp(a)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-a))
}

func intSign[T integer](a T) T {
	switch {
	case a > 0:
		return 1
	case a < 0:
		return T(0) - 1 // -1, which a constant of type uint8 cannot be
	}
	return 0
}

func intAbs[T integer](a T) T {
	if a < 0 {
		return -a
	}
	return a
}

func intDiv[T integer](a, b T) T {
	if b == 0 {
		return 0
	}
	return a / b
}

// intPow multiplies by squares of a.
func intPow[T integer](a, b T) T {
	if b < 0 && (a == 1 || a+1 == 0) {
		b &= 1 // a is its own inverse
	}
	if b < 0 {
		return 0
	}
	y := T(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			y *= a
		}
		a *= a
	}
	return y
}
