package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// valid reports whether the types of xs can be used: none is nil, invalid or in another graph than
// the first. If it is false, apply [unbuilt], which reports what is wrong.
func valid(xs ...*graph.Node) bool {
	for _, x := range xs {
		if x == nil || !x.Valid() || x.Graph() != xs[0].Graph() {
			return false
		}
	}
	return true
}

// unbuilt is the op of a function whose inputs are not [valid]. Applying it reports inputs that are
// nil or in another graph, and nothing for invalid ones.
type unbuilt string

func (u unbuilt) Name() string                         { return string(u) }
func (unbuilt) Infer([]shape.Type) (shape.Type, error) { return shape.Type{}, nil }

// refused returns nil if the inputs of the function called name are [valid] and check, which may
// use their types, returns nil. Otherwise it returns an invalid node of that function.
func refused(name string, check func() error, xs ...*graph.Node) *graph.Node {
	if !valid(xs...) {
		return graph.Apply(unbuilt(name), xs...)
	}
	if err := check(); err != nil {
		return xs[0].Graph().Reject(name, err, xs...)
	}
	return nil
}

// refusedUnlessFloat is [refused] for a function of one floating-point x, and attributes that must
// be finite.
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

// admits rejects a type outside the domain. The error begins with what, such as "ids are", and of
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

// check rejects inputs outside the domain, and inputs of different element types.
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

// sameType rejects inputs that do not have the same type.
func sameType(a, b shape.Type) error {
	if a != b {
		return fmt.Errorf("inputs are %v and %v; want one type", a, b)
	}
	return nil
}

// broadcast returns the shape that the inputs broadcast to. It rejects combining every example with
// every other if that happens only because an axis is missing: (N,1) and (N) are an error, (N,1)
// and (1,N) are not.
func broadcast(in ...shape.Type) (s shape.Shape, err error) {
	for _, t := range in {
		if s, err = shape.Broadcast(s, t.Shape); err != nil {
			return s, err
		}
	}
	for _, t := range in {
		for _, other := range in {
			if crosses(t.Shape, other.Shape) {
				return s, fmt.Errorf("%v and %v would broadcast to %v, every example with every other; give both the same shape or, if that is intended, add the missing axes of %v with Reshape",
					t.Shape, other.Shape, s, t.Shape)
			}
		}
	}
	return s, nil
}

// crosses reports whether an axis of s that depends on N meets, because leading axes are missing,
// an axis of extent 1 in other, while another axis of other depends on N.
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

// axesOf returns the given axes of s as a set; if none is given, all of them.
func axesOf(s shape.Shape, axes []int) (set engine.Axes, err error) {
	marked, err := axisSet(s.Rank(), axes)
	for i, m := range marked {
		if m || len(axes) == 0 {
			set |= engine.AxesOf(i)
		}
	}
	return set, err
}

// representable returns an error if v is not a value of type d. Floating-point types accept every
// number and round it.
func representable(d shape.DType, v float64) error {
	if d.Holds(v) {
		return nil
	}
	return fmt.Errorf("%v is not a valid %v", v, d)
}

// uniform returns the value of all elements of x, if it is known while the graph is built and
// [Full] accepts it: a Const of Bool may hold 5, which means true.
func uniform(x *graph.Node) (float64, bool) {
	if op, ok := x.Op().(fullOp); ok {
		return op.Value.Value(), true
	}
	if v := x.Values(); len(v) == 1 && representable(x.Type().DType, v[0]) == nil {
		return v[0], true
	}
	return 0, false
}

// isUniform reports whether every element of x is v, including the sign of a floating-point zero.
func isUniform(x *graph.Node, v float64) bool {
	u, ok := uniform(x)
	return ok && u == v && (x.Type().IsInt() || math.Signbit(u) == math.Signbit(v))
}
