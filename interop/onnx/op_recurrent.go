package onnx

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var recurrentOperators = family{
	"RNN":  always(3, 6, recurrentLayer{gates: []int{0}, defaults: []string{"Tanh"}, run: runRNN}.eval),
	"GRU":  always(3, 6, recurrentLayer{gates: []int{1, 0, 2}, defaults: []string{"Sigmoid", "Tanh"}, run: runGRU}.eval),
	"LSTM": always(3, 8, recurrentLayer{gates: []int{0, 2, 3, 1}, defaults: []string{"Sigmoid", "Tanh", "Tanh"}, run: runLSTM}.eval),
}

// recurrentLayer is an operator: where the gates of package ops are among those of ONNX, the default
// activations, and what runs one direction.
type recurrentLayer struct {
	gates    []int
	defaults []string
	run      func(d direction) (all *graph.Node, last []*graph.Node)
}

// direction is one direction of a layer.
type direction struct {
	x       *graph.Node // (N,T,I)
	weights ops.Recurrence
	states  []*graph.Node // (N,H)
	options ops.RecurrentOptions
}

func runRNN(d direction) (*graph.Node, []*graph.Node) {
	all, h := ops.RNN(d.x, d.states[0], d.weights, d.options)
	return all, []*graph.Node{h}
}

func runGRU(d direction) (*graph.Node, []*graph.Node) {
	all, h := ops.GRU(d.x, d.states[0], d.weights, d.options)
	return all, []*graph.Node{h}
}

func runLSTM(d direction) (*graph.Node, []*graph.Node) {
	all, h, cell := ops.LSTM(d.x, d.states[0], d.states[1], d.weights, d.options)
	return all, []*graph.Node{h, cell}
}

// eval computes Y (T,D,N,H) of all steps in D directions, or with layout 1 (N,T,D,H), and the last states
// (D,N,H) or (N,D,H).
func (l recurrentLayer) eval(c *call) []*value {
	x := c.node(0)
	byBatch := c.flag("layout", false)
	if !byBatch {
		x = swapped(x)
	}
	if x.Type().Rank() != 3 || c.shape(1).Rank() != 3 {
		refuse("want sequences (T,N,I) and weights (D,G*H,I)")
	}
	way := c.stringAttr("direction", "forward", "forward", "reverse", "bidirectional")
	directions := 1
	if way == "bidirectional" {
		directions = 2
	}
	units := c.shape(2).Int(-1)
	if h := c.intAttr("hidden_size", units); h != units || c.shape(1).Dim(0) != shape.Dim(directions) {
		refuse("attribute hidden_size is %d, the weights are %v of %v for %s", h, c.in[1], c.in[2], way)
	}
	var all []*graph.Node
	last := make([][]*graph.Node, 2)
	for i := range directions {
		d := direction{x: x, weights: l.weights(c, i, units), options: l.options(c, i, directions)}
		d.options.Reverse = way == "reverse" || i == 1
		for s := range 1 + (len(l.defaults)+1)/4 { // an LSTM has two states
			d.states = append(d.states, c.state(5+s, i, units, byBatch, x))
		}
		y, states := l.run(d)
		all = append(all, ops.Unsqueeze(y, 2)) // (N,T,1,H)
		for s, v := range states {
			last[s] = append(last[s], ops.Unsqueeze(v, 1)) // (N,1,H)
		}
	}
	e := c.elem(0)
	y := ops.Concat(2, all...)
	if !byBatch {
		y = ops.Transpose(y, 1, 2, 0, 3)
	}
	outs := result(y, e)
	for _, states := range last {
		if states == nil {
			continue
		}
		v := ops.Concat(1, states...)
		if !byBatch {
			v = swapped(v)
		}
		outs = append(outs, result(v, e)...)
	}
	return outs
}

// swapped exchanges the first two axes.
func swapped(x *graph.Node) *graph.Node {
	if x.Type().Rank() != 3 {
		refuse("%v; want 3 axes", x.Type())
	}
	return ops.Transpose(x, 1, 0, 2)
}

// sorted puts blocks of rows, one for each gate, into the order of package ops.
func (l recurrentLayer) sorted(v *graph.Node, units int) *graph.Node {
	if len(l.gates) == 1 {
		return v
	}
	parts := make([]*graph.Node, len(l.gates))
	for i, g := range l.gates {
		parts[i] = part(v, 0, g*units, units)
	}
	return ops.Concat(0, parts...)
}

// of takes one direction out of input k, whose first axis has all.
func (c *call) of(k, direction int) *graph.Node {
	return ops.Squeeze(part(c.node(k), 0, direction, 1), 0)
}

func (l recurrentLayer) weights(c *call, i, units int) ops.Recurrence {
	rows := len(l.gates) * units
	if c.shape(1).Dim(1) != shape.Dim(rows) || c.shape(2).Dim(1) != shape.Dim(rows) {
		refuse("weights %v and %v; want %d rows", c.in[1], c.in[2], rows)
	}
	r := ops.Recurrence{WeightIH: l.sorted(c.of(1, i), units), WeightHH: l.sorted(c.of(2, i), units)}
	if !c.has(3) {
		zero := ops.Full(r.WeightHH, shape.OfInts(rows), 0)
		r.BiasIH, r.BiasHH = zero, zero
		return r
	}
	b := c.of(3, i)
	if b.Type().Shape != shape.OfInts(2*rows) {
		refuse("biases %v; want 2*%d", c.in[3], rows)
	}
	r.BiasIH, r.BiasHH = l.sorted(part(b, 0, 0, rows), units), l.sorted(part(b, 0, rows, rows), units)
	return r
}

// state returns an initial state (N,H), zeros if input k is left out.
func (c *call) state(k, direction, units int, byBatch bool, x *graph.Node) *graph.Node {
	if !c.has(k) {
		return ops.Full(x, shape.Of(x.Type().Dim(0), shape.Dim(units)), 0)
	}
	if byBatch {
		return ops.Squeeze(part(c.node(k), 1, direction, 1), 1)
	}
	return c.of(k, direction)
}

// options reads the attributes of direction i.
func (l recurrentLayer) options(c *call, i, directions int) (o ops.RecurrentOptions) {
	if c.has(4) {
		o.Lengths = c.node(4)
	}
	o.Clip = c.floatAttr("clip", 0)
	switch {
	case len(l.gates) == 3:
		o.ResetBefore = !c.flag("linear_before_reset", false)
	case len(l.gates) == 4 && c.has(7):
		p := c.of(7, i)
		units := c.shape(2).Int(-1)
		// ONNX has those of i, o and f
		o.Peepholes = ops.Concat(0, part(p, 0, 0, units), part(p, 0, 2*units, units), part(p, 0, units, units))
	}
	if c.flag("input_forget", false) {
		refuse("input_forget is set, which couples two gates")
	}
	o.Activations = l.activations(c, i, directions)
	return o
}

// activations returns nil for those that are the defaults.
func (l recurrentLayer) activations(c *call, i, directions int) []func(*graph.Node) *graph.Node {
	a := c.typed("activations", ir.AttributeStrings)
	if a == nil {
		return nil
	}
	n := len(l.defaults)
	if len(a.Strings) != n*directions {
		refuse("%d activations; want %d", len(a.Strings), n*directions)
	}
	alphas, betas := c.floatsAttr("activation_alpha"), c.floatsAttr("activation_beta")
	names := a.Strings[i*n:][:n]
	if slices.EqualFunc(names, l.defaults, strings.EqualFold) {
		return nil
	}
	at := func(v []float64, k int, def float64) float64 {
		if k < len(v) {
			return v[k]
		}
		return def
	}
	fs := make([]func(*graph.Node) *graph.Node, n)
	for k, name := range names {
		if strings.EqualFold(name, l.defaults[k]) {
			continue
		}
		make, ok := recurrentActivations[strings.ToLower(name)]
		if !ok {
			refuse("activation %q", name)
		}
		fs[k] = make(func(def float64) float64 { return at(alphas, i*n+k, def) }, func(def float64) float64 { return at(betas, i*n+k, def) })
	}
	return fs
}

// recurrentActivations are made of their alpha and beta, given the defaults.
var recurrentActivations = map[string]func(alpha, beta func(def float64) float64) unaryFunc{
	"relu":     func(_, _ func(float64) float64) unaryFunc { return ops.ReLU },
	"tanh":     func(_, _ func(float64) float64) unaryFunc { return ops.Tanh },
	"sigmoid":  func(_, _ func(float64) float64) unaryFunc { return ops.Sigmoid },
	"softsign": func(_, _ func(float64) float64) unaryFunc { return ops.Softsign },
	"softplus": func(_, _ func(float64) float64) unaryFunc { return ops.Softplus },
	"affine": func(alpha, beta func(float64) float64) unaryFunc {
		a, b := alpha(1), beta(0)
		return func(x *graph.Node) *graph.Node { return ops.AddScalar(ops.MulScalar(x, a), b) }
	},
	"leakyrelu": func(alpha, _ func(float64) float64) unaryFunc {
		a := alpha(.01)
		return func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, a) }
	},
	"thresholdedrelu": func(alpha, _ func(float64) float64) unaryFunc {
		a := alpha(1)
		return func(x *graph.Node) *graph.Node {
			return ops.Where(ops.Greater(x, ops.Scalar(x, a)), x, ops.Scalar(x, 0))
		}
	},
	"scaledtanh": func(alpha, beta func(float64) float64) unaryFunc {
		a, b := alpha(1), beta(1)
		return func(x *graph.Node) *graph.Node { return ops.MulScalar(ops.Tanh(ops.MulScalar(x, b)), a) }
	},
	"hardsigmoid": func(alpha, beta func(float64) float64) unaryFunc {
		a, b := alpha(.2), beta(.5)
		return func(x *graph.Node) *graph.Node { return ops.Clip(ops.AddScalar(ops.MulScalar(x, a), b), 0, 1) }
	},
	"elu": func(alpha, _ func(float64) float64) unaryFunc {
		a := alpha(1)
		return func(x *graph.Node) *graph.Node { return ops.ELU(x, a) }
	},
}
