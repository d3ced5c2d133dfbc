package nn

import (
	"errors"
	"strconv"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// A Layer is a model or a part of one. Layers are plain values without weights.
type Layer interface {
	// Apply returns the layer's result for x, and makes the layer's parameters in s.
	Apply(s Scope, x *graph.Node) *graph.Node
}

// A Labeled layer has a name of its own, which its Apply enters. Containers such as [Sequential]
// number layers that are not Labeled or whose name is empty.
type Labeled interface{ Label() string }

// label returns the name of l, or "".
func label(l Layer) string {
	if n, ok := l.(Labeled); ok {
		return n.Label()
	}
	return ""
}

// Func is a layer without parameters.
type Func func(x *graph.Node) *graph.Node

// Apply returns f(x).
func (f Func) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node {
		if f == nil {
			return s.g.Reject("Func", errors.New("the Func is nil"), x)
		}
		return f(x)
	})
}

// Sequential applies its layers one after the other. The name of a layer without a name of its own
// is its index, as in "0.weight".
type Sequential []Layer

// Apply returns the result of the last layer, or x if the Sequential is empty.
func (l Sequential) Apply(s Scope, x *graph.Node) *graph.Node {
	for i, child := range l {
		x = apply(child, s, strconv.Itoa(i), x)
	}
	return x
}

// apply applies l in s or, if l has no name of its own, in the scope called name within s.
func apply(l Layer, s Scope, name string, x *graph.Node) *graph.Node {
	own := label(l)
	switch {
	case l == nil:
		return s.Within(name, x, func(s Scope) *graph.Node {
			return s.g.Reject("Layer", errors.New("the layer is nil"), x)
		})
	case own == "":
		return s.Within(name, x, func(s Scope) *graph.Node { return l.Apply(s, x) })
	}
	if y := l.Apply(s, x); y != nil {
		return y
	}
	return s.Within(own, x, func(Scope) *graph.Node { return nil }) // Within reports the mistake
}

type named struct {
	name  string
	layer Layer
}

// Named gives a layer a name: the parameters of Named("features", l) are called
// "features.0.weight" and so on.
func Named(name string, l Layer) Layer { return named{name, l} }

func (l named) Label() string { return l.name }

func (l named) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.name, x, func(s Scope) *graph.Node { return apply(l.layer, s, "", x) })
}

// Frozen is Layer with parameters that are not trained. Its running statistics are still updated,
// unless it is an [Eval]. [Scope.FreezeWhere] freezes by name.
type Frozen struct{ Layer Layer }

// Label returns the name of the inner layer.
func (l Frozen) Label() string { return label(l.Layer) }

// Apply applies the inner layer to x.
func (l Frozen) Apply(s Scope, x *graph.Node) *graph.Node { return apply(l.Layer, s.Frozen(), "", x) }

// Residual adds the results of Body and Shortcut for x; a nil Shortcut stands for x itself (He et
// al., Deep Residual Learning for Image Recognition, 2016). Parameters of Body are named as if Body
// were in the place of the Residual. Those of a Shortcut without a name begin with "shortcut".
type Residual struct {
	Name           string
	Body, Shortcut Layer
}

// Label is l.Name.
func (l Residual) Label() string { return l.Name }

// Apply returns Body(x) + Shortcut(x), which must have the same shape.
func (l Residual) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		y, short := apply(l.Body, s, "", x), x
		if l.Shortcut != nil {
			short = apply(l.Shortcut, s, "shortcut", x)
		}
		if y.Valid() && short.Valid() && y.Type() != short.Type() {
			return s.g.Reject("Residual", errors.New("the body and x or its shortcut differ in type; give a Shortcut whose result has the type of the body's"), y, short)
		}
		return ops.Add(y, short)
	})
}
