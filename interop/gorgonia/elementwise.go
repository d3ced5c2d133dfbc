package gorgonia

import (
	"reflect"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A function lowers one scalar function of a map.
type function struct {
	lower func(c *call, x ...*G.Node) *G.Node
	any   bool // takes integers and Bools as well
	flat  bool // its derivative is 0 everywhere
	picks bool // its first argument chooses only; the derivative by that is 0
}

// functions has a row for every scalar function that gorgonia computes; others go onto kernels of ref.
var functions = [engine.NumFns]function{
	engine.Copy:    {lower: identity, any: true},
	engine.Neg:     {lower: unary(G.Neg)},
	engine.Abs:     {lower: abs},
	engine.Sign:    {lower: sign, flat: true},
	engine.Exp:     {lower: unary(G.Exp)},
	engine.Log:     {lower: unary(G.Log)},
	engine.Log1p:   {lower: unary(G.Log1p)},
	engine.Expm1:   {lower: unary(G.Expm1)},
	engine.Sqrt:    {lower: unary(G.Sqrt)},
	engine.Sin:     {lower: unary(G.Sin)},
	engine.Cos:     {lower: unary(G.Cos)},
	engine.Tanh:    {lower: unary(G.Tanh)},
	engine.Sigmoid: {lower: unary(G.Sigmoid)},
	engine.Erf:     {lower: erf},
	engine.Floor:   {lower: unary(G.Floor), flat: true},
	engine.Not:     {lower: not, any: true, flat: true},

	engine.Add:      {lower: binary(G.Add)},
	engine.Sub:      {lower: binary(G.Sub)},
	engine.Mul:      {lower: binary(G.HadamardProd)},
	engine.Div:      {lower: binary(G.HadamardDiv)},
	engine.Pow:      {lower: binary(G.Pow)},
	engine.Max:      {lower: extreme(G.Gt)},
	engine.Min:      {lower: extreme(G.Lt)},
	engine.ReLUGrad: {lower: reluGrad, picks: true},
	engine.Eq:       {lower: binary(comparison(G.Eq)), any: true, flat: true},
	engine.Ne:       {lower: binary(comparison(G.Ne)), any: true, flat: true},
	engine.Lt:       {lower: binary(comparison(G.Lt)), any: true, flat: true},
	engine.Le:       {lower: binary(comparison(G.Lte)), any: true, flat: true},
	engine.Gt:       {lower: binary(comparison(G.Gt)), any: true, flat: true},
	engine.Ge:       {lower: binary(comparison(G.Gte)), any: true, flat: true},
	engine.And:      {lower: binary(G.HadamardProd), any: true, flat: true},
	engine.Or:       {lower: or, any: true, flat: true},

	engine.Select: {lower: choose, any: true, picks: true},
}

// fits reports whether gorgonia can compute the steps of a map: most functions only in floating
// point, and no conversion that rounds or wraps around.
func fits(m engine.Map, in []shape.Type) bool {
	for _, s := range m.Steps {
		for _, a := range s.Args[:s.Fn.Arity()] {
			from := m.ArgType(s, a, in)
			switch {
			case s.Fn == engine.Copy && s.DType.IsInt() && from != s.DType && from != shape.Bool:
				return false
			case functions[s.Fn].lower == nil, !functions[s.Fn].any && !from.IsFloat():
				return false
			}
		}
	}
	return true
}

// elementwise lowers a map that fits, step by step.
func (c *call) elementwise(m engine.Map) *G.Node {
	in := c.inTypes(c.node)
	steps := make([]*G.Node, len(m.Steps))
	for i, s := range m.Steps {
		args := make([]*G.Node, s.Fn.Arity())
		for k, a := range s.Args[:len(args)] {
			args[k] = c.argument(a, steps)
		}
		if s.Fn == engine.Copy {
			steps[i] = c.cast(args[0], m.ArgType(s, s.Args[0], in), s.DType)
			continue
		}
		steps[i] = functions[s.Fn].lower(c, args...)
	}
	return c.expand(steps[m.Outs[0]], c.dims(c.node))
}

// argument is what a step of a map reads.
func (c *call) argument(a engine.Arg, steps []*G.Node) *G.Node {
	if i, ok := a.Input(); ok {
		return c.in[i]
	}
	if i, ok := a.Step(); ok {
		return steps[i]
	}
	v, _ := a.Number()
	return c.scalar(v)
}

// passes reports the inputs of a map that its gradient reaches.
func passes(m engine.Map, inputs int) []bool {
	in, reached := make([]bool, inputs), make([]bool, len(m.Steps))
	reached[m.Outs[0]] = true
	for i := len(m.Steps) - 1; i >= 0; i-- {
		s := m.Steps[i]
		if !reached[i] || functions[s.Fn].flat {
			continue
		}
		for k, a := range s.Args[:s.Fn.Arity()] {
			if k == 0 && functions[s.Fn].picks {
				continue
			}
			if k, ok := a.Input(); ok {
				in[k] = true
			}
			if k, ok := a.Step(); ok {
				reached[k] = true
			}
		}
	}
	return in
}

// Comparisons of gorgonia are asked for their result in the operands' type, 0 or 1. Without
// that they are of another type, but equal to gorgonia.
const sameType = true

type (
	unaryFn   = func(x *G.Node) (*G.Node, error)
	binaryFn  = func(a, b *G.Node) (*G.Node, error)
	compareFn = func(a, b *G.Node, sameType bool) (*G.Node, error)
	lowerFn   = func(c *call, x ...*G.Node) *G.Node
)

func unary(f unaryFn) lowerFn {
	return func(c *call, x ...*G.Node) *G.Node { return c.one(f, x[0]) }
}

func binary(f binaryFn) lowerFn {
	return func(c *call, x ...*G.Node) *G.Node { return c.broadcast(f, x[0], x[1]) }
}

func comparison(f compareFn) binaryFn {
	return func(a, b *G.Node) (*G.Node, error) { return f(a, b, sameType) }
}

var (
	greater = comparison(G.Gt)
	less    = comparison(G.Lt)
	equal   = comparison(G.Eq)
)

func identity(_ *call, x ...*G.Node) *G.Node { return x[0] }

// sign is 1 where x > 0, less 1 where x < 0: gorgonia takes the sign bit, also of zeros.
func sign(c *call, x ...*G.Node) *G.Node {
	zero := c.scalar(0)
	return c.two(G.Sub, c.two(greater, x[0], zero), c.two(less, x[0], zero))
}

// abs is x times its sign, so that its derivative at 0 is 0; gorgonia's is 1 there for scalars.
func abs(c *call, x ...*G.Node) *G.Node { return c.two(G.HadamardProd, x[0], sign(c, x[0])) }

func erf(c *call, x ...*G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(c.erfOp(x[0]), x[0])
}

// extreme picks the operand that wins over the other. Of equal ones it takes half of each, so
// that the gradient is shared; where one is NaN, their sum is.
func extreme(wins compareFn) lowerFn {
	return func(c *call, x ...*G.Node) *G.Node {
		a, b := c.alike(x[0], x[1])
		half := func(x *G.Node) *G.Node { return c.two(G.HadamardProd, x, c.scalar(.5)) }
		unordered := c.two(G.Add, a, b)
		y := c.where(c.two(comparison(wins), b, a), b, unordered)
		y = c.where(c.two(comparison(wins), a, b), a, y)
		return c.where(c.two(equal, a, b), c.two(G.Add, half(a), half(b)), y)
	}
}

// alike repeats a and b until both have the extents that they spread to.
func (c *call) alike(a, b *G.Node) (*G.Node, *G.Node) {
	if c.err != nil {
		return nil, nil
	}
	dims := spread(a.Shape(), b.Shape())
	return c.expand(a, dims), c.expand(b, dims)
}

func or(c *call, x ...*G.Node) *G.Node {
	return c.two(greater, c.broadcast(G.Add, x[0], x[1]), c.scalar(0))
}

func not(c *call, x ...*G.Node) *G.Node { return c.two(equal, x[0], c.scalar(0)) }

func choose(c *call, x ...*G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	dims := spread(spread(x[0].Shape(), x[1].Shape()), x[2].Shape())
	return c.where(c.expand(x[0], dims), c.expand(x[1], dims), c.expand(x[2], dims))
}

// reluGrad is 0 where y is at most 0, and dy elsewhere.
func reluGrad(c *call, x ...*G.Node) *G.Node {
	y, dy := c.alike(x[0], x[1])
	stopped := c.two(comparison(G.Lte), y, c.scalar(0))
	return c.where(stopped, c.two(G.HadamardProd, stopped, c.scalar(0)), dy)
}

func (c *call) where(cond, a, b *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(whereOp(cond, a, b), cond, a, b)
}

// cast has little to do: gorgonia holds numbers of every type as floating point.
func (c *call) cast(x *G.Node, from, to shape.DType) *G.Node {
	if to == shape.Bool && from != to {
		return c.two(comparison(G.Ne), x, c.scalar(0))
	}
	return x
}

// ---- ops whose maps have other derivatives, at single points, than the ops

// attribute is a number that an op keeps in the field of that name. The types of some ops
// are not exported; their fields are.
func (c *call) attribute(name string) float64 {
	return field[graph.Bits](c, name).Value()
}

// field is the attribute of an op in the field of that name.
func field[T any](c *call, name string) T {
	return reflect.ValueOf(c.node.Op()).FieldByName(name).Interface().(T)
}

// relu is x times whether it is positive. gorgonia's Rectify asks for >= and has the
// derivative 1 at 0.
func relu(c *call) *G.Node {
	return c.two(G.HadamardProd, c.in[0], c.two(greater, c.in[0], c.scalar(0)))
}

func leakyReLU(c *call) *G.Node {
	x := c.in[0]
	positive := c.two(greater, x, c.scalar(0))
	return c.where(positive, x, c.two(G.HadamardProd, x, c.scalar(c.attribute("Alpha"))))
}

func softplus(c *call) *G.Node { return c.one(G.Softplus, c.in[0]) }

func clip(c *call) *G.Node {
	x, dims := c.in[0], c.dims(c.node)
	lo, hi := c.attribute("Lo"), c.attribute("Hi")
	y := c.where(c.two(greater, x, c.scalar(hi)), c.fill(dims, hi), x)
	return c.where(c.two(less, x, c.scalar(lo)), c.fill(dims, lo), y)
}

func same(c *call) *G.Node { return c.in[0] }
