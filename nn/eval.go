package nn

import "github.com/plexaura/plexaura/graph"

// Eval applies Layer in its inference form, also in training: batch normalisation inside it uses
// its running statistics and does not update them, and dropout does nothing. Parameters are still
// trained, as with PyTorch's eval(). Frozen{Eval{l}} keeps l entirely unchanged.
type Eval struct{ Layer Layer }

// Label returns the name of the inner layer.
func (l Eval) Label() string { return label(l.Layer) }

// Apply applies the inner layer to x.
func (l Eval) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) (y *graph.Node) {
		s.g.Inferring(func() { y = apply(l.Layer, s, "", x) })
		return y
	})
}
