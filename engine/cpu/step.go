package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// unaryOps are the functions that have vector kernels; unaryFuncs are computed one by one, in
// float64.
var (
	unaryOps = map[engine.Fn]simd.Op{
		engine.Neg: simd.OpNeg, engine.Abs: simd.OpAbs, engine.Sqrt: simd.OpSqrt, engine.Exp: simd.OpExp,
		engine.Log: simd.OpLog, engine.Tanh: simd.OpTanh, engine.Sigmoid: simd.OpSigmoid,
	}
	unaryFuncs = map[engine.Fn]func(float64) float64{
		engine.Sign: sign, engine.Log1p: math.Log1p, engine.Expm1: math.Expm1,
		engine.Sin: math.Sin, engine.Cos: math.Cos, engine.Floor: math.Floor,
	}
)

// binaryOps are the vector kernels of functions of two vectors, of a vector and a constant, and
// of a constant and a vector.
var binaryOps = map[engine.Fn]struct{ both, right, left simd.Op }{
	engine.Add: {simd.OpAdd, simd.OpAddC, simd.OpAddC},
	engine.Sub: {simd.OpSub, simd.OpAddC, simd.OpSubR}, // x-c is x+(-c)
	engine.Mul: {simd.OpMul, simd.OpMulC, simd.OpMulC},
	engine.Div: {simd.OpDiv, simd.OpDivC, simd.OpDivR},
}

// compile returns the loop of step i.
func (p *program) compile(i int, s engine.Step, dst operand, args []operand) action {
	if g, ok := p.reluGrad(i); ok {
		return p.compileReLUGrad(g, dst, args)
	}
	if a, ok := p.axpy(i); ok {
		return p.vector(simd.OpAxpy, dst, args[0], args[1], a.c)
	}
	switch {
	case s.Fn == engine.Copy:
		return compileCopy(dst, args[0])
	case s.Fn == engine.Select && dst.dtype == shape.Bool:
		return selection[bool](dst, args)
	case s.Fn == engine.Select:
		return selection[float32](dst, args)
	case args[0].dtype == shape.Bool:
		return compileLogic(s.Fn, dst, args)
	case dst.dtype == shape.Bool:
		return compileComparison(s.Fn, dst, args)
	case len(args) == 1:
		return p.compileUnary(s.Fn, dst, args[0])
	}
	return p.compileBinary(s, dst, args)
}

func (p *program) compileUnary(fn engine.Fn, dst, x operand) action {
	if op, ok := unaryOps[fn]; ok {
		return p.vector(op, dst, x, x, 0)
	}
	of := unaryFuncs[fn]
	return loop1(dst, x, func(v float32) float32 { return float32(of(float64(v))) })
}

func (p *program) vector(op simd.Op, dst, x, y operand, c float32) action {
	return func(f frame) { p.simd.Map(op, floats(f, dst), floats(f, x), floats(f, y), c) }
}

func (p *program) compileBinary(s engine.Step, dst operand, args []operand) action {
	x, y := args[0], args[1]
	left, isLeft := s.Args[0].Number()
	right, isRight := s.Args[1].Number()
	ops, vectorial := binaryOps[s.Fn]
	switch {
	case vectorial && isRight && s.Fn == engine.Sub:
		return p.vector(ops.right, dst, x, x, -float32(right))
	case vectorial && isRight:
		return p.vector(ops.right, dst, x, x, float32(right))
	case vectorial && isLeft:
		return p.vector(ops.left, dst, y, y, float32(left))
	case vectorial:
		return p.vector(ops.both, dst, x, y, 0)
	case s.Fn == engine.Max && isRight:
		return p.compileMax(dst, x, y, float32(right))
	case s.Fn == engine.Max:
		return loop2(dst, x, y, func(a, b float32) float32 { return max(a, b) })
	case s.Fn == engine.Min:
		return loop2(dst, x, y, func(a, b float32) float32 { return min(a, b) })
	}
	return loop2(dst, x, y, func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) })
}

// compileMax is the maximum of x and c, which is in y as well. The vector kernel may take
// either of two zeros; adding 0 makes the greater one of both.
func (p *program) compileMax(dst, x, y operand, c float32) action {
	if c != c || c == 0 && math.Signbit(float64(c)) {
		return loop2(dst, x, y, func(a, b float32) float32 { return max(a, b) })
	}
	return func(f frame) {
		to := floats(f, dst)
		p.simd.Map(simd.OpMaxC, to, floats(f, x), nil, c)
		if c == 0 {
			p.simd.Map(simd.OpAddC, to, to, nil, 0)
		}
	}
}

// compileReLUGrad uses the kernel that gives 0 where x is NaN, where that is right: mostly
// there is no NaN, and the sum is none.
func (p *program) compileReLUGrad(g reluGrad, dst operand, args []operand) action {
	fast := p.vector(simd.OpReLUGrad, dst, args[0], args[1], 0)
	if !g.nan {
		return fast
	}
	return func(f frame) {
		x := floats(f, args[0])
		if s := p.simd.Sum(x); s == s {
			fast(f)
			return
		}
		to, dy := floats(f, dst), floats(f, args[1])
		for i, v := range x {
			if v <= 0 {
				to[i] = 0
			} else {
				to[i] = dy[i]
			}
		}
	}
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

func compileCopy(dst, x operand) action {
	switch {
	case dst.dtype == x.dtype:
		return store(dst, x)
	case dst.dtype == shape.Bool:
		return loop1(dst, x, func(v float32) bool { return v != 0 })
	}
	return loop1(dst, x, func(v bool) float32 {
		if v {
			return 1
		}
		return 0
	})
}

func compileComparison(fn engine.Fn, dst operand, args []operand) action {
	x, y := args[0], args[1]
	switch fn {
	case engine.Eq:
		return loop2(dst, x, y, func(a, b float32) bool { return a == b })
	case engine.Ne:
		return loop2(dst, x, y, func(a, b float32) bool { return a != b })
	case engine.Lt:
		return loop2(dst, x, y, func(a, b float32) bool { return a < b })
	case engine.Le:
		return loop2(dst, x, y, func(a, b float32) bool { return a <= b })
	case engine.Gt:
		return loop2(dst, x, y, func(a, b float32) bool { return a > b })
	}
	return loop2(dst, x, y, func(a, b float32) bool { return a >= b })
}

func compileLogic(fn engine.Fn, dst operand, args []operand) action {
	switch fn {
	case engine.Not:
		return loop1(dst, args[0], func(a bool) bool { return !a })
	case engine.And:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a && b })
	case engine.Or:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a || b })
	case engine.Eq:
		return loop2(dst, args[0], args[1], func(a, b bool) bool { return a == b })
	}
	return loop2(dst, args[0], args[1], func(a, b bool) bool { return a != b })
}

func selection[T shape.Elem](dst operand, args []operand) action {
	return func(f frame) {
		to, yes, no := view[T](f, dst), view[T](f, args[1]), view[T](f, args[2])
		for i, c := range view[bool](f, args[0]) {
			v := no[i]
			if c {
				v = yes[i]
			}
			to[i] = v
		}
	}
}

func loop1[A, R shape.Elem](dst, x operand, fn func(A) R) action {
	return func(f frame) {
		to := view[R](f, dst)
		for i, v := range view[A](f, x) {
			to[i] = fn(v)
		}
	}
}

func loop2[A, R shape.Elem](dst, x, y operand, fn func(a, b A) R) action {
	return func(f frame) {
		to, b := view[R](f, dst), view[A](f, y)
		for i, v := range view[A](f, x) {
			to[i] = fn(v, b[i])
		}
	}
}
