package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// chain is a map that changes its input 0 in place, step by step: most maps behind a convolution are
// one, such as a sum with another tensor and a ReLU. It needs no registers, and goes over longer
// pieces than a program.
type chain []link

// link computes op of what is there and a constant, or an input.
type link struct {
	op    vec.Op
	left  int // input that comes first, or here
	right int
	c     float32
}

// here stands for the value so far.
const here = 0

// chainPiece is how many elements are computed at a time: they stay in the first-level cache.
const chainPiece = 4096

// chainOf returns m as a chain, or false if it is none. The inputs have types in.
func chainOf(m engine.Map, in []shape.Type) (c chain, ok bool) {
	if len(m.Outs) != 1 || m.Outs[0] != len(m.Steps)-1 {
		return nil, false
	}
	for _, t := range in {
		if t.DType != shape.Float32 || t.Shape != in[0].Shape {
			return nil, false
		}
	}
	so := engine.In(0)
	for i, s := range m.Steps {
		l, ok := linkOf(s, so)
		if !ok || s.DType != shape.Float32 {
			return nil, false
		}
		c = append(c, l)
		so = engine.Res(i)
	}
	return c, true
}

// linkOf returns step s as a link, whose value so far is the argument so.
func linkOf(s engine.Step, so engine.Arg) (l link, ok bool) {
	if s.Fn.Arity() == 1 {
		l.op, ok = unaryOps[s.Fn]
		return l, ok && s.Args[0] == so
	}
	ops, ok := binaryOps[s.Fn]
	if !ok {
		return l, false
	}
	left, isLeft := s.Args[0].Number()
	right, isRight := s.Args[1].Number()
	switch {
	case s.Args[0] == so && isRight && s.Fn == engine.Sub:
		return link{op: ops.right, c: -float32(right)}, true
	case s.Args[0] == so && isRight:
		return link{op: ops.right, c: float32(right)}, true
	case s.Args[1] == so && isLeft:
		return link{op: ops.left, c: float32(left)}, true
	}
	l.op = ops.both
	a, aOK := operandOf(s.Args[0], so)
	b, bOK := operandOf(s.Args[1], so)
	l.left, l.right = a, b
	return l, aOK && bOK && (s.Args[0] == so || s.Args[1] == so)
}

// operandOf returns the input that an argument is, or here for the value so far. Input 0 is read only
// as that.
func operandOf(a, so engine.Arg) (input int, ok bool) {
	if a == so {
		return here, true
	}
	i, ok := a.Input()
	return i, ok && i != 0
}

// run computes elements from to to of the output of c.
func (ch chain) run(k *vec.Kernels, c *engine.Call, from, to int) {
	for ; from < to; from += chainPiece {
		n := min(chainPiece, to-from)
		y := piece32(c.Out[0], from, n)
		for _, l := range ch {
			a, b := y, y
			if l.left != here {
				a = piece32(c.In[l.left], from, n)
			}
			if l.right != here {
				b = piece32(c.In[l.right], from, n)
			}
			k.Map(l.op, y, a, b, l.c)
		}
	}
}

func piece32(b engine.Buffer, at, n int) []float32 { return engine.Slice[float32](b)[at : at+n] }
