package cases

import (
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// recurrences have 2 hidden units. They give every result that there is, or only one.
func recurrences() []Case {
	weights := func(gates shape.Dim) []gradcheck.Input {
		return normal(shape.Of(2*gates, 3), shape.Of(2*gates, 2), shape.Of(2*gates), shape.Of(2*gates))
	}
	recurrence := func(x []*graph.Node) ops.Recurrence {
		return ops.Recurrence{WeightIH: x[0], WeightHH: x[1], BiasIH: x[2], BiasHH: x[3]}
	}
	step, sequence, state := input(nil, n, 3), input(nil, n, 3, 3), input(nil, n, 2)
	with := func(gates shape.Dim, in ...gradcheck.Input) []gradcheck.Input { return append(in, weights(gates)...) }
	lengths := gradcheck.Input{Type: shape.I32(n), Values: gradcheck.IDs(4)}
	half := func(x *graph.Node) *graph.Node { return ops.MulScalar(ops.Tanh(x), .5) }
	var options []Case
	for _, o := range []struct {
		label   string
		lengths bool
		o       ops.RecurrentOptions
	}{
		{"reverse", false, ops.RecurrentOptions{Reverse: true}},
		{"lengths", true, ops.RecurrentOptions{}},
		{"lengths, reverse", true, ops.RecurrentOptions{Reverse: true}},
		{"clip", false, ops.RecurrentOptions{Clip: 5}},
		{"activation", true, ops.RecurrentOptions{Activations: []func(*graph.Node) *graph.Node{half}}},
	} {
		call := func(x []*graph.Node, states int, layer func(r ops.Recurrence, o ops.RecurrentOptions) []*graph.Node) *graph.Node {
			with := o.o
			if o.lengths {
				with.Lengths = x[len(x)-1]
			}
			parts := layer(recurrence(x[1+states:]), with)
			return ops.Concat(1, append(parts[1:], ops.Flatten(parts[0]))...)
		}
		in := func(gates shape.Dim, first ...gradcheck.Input) []gradcheck.Input {
			all := with(gates, first...)
			if o.lengths {
				all = append(all, lengths)
			}
			return all
		}
		options = append(options,
			Case{Op: "RNN", Label: o.label, In: in(1, sequence, state), F: func(x ...*graph.Node) *graph.Node {
				return call(x, 1, func(r ops.Recurrence, o ops.RecurrentOptions) []*graph.Node {
					all, h := ops.RNN(x[0], x[1], r, o)
					return []*graph.Node{all, h}
				})
			}},
			Case{Op: "LSTM", Label: o.label, In: in(4, sequence, state, state), F: func(x ...*graph.Node) *graph.Node {
				return call(x, 2, func(r ops.Recurrence, o ops.RecurrentOptions) []*graph.Node {
					all, h, c := ops.LSTM(x[0], x[1], x[2], r, o)
					return []*graph.Node{all, h, c}
				})
			}},
			Case{Op: "GRU", Label: o.label, In: in(3, sequence, state), F: func(x ...*graph.Node) *graph.Node {
				return call(x, 1, func(r ops.Recurrence, o ops.RecurrentOptions) []*graph.Node {
					all, h := ops.GRU(x[0], x[1], r, o)
					return []*graph.Node{all, h}
				})
			}})
	}
	return append(options, []Case{
		{Op: "GRU", Label: "reset before", F: func(x ...*graph.Node) *graph.Node {
			all, _ := ops.GRU(x[0], x[1], recurrence(x[2:]), ops.RecurrentOptions{ResetBefore: true})
			return all
		}, In: with(3, sequence, state)},
		{Op: "LSTM", Label: "peepholes", F: func(x ...*graph.Node) *graph.Node {
			all, _, _ := ops.LSTM(x[0], x[1], x[2], recurrence(x[3:]), ops.RecurrentOptions{Peepholes: x[7]})
			return all
		}, In: append(with(4, sequence, state, state), input(nil, 6))},
		{Op: "LSTMCell", F: func(x ...*graph.Node) *graph.Node {
			h, c := ops.LSTMCell(x[0], x[1], x[2], recurrence(x[3:]))
			return ops.Concat(1, h, c)
		}, In: with(4, step, state, state)},
		{Op: "LSTM", Label: "3 steps", F: func(x ...*graph.Node) *graph.Node {
			all, h, c := ops.LSTM(x[0], x[1], x[2], recurrence(x[3:]))
			return ops.Concat(1, ops.Flatten(all), h, c)
		}, In: with(4, sequence, state, state)},
		{Op: "LSTM", Label: "all states", F: func(x ...*graph.Node) *graph.Node {
			all, _, _ := ops.LSTM(x[0], x[1], x[2], recurrence(x[3:]))
			return all
		}, In: with(4, sequence, state, state)},
		{Op: "LSTM", Label: "last cell", F: func(x ...*graph.Node) *graph.Node {
			_, _, c := ops.LSTM(x[0], x[1], x[2], recurrence(x[3:]))
			return c
		}, In: with(4, sequence, state, state)},
		{Op: "GRUCell", F: func(x ...*graph.Node) *graph.Node { return ops.GRUCell(x[0], x[1], recurrence(x[2:])) }, In: with(3, step, state)},
		{Op: "GRU", Label: "3 steps", F: func(x ...*graph.Node) *graph.Node {
			all, h := ops.GRU(x[0], x[1], recurrence(x[2:]))
			return ops.Concat(1, ops.Flatten(all), h)
		}, In: with(3, sequence, state)},
		{Op: "GRU", Label: "last state", F: func(x ...*graph.Node) *graph.Node {
			_, h := ops.GRU(x[0], x[1], recurrence(x[2:]))
			return h
		}, In: with(3, sequence, state)},
	}...)
}
