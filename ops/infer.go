package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// valid reports whether the types of xs may be looked at: none is nil, invalid or of another
// graph than the first. Where it does not, Apply of [unbuilt] says what has to be said.
func valid(xs ...*graph.Node) bool {
	for _, x := range xs {
		if x == nil || !x.Valid() || x.Graph() != xs[0].Graph() {
			return false
		}
	}
	return true
}

// unbuilt is the op of a function whose inputs are not [valid]: Apply reports what is nil or of
// another graph, and is silent about what is invalid.
type unbuilt string

func (u unbuilt) Name() string                         { return string(u) }
func (unbuilt) Infer([]shape.Type) (shape.Type, error) { return shape.Type{}, nil }

// refused is nil where the inputs of the function of that name are [valid] and check, which may
// look at their types, is content. Otherwise it is the function's invalid node.
func refused(name string, check func() error, xs ...*graph.Node) *graph.Node {
	if !valid(xs...) {
		return graph.Apply(unbuilt(name), xs...)
	}
	if err := check(); err != nil {
		return xs[0].Graph().Reject(name, err, xs...)
	}
	return nil
}

// refusedUnlessFloat is [refused] for a function of one floating-point x and attributes, which
// must be finite.
func refusedUnlessFloat(name string, x *graph.Node, attrs ...float64) *graph.Node {
	return refused(name, func() error {
		for _, a := range attrs {
			if math.IsNaN(a) || math.IsInf(a, 0) {
				return fmt.Errorf("an attribute is %v; want a finite number", a)
			}
		}
		return wantFloat(x.Type())
	}, x)
}

// domain is a set of element types.
type domain struct {
	name string
	has  func(shape.DType) bool
}

var (
	floating  = domain{"float32 or float64", shape.DType.IsFloat}
	integers  = domain{"integers", shape.DType.IsInt}
	number    = domain{"a number", shape.DType.HasArithmetic}
	signed    = domain{"a signed number", func(d shape.DType) bool { return d.HasArithmetic() && d.Holds(-1) }}
	boolean   = domain{"bool", func(d shape.DType) bool { return d == shape.Bool }}
	equatable = domain{"a number or bool", func(d shape.DType) bool { return d.HasArithmetic() || d == shape.Bool }}
)

// admits refuses a type outside the domain. The error begins with what, such as "ids are", and of
// a type of storage it says to cast.
func (d domain) admits(what string, t shape.Type) error {
	switch {
	case d.has(t.DType):
		return nil
	case t.IsStorage():
		return fmt.Errorf("%s %v, which is only stored, moved and cast; want %s: Cast it first", what, t, d.name)
	}
	return fmt.Errorf("%s %v; want %s", what, t, d.name)
}

// check refuses inputs outside the domain, and inputs of different element types.
func (d domain) check(in ...shape.Type) error {
	for i, t := range in {
		if err := d.admits(fmt.Sprintf("input %d is", i), t); err != nil {
			return err
		}
		if t.DType != in[0].DType {
			return fmt.Errorf("inputs are %v and %v; want one element type, see Cast", in[0].DType, t.DType)
		}
	}
	return nil
}

// inFloat32 returns f of an adjoint. Where ops do not compute with its type, f is of the adjoint
// in float32, and its result is rounded to the type, once.
func inFloat32(dy *graph.Node, f func(dy *graph.Node) *graph.Node) *graph.Node {
	d := dy.Type().DType
	if d.HasArithmetic() {
		return f(dy)
	}
	return Cast(f(Cast(dy, shape.Float32)), d)
}

// spreadBack is the adjoint of what was broadcast from shape s.
func spreadBack(dy *graph.Node, s shape.Shape) *graph.Node {
	if dy.Valid() && dy.Type().Shape == s {
		return dy
	}
	return inFloat32(dy, func(dy *graph.Node) *graph.Node { return SumTo(dy, s) })
}

func wantFloat(in ...shape.Type) error { return floating.check(in...) }

// sameType refuses inputs that are not of one type.
func sameType(a, b shape.Type) error {
	if a != b {
		return fmt.Errorf("inputs are %v and %v; want one type", a, b)
	}
	return nil
}

// broadcast returns the shape that the inputs spread to. It refuses to meet every example with every
// other where that follows from a missing axis alone: (N,1) and (N) are a mistake, (N,1) and (1,N) are not.
func broadcast(in ...shape.Type) (s shape.Shape, err error) {
	for _, t := range in {
		if s, err = shape.Broadcast(s, t.Shape); err != nil {
			return s, err
		}
	}
	for _, t := range in {
		for _, other := range in {
			if crosses(t.Shape, other.Shape) {
				return s, fmt.Errorf("%v and %v would spread to %v, every example with every other; give both one shape, or %v the axes that it lacks, by Reshape, if that is meant",
					t.Shape, other.Shape, s, t.Shape)
			}
		}
	}
	return s, nil
}

// crosses reports whether an axis of s that depends on N meets, for want of leading axes, one of extent 1
// in other, of which another axis depends on N.
func crosses(s, other shape.Shape) bool {
	missing := other.Rank() - s.Rank()
	if missing <= 0 {
		return false
	}
	for i := range s.Rank() {
		if symbolic(s.Dim(i)) && !symbolic(other.Dim(i+missing)) {
			for k := range other.Rank() {
				if symbolic(other.Dim(k)) {
					return true
				}
			}
		}
	}
	return false
}

func symbolic(d shape.Dim) bool {
	_, known := d.Int()
	return !known
}

// axesOf is the set of the given axes of s, all of them where none is given.
func axesOf(s shape.Shape, axes []int) (set engine.Axes, err error) {
	marked, err := axisSet(s.Rank(), axes)
	for i, m := range marked {
		if m || len(axes) == 0 {
			set |= engine.AxesOf(i)
		}
	}
	return set, err
}

// representable refuses a number that elements of type d cannot be. Floating-point types
// take every number, rounded.
func representable(d shape.DType, v float64) error {
	if d.Holds(v) {
		return nil
	}
	return fmt.Errorf("%v is no %v", v, d)
}

// uniform returns the number that every element of x is, where that is known while the
// graph is built and [Full] could say it: a Const of Bool may hold 5, which stands for true.
func uniform(x *graph.Node) (float64, bool) {
	if op, ok := x.Op().(fullOp); ok {
		return op.Value.Value(), true
	}
	if v := x.Values(); len(v) == 1 && representable(x.Type().DType, v[0]) == nil {
		return v[0], true
	}
	return 0, false
}

// isUniform reports whether every element of x is v, the sign of a floating-point zero
// included.
func isUniform(x *graph.Node, v float64) bool {
	u, ok := uniform(x)
	return ok && u == v && (x.Type().IsInt() || math.Signbit(u) == math.Signbit(v))
}
