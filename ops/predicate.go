package ops

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// predicate is a function of arguments that broadcast, with a Bool result; an index into
// predicates.
type predicate uint8

const (
	equal predicate = iota
	notEqual
	less
	lessEqual
	greater
	greaterEqual
	and
	or
	not
)

var predicates = [...]struct {
	name string
	fn   engine.Fn
	of   domain
}{
	equal:        {"Equal", engine.Eq, equatable},
	notEqual:     {"NotEqual", engine.Ne, equatable},
	less:         {"Less", engine.Lt, number},
	lessEqual:    {"LessEqual", engine.Le, number},
	greater:      {"Greater", engine.Gt, number},
	greaterEqual: {"GreaterEqual", engine.Ge, number},
	and:          {"And", engine.And, boolean},
	or:           {"Or", engine.Or, boolean},
	not:          {"Not", engine.Not, boolean},
}

// Equal returns a == b, a Bool. NaN is not equal to anything.
func Equal(a, b *graph.Node) *graph.Node { return graph.Apply(equal, a, b) }

// NotEqual returns a != b, a Bool.
func NotEqual(a, b *graph.Node) *graph.Node { return graph.Apply(notEqual, a, b) }

// Less returns a < b, a Bool.
func Less(a, b *graph.Node) *graph.Node { return graph.Apply(less, a, b) }

// LessEqual returns a <= b, a Bool.
func LessEqual(a, b *graph.Node) *graph.Node { return graph.Apply(lessEqual, a, b) }

// Greater returns a > b, a Bool.
func Greater(a, b *graph.Node) *graph.Node { return graph.Apply(greater, a, b) }

// GreaterEqual returns a >= b, a Bool.
func GreaterEqual(a, b *graph.Node) *graph.Node { return graph.Apply(greaterEqual, a, b) }

// And returns a && b for Bools.
func And(a, b *graph.Node) *graph.Node { return graph.Apply(and, a, b) }

// Or returns a || b for Bools.
func Or(a, b *graph.Node) *graph.Node { return graph.Apply(or, a, b) }

// Not returns !a for a Bool.
func Not(a *graph.Node) *graph.Node { return graph.Apply(not, a) }

// Xor returns a != b for Bools.
func Xor(a, b *graph.Node) *graph.Node {
	bad := refused("Xor", func() error {
		_, err := and.Infer([]shape.Type{a.Type(), b.Type()})
		return err
	}, a, b)
	if bad != nil {
		return bad
	}
	return NotEqual(a, b)
}

// IsNaN returns whether x, of floating point, is NaN, a Bool.
func IsNaN(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("IsNaN", x); bad != nil {
		return bad
	}
	return NotEqual(x, x)
}

// IsInf returns whether x, of floating point, is infinite, a Bool. For infinities of one sign, compare
// with [Scalar].
func IsInf(x *graph.Node) *graph.Node {
	if bad := refusedUnlessFloat("IsInf", x); bad != nil {
		return bad
	}
	return Equal(Abs(x), Scalar(x, math.Inf(1)))
}

func (op predicate) Name() string { return predicates[op].name }

func (op predicate) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, predicates[op].fn.Arity()); err != nil {
		return t, err
	}
	if err := predicates[op].of.check(in...); err != nil {
		return t, err
	}
	s, err := broadcast(in...)
	return shape.Type{DType: shape.Bool, Shape: s}, err
}

func (predicate) NotDifferentiable() string { return "its result is true or false" }

func (op predicate) Map([]shape.Type, shape.Type) engine.Map {
	fn := predicates[op].fn
	args := []engine.Arg{engine.In(0), engine.In(1)}
	return engine.MapOf(fn, shape.Bool, args[:fn.Arity()]...)
}

// Simplify drops a double negation.
func (op predicate) Simplify(n *graph.Node) *graph.Node {
	if x := n.In(0); op == not && x.Op() == graph.Op(not) {
		return x.In(0)
	}
	return nil
}
