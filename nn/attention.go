package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// SelfAttention lets the positions of sequences (N,L,D) attend to each other, in several heads; see
// [ops.Attention]. The result is (N,L,D). Its parameters are those of four [Linear] layers, query,
// key, value and out, each (D,D) with a bias (D). L must be a number, as must N with a Cache.
//
// Vaswani et al., "Attention Is All You Need", 2017, 3.2.2.
type SelfAttention struct {
	Name   string
	Heads  int  // of D/Heads elements each; D must be a multiple
	Causal bool // each position attends only to those before it and itself
	NoBias bool

	// Init initialises the weights, as that of Linear does.
	Init graph.Initializer

	// Cache, if it is not nil, keeps the keys and values of the positions so far.
	Cache *KVCache
}

// KVCache makes a [SelfAttention] layer continue sequences, so that a step of generation computes one
// position, or a few, and not the whole sequence. The keys and values of all positions are in the
// states keys and values of the layer, (N,Heads,Length,D/Heads). A step writes those of its inputs
// there, and attends to the positions up to its own; it is Causal in any case. Build the model for
// this by [graph.Graph.Inferring], in a graph of its own with the same names, and compile it with
// vm.Train, which makes the updates: of a store that has been trained, it uses the parameters.
//
// The cost of a step is that of its positions and of reading the keys and values so far. Nothing of
// the cache is copied. To begin another sequence, begin at position 0 again.
type KVCache struct {
	Length int         // the most positions of a sequence
	At     *graph.Node // position of the first of the inputs, an integer without axes; with L inputs at most Length-L
}

// Label is l.Name.
func (l SelfAttention) Label() string { return l.Name }

// Apply returns a node (N,L,D).
func (l SelfAttention) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		if err := l.check(x); err != nil {
			return s.g.Reject("SelfAttention", err, x)
		}
		q, k, v := l.heads(s, "query", x), l.heads(s, "key", x), l.heads(s, "value", x)
		opts := ops.AttentionOptions{Causal: l.Causal || l.Cache != nil}
		if l.Cache != nil {
			k, v = l.Cache.extended(s, "keys", k), l.Cache.extended(s, "values", v)
			opts.Keys = ops.AddScalar(ops.Cast(l.Cache.At, shape.Int32), float64(x.Type().Int(1)))
		}
		y := ops.Transpose(ops.Attention(q, k, v, opts), 0, 2, 1, 3)
		return l.linear("out", x).Apply(s, ops.Reshape(y, x.Type().Dims()...))
	})
}

func (l SelfAttention) check(x *graph.Node) error {
	t := x.Type()
	if t.Rank() != 3 || !t.IsFloat() || !shape.Of(t.Dim(1), t.Dim(2)).Concrete() {
		return fmt.Errorf("input is %v; want sequences (N,L,D) of floating point, with numbers of L and D", t)
	}
	if l.Heads < 1 || t.Int(2)%l.Heads != 0 {
		return fmt.Errorf("Heads is %d; want a number that divides %d, the last axis of %v", l.Heads, t.Int(2), t)
	}
	switch c := l.Cache; {
	case c == nil:
		return nil
	case t.Dim(0).Symbolic():
		return fmt.Errorf("input is %v; with a Cache N must be a number, since the keys and values of each sequence are kept", t)
	case c.Length < t.Int(1):
		return fmt.Errorf("Cache.Length is %d; want room for the %d positions of an input", c.Length, t.Int(1))
	case c.At == nil:
		return errors.New("Cache.At is nil; want the position of the first of the inputs")
	case c.At.Valid() && (!c.At.Type().IsInt() || c.At.Type().Rank() > 0):
		return fmt.Errorf("Cache.At is %v; want an integer without axes", c.At.Type())
	}
	return nil
}

func (l SelfAttention) linear(name string, x *graph.Node) Linear {
	return Linear{Name: name, Out: x.Type().Int(2), NoBias: l.NoBias, Init: l.Init}
}

// heads returns a projection of x, (N,Heads,L,D/Heads).
func (l SelfAttention) heads(s Scope, name string, x *graph.Node) *graph.Node {
	t := x.Type()
	y := l.linear(name, x).Apply(s, x)
	return ops.Transpose(ops.Reshape(y, t.Dim(0), t.Dim(1), shape.Dim(l.Heads), shape.Dim(t.Int(2)/l.Heads)), 0, 2, 1, 3)
}

// extended returns the state of that name with x, (N,Heads,L,E), written into it, which is its next
// value.
func (c *KVCache) extended(s Scope, name string, x *graph.Node) *graph.Node {
	t := x.Type()
	state := s.State(name, t.Of(t.With(2, shape.Dim(c.Length))), nil)
	next := ops.UpdateSlice(state, x, 2, c.At)
	s.g.Update(state, next)
	return next
}
