package nn

import (
	"errors"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// LSTM runs a long short-term memory over sequences (N,T,I) in T steps, starting with states of
// zeros; see [ops.LSTM]. T must be a number. Its
// parameters are those of PyTorch's LSTMCell: weight_ih (4*Hidden,I), weight_hh (4*Hidden,Hidden)
// and, unless NoBias is set, bias_ih and bias_hh (4*Hidden), with the gates in the order i, f, g,
// o.
type LSTM struct {
	Name   string
	Hidden int
	Whole  bool // return the hidden states of all steps instead of only the last
	NoBias bool

	// Init initialises all parameters. The default is uniform on ±1/sqrt(Hidden), as in PyTorch.
	Init graph.Initializer
}

// Label is l.Name.
func (l LSTM) Label() string { return l.Name }

// Apply returns the last hidden state, a node (N,Hidden) or, if Whole is set, all of them,
// (N,T,Hidden).
func (l LSTM) Apply(s Scope, x *graph.Node) *graph.Node {
	r := recurrent{l.Hidden, 4, l.NoBias, l.Init}
	return r.apply("LSTM", l.Name, l.Whole, s, x, func(h *graph.Node, p ops.Recurrence) (all, last *graph.Node) {
		all, last, _ = ops.LSTM(x, h, h, p)
		return all, last
	})
}

// GRU is [LSTM] with gated recurrent units; see [ops.GRU]. Its parameters are those of
// PyTorch's GRUCell: weight_ih (3*Hidden,I), weight_hh (3*Hidden,Hidden), bias_ih and bias_hh
// (3*Hidden), with the gates in the order r, z, n.
type GRU struct {
	Name   string
	Hidden int
	Whole  bool // return the hidden states of all steps instead of only the last
	NoBias bool

	// Init initialises all parameters. The default is uniform on ±1/sqrt(Hidden), as in PyTorch.
	Init graph.Initializer
}

// Label is l.Name.
func (l GRU) Label() string { return l.Name }

// Apply returns the last hidden state, a node (N,Hidden) or, if Whole is set, all of them,
// (N,T,Hidden).
func (l GRU) Apply(s Scope, x *graph.Node) *graph.Node {
	r := recurrent{l.Hidden, 3, l.NoBias, l.Init}
	return r.apply("GRU", l.Name, l.Whole, s, x, func(h *graph.Node, p ops.Recurrence) (all, last *graph.Node) {
		return ops.GRU(x, h, p)
	})
}

// recurrent holds the fields of a recurrent layer that its parameters depend on.
type recurrent struct {
	hidden, gates int
	noBias        bool
	init          graph.Initializer
}

// apply runs f over sequences x, starting with a state of zeros.
func (r recurrent) apply(op, name string, whole bool, s Scope, x *graph.Node, f func(state *graph.Node, p ops.Recurrence) (all, last *graph.Node)) *graph.Node {
	return s.Within(name, x, func(s Scope) *graph.Node {
		p, state, err := r.params(s, x)
		if err != nil {
			return s.g.Reject(op, err, x)
		}
		all, last := f(state, p)
		if whole {
			return all
		}
		return last
	})
}

// params makes the parameters, and a state of zeros.
func (r recurrent) params(s Scope, x *graph.Node) (p ops.Recurrence, state *graph.Node, err error) {
	t := x.Type()
	if err := trainable(t); err != nil {
		return p, nil, err
	}
	if t.Rank() != 3 || !t.Drop(0).Concrete() || t.Int(1) == 0 {
		return p, nil, fmt.Errorf("want sequences (N,T,I) of T steps, at least 1, have %v", t)
	}
	if r.hidden < 1 {
		return p, nil, errors.New("want a positive Hidden, the features of the state")
	}
	rows, init := r.gates*r.hidden, or(r.init, standard(r.hidden))
	param := func(name string, dims ...int) *graph.Node { return s.Param(name, t.Of(shape.OfInts(dims...)), init) }
	p.WeightIH, p.WeightHH = param("weight_ih", rows, t.Int(2)), param("weight_hh", rows, r.hidden)
	if r.noBias {
		p.BiasIH = ops.Full(x, shape.OfInts(rows), math.Copysign(0, -1)) // adding it changes not even -0
		p.BiasHH = p.BiasIH
	} else {
		p.BiasIH, p.BiasHH = param("bias_ih", rows), param("bias_hh", rows)
	}
	return p, ops.Full(x, shape.Of(t.Dim(0), shape.Dim(r.hidden)), 0), nil
}
