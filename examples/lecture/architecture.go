package lecture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
)

// architecture is a chain of steps, taken from a graph.
type architecture struct {
	in    shape.Type
	steps []step
}

// step leads from one value to the next: a convolution, a pooling, a dense layer, or another change
// of shape, with the elementwise ops that follow.
type step struct {
	layer            string // its path in the graph
	kind             string
	does             string
	then             []string
	groups           int // of channels that do not see each other
	out              shape.Type
	parameters, work int // work is multiply-adds for one example
}

const convolution, densely, poolingKind, otherwise = "convolution", "dense layer", "pooling", "other"

// architectureOf walks the nodes that an output is computed from, in their inference form. They
// must be a chain: a layer with a second input is an error.
func architectureOf(out *graph.Node) (architecture, error) {
	out = graph.Inference(out)[0]
	if err := out.Graph().Err(); err != nil {
		return architecture{}, err
	}
	w := walk{seen: map[*graph.Node]bool{}, counted: map[*graph.Node]bool{}}
	for _, n := range graph.Reachable(out) {
		if err := w.visit(n); err != nil {
			return architecture{}, err
		}
	}
	w.flush()
	if len(w.steps) == 0 {
		return architecture{}, fmt.Errorf("%v is computed from no input by any layer", out)
	}
	return w.architecture, nil
}

// walk goes along the nodes that depend on the input, in their order.
type walk struct {
	architecture
	seen    map[*graph.Node]bool // those nodes, as far as they have been met
	counted map[*graph.Node]bool // the parameters of steps
	last    *graph.Node          // of those nodes
	entry   *graph.Node          // what the layer of last takes
	rest    []*graph.Node        // of a layer, the nodes behind the one that a step is named for
	before  *graph.Node          // what rest takes
}

func (w *walk) visit(n *graph.Node) error {
	if n.Kind() == graph.Input {
		if w.last != nil {
			return fmt.Errorf("%v is a second input: only a chain is drawn", n)
		}
		w.in, w.last, w.entry, w.seen[n] = n.Type(), n, n, true
		return nil
	}
	if !slices.ContainsFunc(n.Ins(), func(in *graph.Node) bool { return w.seen[in] }) {
		return nil
	}
	if n.Layer() != w.last.Layer() {
		w.flush()
		w.entry = w.last
	}
	for _, in := range n.Ins() {
		if w.seen[in] && in != w.entry && in.Layer() != n.Layer() {
			return fmt.Errorf("%v in layer %q takes the value of %v too: only a chain is drawn", n, n.Layer(), in)
		}
	}
	w.take(n)
	w.last, w.seen[n] = n, true
	return nil
}

// take makes a step of n, or keeps it for the end of a step.
func (w *walk) take(n *graph.Node) {
	s, ok := stepOf(n)
	if !ok {
		if len(w.rest) == 0 {
			w.before = w.last
		}
		w.rest = append(w.rest, n)
		return
	}
	w.flush()
	s.parameters, s.work = w.parametersOf(n), nn.MACs(n)
	w.steps = append(w.steps, s)
}

// flush adds the nodes that are left to the step before, where they keep its shape, or makes a step
// of them.
func (w *walk) flush() {
	rest := w.rest
	w.rest = nil
	s := step{kind: otherwise, groups: 1}
	var names []string
	for _, n := range rest {
		s.layer, s.out = n.Layer(), n.Type()
		s.parameters, s.work = s.parameters+w.parametersOf(n), s.work+nn.MACs(n)
		if name := called(n); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && s.parameters == 0 {
		return // nothing, or another shape for the same values
	}
	if len(w.steps) == 0 || unshaped(rest[len(rest)-1]).Type() != unshaped(w.before).Type() {
		s.does = strings.Join(names, ", ")
		w.steps = append(w.steps, s)
		return
	}
	now := &w.steps[len(w.steps)-1]
	now.parameters, now.work = now.parameters+s.parameters, now.work+s.work
	for _, name := range names {
		if name = inPlace[name]; name != "" {
			now.then = append(now.then, name)
		}
	}
}

// inPlace are the names of ops that are mentioned where they follow a step.
var inPlace = map[string]string{"ReLU": "ReLU", "Tanh": "tanh", "Sigmoid": "sigmoid", "WindowSum": "response normalisation"}

// called is the name of a node's op, "" if it only changes the shape.
func called(n *graph.Node) string {
	switch name := n.Op().Name(); name {
	case "Reshape", "Full":
		return ""
	case "Pad":
		return "padding"
	default:
		return name
	}
}

// unshaped is the node whose values x has, perhaps in another shape.
func unshaped(x *graph.Node) *graph.Node {
	for x.Op().Name() == "Reshape" {
		x = x.In(0)
	}
	return x
}

// parametersOf counts those that n takes, itself or by nodes that do not depend on the input, each
// once.
func (w *walk) parametersOf(n *graph.Node) (count int) {
	for _, in := range n.Ins() {
		switch {
		case w.seen[in], w.counted[in]:
		case in.Kind() == graph.Param:
			w.counted[in] = true
			count += in.Type().Len()
		default:
			count += w.parametersOf(in)
		}
	}
	return count
}

// stepOf is the step that n begins, if it does.
func stepOf(n *graph.Node) (s step, begins bool) {
	s = step{layer: n.Layer(), groups: 1, out: n.Type()}
	switch op := n.Op().(type) {
	case ops.Conv2DOp:
		w := n.In(1).Type()
		s.kind, s.groups = convolution, op.Groups
		s.does = fmt.Sprintf("%d×%d convolution", w.Int(2), w.Int(3)) + stride(op.Stride, [2]int{1, 1})
		if op.Groups > 1 {
			s.does += fmt.Sprintf(", %d groups", op.Groups)
		}
	case ops.MaxPool2DOp:
		s.kind, s.does = poolingKind, poolingOf("max", op.Kernel, op.Stride, op.Size)
	case ops.AvgPool2DOp:
		s.kind, s.does = poolingKind, poolingOf("average", op.Kernel, op.Stride, op.Size)
	default:
		if n.Op().Name() != "MatMul" {
			return step{}, false
		}
		s.kind, s.does = densely, densely
	}
	return s, true
}

// poolingOf describes a pooling, an adaptive one by its size.
func poolingOf(kind string, kernel, by, size [2]int) string {
	if size != [2]int{} {
		return fmt.Sprintf("adaptive %s pooling to %d×%d", kind, size[0], size[1])
	}
	return fmt.Sprintf("%s pooling %d×%d", kind, kernel[0], kernel[1]) + stride(by, kernel)
}

// stride mentions a stride that is not the usual one.
func stride(s, usual [2]int) string {
	if s == usual {
		return ""
	}
	return fmt.Sprintf(", stride %d", s[0])
}

// total is the number of parameters and of multiply-adds of one kind of step, or, without a kind,
// of all.
func (a architecture) total(kind string) (parameters, work int) {
	for _, s := range a.steps {
		if kind == "" || s.kind == kind {
			parameters, work = parameters+s.parameters, work+s.work
		}
	}
	return parameters, work
}

// share is the share of one kind of step in all parameters and in all multiply-adds, from 0 to 1.
func (a architecture) share(kind string) (parameters, work float64) {
	p, w := a.total(kind)
	allP, allW := a.total("")
	return float64(p) / float64(max(allP, 1)), float64(w) / float64(max(allW, 1))
}

// towers is the number of parts of each value: the input, then the result of each step. Groups of a
// convolution split its input and its result; a pooling keeps the parts.
func (a architecture) towers() []int {
	parts := make([]int, len(a.steps)+1)
	for i := range parts {
		parts[i] = 1
	}
	for i, s := range a.steps {
		if s.groups > 1 {
			parts[i], parts[i+1] = s.groups, s.groups
		}
	}
	for i := len(a.steps) - 1; i >= 0; i-- {
		if a.steps[i].kind == poolingKind {
			parts[i] = max(parts[i], parts[i+1])
		}
	}
	for i, s := range a.steps {
		if s.kind == poolingKind {
			parts[i+1] = parts[i]
		}
	}
	return parts
}

// diagram draws values as blocks, and steps as edges.
func (a architecture) diagram(title string) viz.Diagram {
	d := viz.Diagram{Title: title}
	towers := a.towers()
	_, work := a.total("")
	from := []int{0}
	d.Blocks = []viz.Block{{Row: 0, Text: extent(a.in, 1)}}
	for i, s := range a.steps {
		var to []int
		for range towers[i+1] {
			to = append(to, len(d.Blocks))
			d.Blocks = append(d.Blocks, viz.Block{Row: i + 1, Text: extent(s.out, towers[i+1])})
		}
		d.Edges = append(d.Edges, s.edges(from, to, work)...)
		from = to
	}
	return d
}

// edges lead from the parts of a value to those of the next: each to its own, or each to all. They
// share the step's work; the first of them is labelled with the step.
func (s step) edges(from, to []int, work int) (edges []viz.Edge) {
	apart := len(from) == len(to) && (s.groups > 1 || s.kind == poolingKind)
	kind := s.kind
	if kind == otherwise { // which no legend needs to explain
		kind = ""
	}
	for i, a := range from {
		for j, b := range to {
			if !apart || i == j {
				edges = append(edges, viz.Edge{From: a, To: b, Kind: kind})
			}
		}
	}
	share := float64(s.work) / float64(max(work, 1))
	for i := range edges {
		edges[i].Weight = share / float64(len(edges))
	}
	edges[0].Lines = s.lines(share)
	return edges
}

// lines describe the step, with its parameters and its share of the work.
func (s step) lines(share float64) (lines []string) {
	lines = []string{s.layer + ": " + s.does}
	if s.kind == poolingKind && s.parameters == 0 { // a layer that mostly has no name
		lines = []string{s.does}
	}
	if len(s.then) > 0 {
		lines = append(lines, strings.Join(s.then, ", "))
	}
	switch {
	case s.work > 0:
		lines = append(lines, fmt.Sprintf("%s parameters, %.1f %% of the work", commas(s.parameters), 100*share))
	case s.parameters > 0:
		lines = append(lines, commas(s.parameters)+" parameters")
	}
	return lines
}

// extent is the size of a part of a value, as LeNet's paper writes it: 6@28×28 are six maps of 28
// by 28.
func extent(t shape.Type, parts int) string {
	dims := t.At(1).Ints()[1:]
	if len(dims) == 0 {
		return "1"
	}
	text, sign := commas(dims[0]/parts), "@"
	for _, d := range dims[1:] {
		text, sign = text+sign+fmt.Sprint(d), "×"
	}
	return text
}
