package cpu

import (
	"encoding/binary"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// unaryOps are the vector kernels of functions.
var unaryOps = map[engine.Fn]vec.Op{
	engine.Neg: vec.Neg, engine.Abs: vec.Abs, engine.Sqrt: vec.Sqrt, engine.Exp: vec.Exp,
	engine.Log: vec.Log, engine.Tanh: vec.Tanh, engine.Sigmoid: vec.Sigmoid, engine.Log1p: vec.Log1p,
	engine.Expm1: vec.Expm1, engine.Erf: vec.Erf, engine.Sin: vec.Sin, engine.Cos: vec.Cos,
	engine.Floor: vec.Floor, engine.Nearest: vec.Round, engine.Sign: vec.Sign,
}

// stepCost is about the time of a step over a block, in nanoseconds.
func stepCost(f engine.Fn) int {
	switch f {
	case engine.Pow: // of positive numbers
		return 2 * block
	case engine.Asin, engine.Acos, engine.Atan, engine.Sinh, engine.Cosh, engine.Asinh, engine.Acosh, engine.Atanh, engine.Rem:
		return 20 * block // one number at a time
	case engine.Exp, engine.Log, engine.Tanh, engine.Sigmoid, engine.Log1p, engine.Expm1, engine.Erf, engine.Sin, engine.Cos:
		return block / 4
	}
	return 50
}

// binaryOps are the vector kernels of functions of two vectors, of a vector and a constant, and
// of a constant and a vector.
var binaryOps = map[engine.Fn]struct{ both, right, left vec.Op }{
	engine.Add: {vec.Add, vec.AddC, vec.AddC},
	engine.Sub: {vec.Sub, vec.AddC, vec.SubR}, // x-c is x+(-c)
	engine.Mul: {vec.Mul, vec.MulC, vec.MulC},
	engine.Div: {vec.Div, vec.DivC, vec.DivR},
	engine.Max: {vec.Max, vec.MaxC, vec.MaxC},
	engine.Min: {vec.Min, vec.MinC, vec.MinC},
}

// compile returns the loop of step i.
func (p *program) compile(i int, s engine.Step, dst operand, args []operand) action {
	if of, ok := p.idioms[i]; ok {
		return p.vector(of.op, dst, args[0], args[len(args)-1], 0)
	}
	if a, ok := p.axpy(i); ok {
		return p.vector(vec.Axpy, dst, args[0], args[1], a.c)
	}
	switch {
	case s.Fn == engine.Copy:
		return p.compileCopy(dst, args[0])
	case s.Fn == engine.ReLUGrad:
		return p.vector(vec.ReLUGrad, dst, args[0], args[1], 0)
	case s.Fn == engine.Select && dst.dtype == shape.Bool:
		return chooseBools(dst, args)
	case s.Fn == engine.Select:
		return p.choose(dst, args)
	case args[0].dtype == shape.Bool:
		return compileLogic(s.Fn, dst, args)
	case dst.dtype == shape.Bool:
		return p.compileComparison(s.Fn, dst, args)
	case len(args) == 1:
		return p.compileUnary(s.Fn, dst, args[0])
	}
	return p.compileBinary(s, dst, args)
}

func (p *program) compileUnary(fn engine.Fn, dst, x operand) action {
	if op, ok := unaryOps[fn]; ok {
		return p.vector(op, dst, x, x, 0)
	}
	if dst.dtype == shape.Float64 {
		return loop1(dst, x, ref.Unary[float64](fn))
	}
	return loop1(dst, x, ref.Unary[float32](fn))
}

func (p *program) vector(op vec.Op, dst, x, y operand, c float64) action {
	if dst.dtype == shape.Float64 {
		return func(f *frame) {
			p.simd.Vec.Map64(op, view[float64](f, dst), view[float64](f, x), view[float64](f, y), c)
		}
	}
	c32 := float32(c)
	return func(f *frame) { p.simd.Vec.Map(op, floats(f, dst), floats(f, x), floats(f, y), c32) }
}

func (p *program) compileBinary(s engine.Step, dst operand, args []operand) action {
	x, y := args[0], args[1]
	if act, ok := p.compileConstant(s.Fn, dst, x, y); ok {
		return act
	}
	left, isLeft := s.Args[0].Number()
	right, isRight := s.Args[1].Number()
	ops, vectorial := binaryOps[s.Fn]
	switch {
	case s.Fn == engine.Rem && dst.dtype == shape.Float64:
		return loop2(dst, x, y, ref.Binary[float64](s.Fn))
	case s.Fn == engine.Rem:
		return loop2(dst, x, y, ref.Binary[float32](s.Fn))
	case vectorial && isRight && s.Fn == engine.Sub:
		return p.vector(ops.right, dst, x, x, -right)
	case vectorial && isRight:
		return p.vector(ops.right, dst, x, x, right)
	case vectorial && isLeft:
		return p.vector(ops.left, dst, y, y, left)
	case vectorial:
		return p.vector(ops.both, dst, x, y, 0)
	case dst.dtype == shape.Float32 && isRight && hasPower(right):
		return p.compilePower(dst, x, right)
	}
	return p.vector(vec.Pow, dst, x, y, 0)
}

// byNumber reports whether step i takes a number as it is, without a register full of it.
func (p *program) byNumber(i int) bool {
	s := &p.m.Steps[i]
	_, idiom := p.idioms[i]
	_, isAxpy := p.axpy(i)
	if idiom || isAxpy || s.Fn.Arity() != 2 || s.DType != shape.Float32 && s.DType != shape.Float64 {
		return false
	}
	_, isLeft := s.Args[0].Number()
	right, isRight := s.Args[1].Number()
	_, vectorial := binaryOps[s.Fn]
	return isLeft != isRight && (vectorial || s.Fn == engine.Pow && s.DType == shape.Float32 && isRight && hasPower(right))
}

// hasPower reports whether powers of that exponent are products of the number, or of its inverse,
// and of its second and fourth roots, within 4 units in the last place, and none of them overflows
// where the power does not.
func hasPower(exponent float64) bool {
	switch {
	case exponent == 0 || exponent*4 != math.Trunc(exponent*4):
		return false
	case exponent < -1:
		return exponent >= -4 && exponent == math.Trunc(exponent)
	}
	return exponent <= 4
}

// compilePower uses roots where all numbers are finite; infinities that are negative have powers,
// but no roots.
func (p *program) compilePower(dst, x operand, exponent float64) action {
	base, root, half := p.register(shape.Float32), p.register(shape.Float32), p.register(shape.Float32)
	for _, o := range []operand{base, root, half} {
		p.release(o)
	}
	quarters := int(math.Abs(exponent) * 4)
	return func(f *frame) {
		xs, to := floats(f, x), floats(f, dst)
		if s := p.simd.Vec.Sum(xs); s-s != 0 {
			for i, v := range xs {
				to[i] = float32(math.Pow(float64(v), exponent))
			}
			return
		}
		b, r, h := floats(f, base), floats(f, root), floats(f, half)
		if exponent < -1 {
			p.simd.Vec.Map(vec.DivR, b, xs, nil, 1)
		} else {
			p.simd.Vec.Map(vec.MulC, b, xs, nil, 1)
		}
		p.power(to, b, r, h, quarters)
		if -1 <= exponent && exponent < 0 {
			p.simd.Vec.Map(vec.DivR, to, to, nil, 1)
		}
	}
}

// power sets to to b to the power of quarters/4; r and h are memory to use.
func (p *program) power(to, b, r, h []float32, quarters int) {
	have := false // whether to holds a factor
	times := func(v []float32) {
		if have {
			p.simd.Vec.Map(vec.Mul, to, to, v, 0)
		} else {
			copy(to, v)
		}
		have = true
	}
	for range quarters / 4 {
		times(b)
	}
	if quarters%4 != 0 {
		p.simd.Vec.Map(vec.AddC, h, b, nil, 0) // a zero is +0 from here on
		p.simd.Vec.Map(vec.Sqrt, h, h, nil, 0)
	}
	if quarters%4 >= 2 {
		times(h)
	}
	if quarters%2 == 1 {
		p.simd.Vec.Map(vec.Sqrt, r, h, nil, 0)
		times(r)
	}
}

func (p *program) compileCopy(dst, x operand) action {
	type pair struct{ to, from shape.DType }
	switch (pair{dst.dtype, x.dtype}) {
	case pair{x.dtype, x.dtype}:
		return store(dst, x)
	case pair{shape.Bool, shape.Float32}:
		return loop1(dst, x, func(v float32) bool { return v != 0 })
	case pair{shape.Bool, shape.Float64}:
		return loop1(dst, x, func(v float64) bool { return v != 0 })
	case pair{shape.Float32, shape.Bool}:
		return func(f *frame) { p.simd.Vec.Ones(floats(f, dst), view[bool](f, x)) }
	case pair{shape.Float64, shape.Bool}:
		return loop1(dst, x, func(v bool) float64 {
			if v {
				return 1
			}
			return 0
		})
	case pair{shape.Float64, shape.Float32}:
		return loop1(dst, x, func(v float32) float64 { return float64(v) })
	case pair{shape.Float32, shape.Float64}:
		return loop1(dst, x, func(v float64) float32 { return float32(v) })
	}
	if dst.dtype == shape.Float32 {
		return casts[x.dtype].widen(dst, x)
	}
	return casts[dst.dtype].narrow(dst, x)
}

func (p *program) compileComparison(fn engine.Fn, dst operand, args []operand) action {
	x, y := args[0], args[1]
	if fn == engine.Gt || fn == engine.Ge {
		x, y = y, x
	}
	if x.dtype == shape.Float64 {
		return compareDoubles(fn, dst, x, y)
	}
	compare := map[engine.Fn]func(dst []bool, x, y []float32){
		engine.Eq: p.simd.Vec.Equal, engine.Ne: p.simd.Vec.NotEqual,
		engine.Lt: p.simd.Vec.Less, engine.Gt: p.simd.Vec.Less, engine.Le: p.simd.Vec.LessEqual, engine.Ge: p.simd.Vec.LessEqual,
	}[fn]
	return func(f *frame) { compare(view[bool](f, dst), floats(f, x), floats(f, y)) }
}

// compareDoubles compares x and y, which are in the order of less.
func compareDoubles(fn engine.Fn, dst, x, y operand) action {
	switch fn {
	case engine.Eq:
		return loop2(dst, x, y, func(a, b float64) bool { return a == b })
	case engine.Ne:
		return loop2(dst, x, y, func(a, b float64) bool { return a != b })
	case engine.Lt, engine.Gt:
		return loop2(dst, x, y, func(a, b float64) bool { return a < b })
	}
	return loop2(dst, x, y, func(a, b float64) bool { return a <= b })
}

// compileLogic takes eight at a time, each a byte of 0 or 1.
func compileLogic(fn engine.Fn, dst operand, args []operand) action {
	const ones = 0x0101010101010101
	of := map[engine.Fn]func(a, b uint64) uint64{
		engine.Not: func(a, _ uint64) uint64 { return a ^ ones },
		engine.And: func(a, b uint64) uint64 { return a & b },
		engine.Or:  func(a, b uint64) uint64 { return a | b },
		engine.Eq:  func(a, b uint64) uint64 { return a ^ b ^ ones },
		engine.Ne:  func(a, b uint64) uint64 { return a ^ b },
	}[fn]
	x, y := args[0], args[len(args)-1]
	return func(f *frame) {
		to, a, b := bytesOf(f, dst), bytesOf(f, x), bytesOf(f, y)
		for ; len(to) >= 8; to, a, b = to[8:], a[8:], b[8:] {
			binary.NativeEndian.PutUint64(to, of(binary.NativeEndian.Uint64(a), binary.NativeEndian.Uint64(b)))
		}
		for i := range to {
			to[i] = byte(of(uint64(a[i]), uint64(b[i]))) & 1
		}
	}
}

// chooseBools selects eight at a time as well.
func chooseBools(dst operand, args []operand) action {
	return func(f *frame) {
		to, cond, yes, no := bytesOf(f, dst), bytesOf(f, args[0]), bytesOf(f, args[1]), bytesOf(f, args[2])
		for ; len(to) >= 8; to, cond, yes, no = to[8:], cond[8:], yes[8:], no[8:] {
			c, n := binary.NativeEndian.Uint64(cond)*0xff, binary.NativeEndian.Uint64(no)
			binary.NativeEndian.PutUint64(to, n^c&(n^binary.NativeEndian.Uint64(yes)))
		}
		for i := range to {
			to[i] = no[i] ^ -cond[i]&(no[i]^yes[i])
		}
	}
}

func (p *program) choose(dst operand, args []operand) action {
	if dst.dtype == shape.Float64 {
		return func(f *frame) {
			to, cond := view[float64](f, dst), view[bool](f, args[0])
			yes, no := view[float64](f, args[1]), view[float64](f, args[2])
			for i, c := range cond {
				v := no[i]
				if c {
					v = yes[i]
				}
				to[i] = v
			}
		}
	}
	return func(f *frame) {
		p.simd.Vec.Choose(floats(f, dst), view[bool](f, args[0]), floats(f, args[1]), floats(f, args[2]))
	}
}

func loop1[A, R shape.Elem](dst, x operand, fn func(A) R) action {
	return func(f *frame) {
		to := view[R](f, dst)
		for i, v := range view[A](f, x) {
			to[i] = fn(v)
		}
	}
}

func loop2[A, R shape.Elem](dst, x, y operand, fn func(a, b A) R) action {
	return func(f *frame) {
		to, b := view[R](f, dst), view[A](f, y)
		for i, v := range view[A](f, x) {
			to[i] = fn(v, b[i])
		}
	}
}
