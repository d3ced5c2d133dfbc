package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A Recurrence holds the parameters of [RNN], [LSTM] and [GRU], all with the same element type. For inputs
// of I features and H hidden units they are WeightIH (G*H,I), WeightHH (G*H,H), BiasIH (G*H) and
// BiasHH (G*H). G is 4 for an LSTM, with the gates i, f, g, o one below the other, 3 for a GRU,
// with the gates r, z, n, and 1 for an RNN. Names and order are PyTorch's.
type Recurrence struct{ WeightIH, WeightHH, BiasIH, BiasHH *graph.Node }

func (r Recurrence) nodes() []*graph.Node {
	return []*graph.Node{r.WeightIH, r.WeightHH, r.BiasIH, r.BiasHH}
}

// check rejects parameters that do not fit the number of gates, inputs x (...,I) and states (N,H).
func (r Recurrence) check(gates int, x shape.Type, states ...shape.Type) error {
	if err := wantFloat(append([]shape.Type{x}, states...)...); err != nil {
		return err
	}
	h := states[0]
	if h.Rank() != 2 || h.Dim(0) != x.Dim(0) || !h.Drop(0).Concrete() || h.Dim(1) == 0 || !shape.Of(x.Dims()[1:]...).Concrete() {
		return fmt.Errorf("the state is %v; for an input %v want %v, with H hidden units", h, x, x.Of(shape.Of(x.Dim(0))))
	}
	for _, c := range states {
		if c != h {
			return fmt.Errorf("the states are %v and %v; want one type", h, c)
		}
	}
	all, err := h.Dim(1).Mul(shape.Dim(gates))
	if err != nil {
		return err
	}
	for i, want := range []shape.Shape{shape.Of(all, x.Dim(-1)), shape.Of(all, h.Dim(1)), shape.Of(all), shape.Of(all)} {
		if have := r.nodes()[i].Type(); have != x.Of(want) {
			return fmt.Errorf("%s is %v; for an input %v and a state %v it must be %v",
				[]string{"WeightIH", "WeightHH", "BiasIH", "BiasHH"}[i], have, x, h, x.Of(want))
		}
	}
	return nil
}

// checkSequence rejects an x that is not a sequence (N,T,I).
func checkSequence(x shape.Type) error {
	if x.Rank() != 3 || x.Dim(1).Symbolic() || x.Dim(1) == 0 {
		return fmt.Errorf("want a sequence (N,T,I) of T steps, at least 1, have %v", x)
	}
	return nil
}

// LSTMCell is one step of a long short-term memory. For inputs x (N,I), hidden state h (N,H) and
// cell state c (N,H) it returns the next two states. With the gates of WeightIH·x + BiasIH +
// WeightHH·h + BiasHH,
//
//	c' = sigmoid(f)*c + sigmoid(i)*tanh(g)    h' = sigmoid(o)*tanh(c')
//
// Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the forget gate f of Gers et
// al., "Learning to Forget", 2000.
func LSTMCell(x, h, c *graph.Node, r Recurrence) (hNext, cNext *graph.Node) {
	bad := refused("LSTMCell", func() error {
		if x.Type().Rank() != 2 {
			return fmt.Errorf("want an input (N,I), have %v", x.Type())
		}
		return r.check(4, x.Type(), h.Type(), c.Type())
	}, append([]*graph.Node{x, h, c}, r.nodes()...)...)
	if bad != nil {
		return bad, bad
	}
	planes := r.run(engine.LSTM, Unsqueeze(x, 1), h, c)
	return lastOf(planes, 0, h), lastOf(planes, 1, h)
}

// LSTM runs sequences x (N,T,I) through T steps of an [LSTMCell], starting with the states h and c
// (N,H). It returns the hidden states of all steps, (N,T,H), and the last hidden and cell state. T is
// a number; the graph, and its gradient, has as many nodes for any T, unless an option says otherwise.
func LSTM(x, h, c *graph.Node, r Recurrence, o ...RecurrentOptions) (all, hLast, cLast *graph.Node) {
	all, last := lstmLayer.run(x, []*graph.Node{h, c}, r, o)
	return all, last[0], last[1]
}

// GRUCell is one step of a gated recurrent unit. For inputs x (N,I) and hidden state h (N,H) it
// returns the next state. With a = WeightIH·x + BiasIH and b = WeightHH·h + BiasHH, each of three
// gates,
//
//	r = sigmoid(aᵣ + bᵣ)    z = sigmoid(a_z + b_z)    n = tanh(aₙ + r*bₙ)    h' = (1-z)*n + z*h
//
// Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014. As in PyTorch, r
// multiplies the product of WeightHH and h; in the published paper it multiplies h.
func GRUCell(x, h *graph.Node, r Recurrence) *graph.Node {
	bad := refused("GRUCell", func() error {
		if x.Type().Rank() != 2 {
			return fmt.Errorf("want an input (N,I), have %v", x.Type())
		}
		return r.check(3, x.Type(), h.Type())
	}, append([]*graph.Node{x, h}, r.nodes()...)...)
	if bad != nil {
		return bad
	}
	return lastOf(r.run(engine.GRU, Unsqueeze(x, 1), h), 0, h)
}

// GRU runs sequences x (N,T,I) through T steps of a [GRUCell], starting with the state h (N,H). It
// returns the hidden states of all steps, (N,T,H), and the last.
func GRU(x, h *graph.Node, r Recurrence, o ...RecurrentOptions) (all, hLast *graph.Node) {
	all, last := gruLayer.run(x, []*graph.Node{h}, r, o)
	return all, last[0]
}

// run returns the planes of all steps of x (N,T,I). One product computes what x contributes to the
// gates.
func (r Recurrence) run(cell engine.Cell, x *graph.Node, states ...*graph.Node) *graph.Node {
	gates := Add(MatMul(x, r.WeightIH, MatMulOp{TransB: true}), r.BiasIH)
	return graph.Apply(recurrenceOp{cell}, slices.Concat([]*graph.Node{gates}, states, []*graph.Node{r.WeightHH, r.BiasHH})...)
}

// planesOf returns planes from to to of those of all steps, each like the state h.
func planesOf(planes, h *graph.Node, from, to int) *graph.Node {
	units := h.Type().Int(-1)
	return sliceAxis(planes, 2, from*units, to*units)
}

// lastOf returns a plane of the last step.
func lastOf(planes *graph.Node, plane int, h *graph.Node) *graph.Node {
	units, steps := h.Type().Int(-1), planes.Type().Int(1)
	last := Slice(planes, Whole(), Range{Start: steps - 1, Stop: steps}, Range{Start: plane * units, Stop: (plane + 1) * units})
	return Squeeze(last, 1)
}
