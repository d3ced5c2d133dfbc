package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// RecurrentOptions are attributes of [RNN], [LSTM] and [GRU], those of ONNX's layers. With the last four,
// steps are made of ops, so that the graph grows with the number of steps.
type RecurrentOptions struct {
	// Reverse runs from the last step to the first. A layer of both directions is two layers, whose hidden states
	// Concat joins.
	Reverse bool
	// Lengths, integers (N) from 0 to T, are the numbers of steps of each sequence; nil means T. Hidden states
	// after them are 0, and the last states are those of the last step that a sequence has.
	Lengths *graph.Node

	// Activations replace those of the gates (the sigmoid), of g or n (the hyperbolic tangent) and, of an LSTM, of
	// the cell state (the hyperbolic tangent), in this order; an RNN has one. Nil ones stay.
	Activations []func(x *graph.Node) *graph.Node
	// Clip limits the arguments of the gates and of g or n to -Clip..Clip; 0 means no limit.
	Clip float64
	// Peepholes (3*H), for an LSTM, are weights of the cell state in the gates i, f and o, which see it as
	// it is before the step, and o as it is after. Gers and Schmidhuber, "Recurrent nets that time and count", 2000.
	Peepholes *graph.Node
	// ResetBefore means that r of a GRU multiplies h instead of the product of WeightHH and h, as in the published paper.
	ResetBefore bool
}

// recurrentLayer is a layer with its options, and the default activations.
type recurrentLayer struct {
	Recurrence
	RecurrentOptions
	name        string
	gates       int
	activations []func(x *graph.Node) *graph.Node
	step        func(l recurrentLayer, x *graph.Node, states []*graph.Node) []*graph.Node
}

var (
	rnnLayer  = recurrentLayer{name: "RNN", gates: 1, activations: []func(x *graph.Node) *graph.Node{Tanh}, step: recurrentLayer.rnnStep}
	lstmLayer = recurrentLayer{name: "LSTM", gates: 4, activations: []func(x *graph.Node) *graph.Node{Sigmoid, Tanh, Tanh}, step: recurrentLayer.lstmStep}
	gruLayer  = recurrentLayer{name: "GRU", gates: 3, activations: []func(x *graph.Node) *graph.Node{Sigmoid, Tanh}, step: recurrentLayer.gruStep}
)

// run checks the inputs, and returns the hidden states of all steps and the last states.
func (l recurrentLayer) run(x *graph.Node, states []*graph.Node, r Recurrence, options []RecurrentOptions) (all *graph.Node, last []*graph.Node) {
	l.Recurrence = r
	if len(options) > 0 {
		l.RecurrentOptions = options[0]
	}
	inputs := slices.Concat([]*graph.Node{x}, states, r.nodes())
	for _, n := range []*graph.Node{l.Lengths, l.Peepholes} {
		if n != nil {
			inputs = append(inputs, n)
		}
	}
	bad := refused(l.name, func() error {
		if err := checkSequence(x.Type()); err != nil {
			return err
		}
		types := make([]shape.Type, len(states))
		for i, s := range states {
			types[i] = s.Type()
		}
		if err := r.check(l.gates, x.Type(), types...); err != nil {
			return err
		}
		return l.check(x.Type(), states[0].Type())
	}, inputs...)
	if bad != nil {
		return bad, slices.Repeat([]*graph.Node{bad}, len(states))
	}
	var inside *graph.Node // which steps sequences have, (N,T,1)
	if l.Lengths != nil {
		l.Lengths = Cast(l.Lengths, shape.Int32)
		inside = Less(Unsqueeze(numbers(x.Graph(), x.Type().Dim(1)), 1), Unsqueeze(l.Lengths, 1, 2))
		x = Where(inside, x, Scalar(x, 0))
	}
	planes, last := l.planes(l.turned(x), states)
	all = planes[0]
	if inside != nil {
		for k, s := range states {
			last[k] = l.lastInside(planes[k], s)
		}
		all = Where(inside, all, Scalar(all, 0))
	}
	return l.turned(all), last
}

func (l recurrentLayer) check(x, h shape.Type) error {
	if l.Lengths != nil {
		switch t := l.Lengths.Type(); {
		case !t.IsInt():
			return integers.admits("lengths are", t)
		case t.Shape != shape.Of(x.Dim(0)):
			return fmt.Errorf("lengths are %v; for sequences %v they must be %v", t, x, t.Of(shape.Of(x.Dim(0))))
		}
	}
	if len(l.Activations) > len(l.activations) {
		return fmt.Errorf("%d activations were given; want at most %d", len(l.Activations), len(l.activations))
	}
	if !(l.Clip >= 0) || math.IsInf(l.Clip, 0) {
		return fmt.Errorf("Clip is %v; want a finite number, at least 0", l.Clip)
	}
	if l.Peepholes != nil {
		if l.gates != 4 {
			return fmt.Errorf("there are peepholes, which only an LSTM has")
		}
		if want := h.Of(shape.Of(3 * h.Dim(1))); l.Peepholes.Type() != want {
			return fmt.Errorf("Peepholes are %v; for a state %v they must be %v", l.Peepholes.Type(), h, want)
		}
	}
	if l.ResetBefore && l.gates != 3 {
		return fmt.Errorf("ResetBefore is set, which only a GRU has")
	}
	return nil
}

// turned returns steps in the order of the layer, or back in that of time.
func (l recurrentLayer) turned(x *graph.Node) *graph.Node {
	switch {
	case !l.Reverse:
		return x
	case l.Lengths != nil:
		return ReverseSequence(x, l.Lengths, 0, 1)
	}
	return Slice(x, Whole(), Range{Start: x.Type().Int(1) - 1, Stop: End, Step: -1})
}

// planes returns each state at all steps, (N,T,H), and after them, (N,H).
func (l recurrentLayer) planes(x *graph.Node, states []*graph.Node) (all, last []*graph.Node) {
	if l.gates > 1 && len(l.Activations) == 0 && l.Clip == 0 && l.Peepholes == nil && !l.ResetBefore {
		cell := map[int]engine.Cell{4: engine.LSTM, 3: engine.GRU}[l.gates]
		planes := l.Recurrence.run(cell, x, states...)
		for k, s := range states {
			all, last = append(all, planesOf(planes, s, k, k+1)), append(last, lastOf(planes, k, s))
		}
		return all, last
	}
	gates := Add(MatMul(x, l.WeightIH, MatMulOp{TransB: true}), l.BiasIH)
	steps := make([][]*graph.Node, len(states))
	last = states
	for t := range x.Type().Int(1) {
		last = l.step(l, stepOf(gates, t), last)
		for k, s := range last {
			steps[k] = append(steps[k], Unsqueeze(s, 1))
		}
	}
	for _, s := range steps {
		all = append(all, Concat(1, s...))
	}
	return all, slices.Clone(last)
}

// lastInside returns the state after the last step of each sequence, of its plane in the order of the layer.
func (l recurrentLayer) lastInside(plane, before *graph.Node) *graph.Node {
	n := Unsqueeze(l.Lengths, 1)
	t := plane.Type()
	ids := BroadcastTo(Unsqueeze(Maximum(AddScalar(n, -1), Scalar(n, 0)), 2), t.With(1, 1))
	return Where(Greater(n, Scalar(n, 0)), Squeeze(GatherAlong(plane, 1, ids), 1), before)
}

// activate applies the activation with a number.
func (l recurrentLayer) activate(i int, x *graph.Node) *graph.Node {
	if i < len(l.Activations) && l.Activations[i] != nil {
		return l.Activations[i](x)
	}
	return l.activations[i](x)
}

// gate is activate of what is clipped.
func (l recurrentLayer) gate(i int, x *graph.Node) *graph.Node {
	if l.Clip > 0 {
		x = Clip(x, -l.Clip, l.Clip)
	}
	return l.activate(i, x)
}

// ofHidden returns what h contributes to all gates.
func (l recurrentLayer) ofHidden(h *graph.Node) *graph.Node {
	return Add(MatMul(h, l.WeightHH, MatMulOp{TransB: true}), l.BiasHH)
}

func (l recurrentLayer) rnnStep(x *graph.Node, states []*graph.Node) []*graph.Node {
	return []*graph.Node{l.gate(0, Add(x, l.ofHidden(states[0])))}
}

func (l recurrentLayer) lstmStep(x *graph.Node, states []*graph.Node) []*graph.Node {
	h, c := states[0], states[1]
	units := h.Type().Int(1)
	g := parts(Add(x, l.ofHidden(h)), units)
	peep := func(x *graph.Node, k int, c *graph.Node) *graph.Node {
		if l.Peepholes == nil {
			return x
		}
		return Add(x, Mul(c, parts(l.Peepholes, units)[k]))
	}
	i, f := l.gate(0, peep(g[0], 0, c)), l.gate(0, peep(g[1], 1, c))
	c = Add(Mul(f, c), Mul(i, l.gate(1, g[2])))
	o := l.gate(0, peep(g[3], 2, c))
	return []*graph.Node{Mul(o, l.activate(2, c)), c}
}

func (l recurrentLayer) gruStep(x *graph.Node, states []*graph.Node) []*graph.Node {
	h := states[0]
	units := h.Type().Int(1)
	xs := parts(x, units)
	var fresh *graph.Node
	reset := func(r *graph.Node, of *graph.Node) *graph.Node { return Mul(l.gate(0, Add(xs[0], r)), of) }
	if l.ResetBefore {
		w, b := l.WeightHH, l.BiasHH
		rows := func(from, to int, h *graph.Node) *graph.Node {
			return Add(MatMul(h, sliceAxis(w, 0, from*units, to*units), MatMulOp{TransB: true}), sliceAxis(b, 0, from*units, to*units))
		}
		hs := parts(rows(0, 2, h), units)
		fresh = Add(xs[2], rows(2, 3, reset(hs[0], h)))
		return mixedBy(l.gate(0, Add(xs[1], hs[1])), h, l.gate(1, fresh))
	}
	hs := parts(l.ofHidden(h), units)
	fresh = Add(xs[2], reset(hs[0], hs[2]))
	return mixedBy(l.gate(0, Add(xs[1], hs[1])), h, l.gate(1, fresh))
}

// mixedBy returns the state of which z is of h, and the rest fresh.
func mixedBy(z, h, fresh *graph.Node) []*graph.Node {
	return []*graph.Node{Add(fresh, Mul(z, Sub(h, fresh)))}
}

// RNN runs sequences x (N,T,I) through T steps of h' = tanh(WeightIH·x + BiasIH + WeightHH·h + BiasHH), starting with
// the state h (N,H). It returns the hidden states of all steps, (N,T,H), and the last. Elman, "Finding
// structure in time", 1990.
func RNN(x, h *graph.Node, r Recurrence, o ...RecurrentOptions) (all, hLast *graph.Node) {
	all, last := rnnLayer.run(x, []*graph.Node{h}, r, o)
	return all, last[0]
}
