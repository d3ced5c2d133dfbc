package nn

import (
	"errors"
	"strconv"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// A Layer is a model or a part of one. Layers are plain values, without weights.
type Layer interface {
	// Apply returns the layer's result for x, with its parameters made in s.
	Apply(s Scope, x *graph.Node) *graph.Node
}

// A Labeled layer has a name of its own, which its Apply enters. Where the name is empty, or
// a layer is not Labeled, containers such as [Sequential] number it.
type Labeled interface{ Label() string }

// label returns l's own name, or "".
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

// Sequential applies its layers in turn. A layer without a name gets its index as one, as in
// "0.weight".
type Sequential []Layer

// Apply returns the result of the last layer; that of an empty Sequential is x.
func (l Sequential) Apply(s Scope, x *graph.Node) *graph.Node {
	for i, child := range l {
		x = apply(child, s, strconv.Itoa(i), x)
	}
	return x
}

// apply applies l in s, in the scope called name there if l has no name of its own.
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
	return s.Within(own, x, func(Scope) *graph.Node { return nil }) // which says so
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

// Frozen is Layer with parameters that are not trained; its running statistics still follow
// the data, unless it is an [Eval].
type Frozen struct{ Layer Layer }

// Label is the name of the layer within.
func (l Frozen) Label() string { return label(l.Layer) }

// Apply applies the layer within to x.
func (l Frozen) Apply(s Scope, x *graph.Node) *graph.Node { return apply(l.Layer, s.Frozen(), "", x) }

// Residual adds what Body makes of x to what Shortcut makes of it, which is x itself where
// Shortcut is nil (He et al., Deep Residual Learning for Image Recognition, 2016). Parameters
// of Body are named as if it stood in Residual's place; those of a Shortcut without a name
// begin with "shortcut".
type Residual struct {
	Name           string
	Body, Shortcut Layer
}

// Label is l.Name.
func (l Residual) Label() string { return l.Name }

// Apply returns Body(x) + Shortcut(x), which must have one shape.
func (l Residual) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		y, short := apply(l.Body, s, "", x), x
		if l.Shortcut != nil {
			short = apply(l.Shortcut, s, "shortcut", x)
		}
		if y.Valid() && short.Valid() && y.Type() != short.Type() {
			return s.g.Reject("Residual", errors.New("body and shortcut differ in type; a Shortcut can bring x to that of the body"), y, short)
		}
		return ops.Add(y, short)
	})
}
