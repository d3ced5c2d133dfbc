package nn

import "github.com/plexaura/plexaura/graph"

// Eval is Layer in its inference form, in training too: batch normalisation within uses its
// running statistics and leaves them as they are, dropout does nothing. Parameters are trained
// nevertheless, as with PyTorch's eval(); Frozen{Eval{l}} is l as it is.
type Eval struct{ Layer Layer }

// Label is the name of the layer within.
func (l Eval) Label() string { return label(l.Layer) }

// Apply applies the layer within to x.
func (l Eval) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) (y *graph.Node) {
		s.g.Inferring(func() { y = apply(l.Layer, s, "", x) })
		return y
	})
}
