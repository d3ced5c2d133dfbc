package gorgonia

import (
	"reflect"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/graph"
)

// Comparisons of gorgonia are asked for their result in the operands' type, 0 or 1. Without
// that they are of another type, but equal to gorgonia.
const sameType = true

type (
	unaryFn   = func(x *G.Node) (*G.Node, error)
	binaryFn  = func(a, b *G.Node) (*G.Node, error)
	compareFn = func(a, b *G.Node, sameType bool) (*G.Node, error)
)

func unary(f unaryFn) func(*call) *G.Node {
	return func(c *call) *G.Node { return c.one(f, c.in[0]) }
}

func binary(f binaryFn) func(*call) *G.Node {
	return func(c *call) *G.Node { return c.broadcast(f, c.in[0], c.in[1]) }
}

func predicate(f compareFn) func(*call) *G.Node { return binary(comparison(f)) }

func comparison(f compareFn) binaryFn {
	return func(a, b *G.Node) (*G.Node, error) { return f(a, b, sameType) }
}

var (
	greater = comparison(G.Gt)
	less    = comparison(G.Lt)
	equal   = comparison(G.Eq)
)

// attribute is a number that an op keeps in the field of that name. The types of some ops
// are not exported; their fields are.
func (c *call) attribute(name string) float64 {
	return reflect.ValueOf(c.node.Op()).FieldByName(name).Interface().(graph.Bits).Value()
}

// sign is 1 where x > 0, less 1 where x < 0: gorgonia takes the sign bit, also of zeros.
func sign(c *call) *G.Node {
	x, zero := c.in[0], c.scalar(0)
	return c.two(G.Sub, c.two(greater, x, zero), c.two(less, x, zero))
}

// abs is x times its sign, so that its derivative at 0 is 0; gorgonia's is 1 there for scalars.
func abs(c *call) *G.Node { return c.two(G.HadamardProd, c.in[0], sign(c)) }

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

func clip(c *call) *G.Node {
	x, dims := c.in[0], c.dims(c.node)
	lo, hi := c.attribute("Lo"), c.attribute("Hi")
	y := c.where(c.two(greater, x, c.scalar(hi)), c.fill(dims, hi), x)
	return c.where(c.two(less, x, c.scalar(lo)), c.fill(dims, lo), y)
}

// extreme picks the operand that wins over the other. Of equal ones it takes half of each, so
// that the gradient is shared; where one is NaN, their sum is.
func extreme(wins compareFn) func(*call) *G.Node {
	return func(c *call) *G.Node {
		dims := c.dims(c.node)
		a, b := c.expand(c.in[0], dims), c.expand(c.in[1], dims)
		half := func(x *G.Node) *G.Node { return c.two(G.HadamardProd, x, c.scalar(.5)) }
		unordered := c.two(G.Add, a, b)
		y := c.where(c.two(comparison(wins), b, a), b, unordered)
		y = c.where(c.two(comparison(wins), a, b), a, y)
		return c.where(c.two(equal, a, b), c.two(G.Add, half(a), half(b)), y)
	}
}

func or(c *call) *G.Node {
	return c.two(greater, c.broadcast(G.Add, c.in[0], c.in[1]), c.scalar(0))
}

func not(c *call) *G.Node { return c.two(equal, c.in[0], c.scalar(0)) }

func choose(c *call) *G.Node {
	dims := c.dims(c.node)
	return c.where(c.expand(c.in[0], dims), c.expand(c.in[1], dims), c.expand(c.in[2], dims))
}

func (c *call) where(cond, a, b *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(whereOp(cond, a, b), cond, a, b)
}

// cast has little to do: whatever the type, gorgonia holds the number as floating point.
func cast(c *call) *G.Node {
	from, to := c.node.In(0).Type(), c.node.Type()
	switch {
	case from.DType == to.DType, to.IsFloat():
		return c.in[0]
	case to.IsInt():
		return c.fail("a cast from %v to %v would have to round or wrap around, for which gorgonia has no op", from.DType, to.DType)
	}
	return c.two(comparison(G.Ne), c.in[0], c.scalar(0))
}

func same(c *call) *G.Node { return c.in[0] }

func stopGradient(c *call) *G.Node { return c.custom(stopOp(c.in[0]), c.in[0]) }
