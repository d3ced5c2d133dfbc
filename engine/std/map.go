package std

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Functions of the tensor library, on one tensor or on two. They are asked to write the result to a
// given tensor.
type (
	unary  = func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error)
	binary = func(a, b tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error)
)

// wrong32 lists the functions that the library gets wrong in float32: pow(x, y) is NaN for some x
// that are 0 or infinite.
var wrong32 = map[engine.Fn]bool{engine.Pow: true}

// unaryOf returns the method of e for f, or nil. There is none for the exponential and the logarithm:
// in float32 exp has an error of 50 units in the last place; in float64 it overflows too early, and
// in both log fails for denormals.
func unaryOf(e tensor.Engine, f engine.Fn) unary {
	switch f {
	case engine.Neg:
		if e, ok := e.(tensor.Neger); ok {
			return e.Neg
		}
	case engine.Abs:
		if e, ok := e.(tensor.Abser); ok {
			return e.Abs
		}
	case engine.Sign:
		if e, ok := e.(tensor.Signer); ok {
			return e.Sign
		}
	case engine.Sqrt:
		if e, ok := e.(tensor.Sqrter); ok {
			return e.Sqrt
		}
	case engine.Tanh:
		if e, ok := e.(tensor.Tanher); ok {
			return e.Tanh
		}
	}
	return nil
}

// binaryOf returns the method of e for f, or nil.
func binaryOf(e tensor.Engine, f engine.Fn) binary {
	switch f {
	case engine.Add:
		if e, ok := e.(tensor.Adder); ok {
			return e.Add
		}
	case engine.Sub:
		if e, ok := e.(tensor.Suber); ok {
			return e.Sub
		}
	case engine.Mul:
		if e, ok := e.(tensor.Muler); ok {
			return e.Mul
		}
	case engine.Div:
		if e, ok := e.(tensor.Diver); ok {
			return e.Div
		}
	case engine.Pow:
		if e, ok := e.(tensor.Power); ok {
			return e.Pow
		}
	}
	return nil
}

// BindMap implements [engine.Mapper]: a map of one function uses the library if the inputs have the
// type of the result.
func (e Engine) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	if err != nil || len(m.Steps) != 1 || len(m.Outs) != 1 || !e.computes(out[0].Type) {
		return b, err
	}
	s, args := m.Steps[0], make([]int, m.Steps[0].Fn.Arity())
	if s.DType == shape.Float32 && wrong32[s.Fn] {
		return b, nil
	}
	for k := range args {
		i, ok := s.Args[k].Input()
		if !ok || in[i] != out[0] {
			return b, nil
		}
		args[k] = i
	}
	var run func(c *engine.Call, y *tensor.Dense) (tensor.Tensor, error)
	n := out[0].Len()
	switch one, two := unaryOf(e.of, s.Fn), binaryOf(e.of, s.Fn); {
	case one != nil:
		run = func(c *engine.Call, y *tensor.Dense) (tensor.Tensor, error) {
			return one(e.dense(c.In[args[0]], 0, n), tensor.WithReuse(y))
		}
	case two != nil:
		run = func(c *engine.Call, y *tensor.Dense) (tensor.Tensor, error) {
			return two(e.dense(c.In[args[0]], 0, n), e.dense(c.In[args[1]], 0, n), tensor.WithReuse(y))
		}
	default:
		return b, nil
	}
	return engine.Bound{
		By: name,
		// Engines may copy the first argument to the result before they read the second.
		InPlace: []engine.Overwrite{{Out: 0, In: args[0]}},
		Scratch: b.Scratch,
		Kernel: func(c *engine.Call) error {
			y := e.dense(c.Out[0], 0, n)
			r, err := run(c, y)
			if err != nil {
				return b.Kernel(c) // e.g. an engine that has the method, but not for this type
			}
			if d, ok := r.(*tensor.Dense); ok && d != y {
				return tensor.Copy(y, d)
			}
			return nil
		},
	}, nil
}
