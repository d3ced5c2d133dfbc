package train

import (
	"context"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// flaw is where a value is not finite.
type flaw struct {
	value float64
	at    []int
	rows  []int // along axis 0
}

// examination is a step that is made again, node by node.
type examination struct {
	net    *Network
	flaws  map[*graph.Node]*flaw // of leaves and of what was computed; nil for what is finite
	inputs map[string]*tensor.Dense
}

// examine makes the step of b from the values of s, without changing them, by a program that
// computes each node of the graph as it is written, and finds where the first value arises that is
// not finite. It returns nil where all are finite.
func (r *run) examine(ctx context.Context, s *vm.Store, epoch int, b data.Batch) (*NotFiniteError, error) {
	net := r.programs.Network
	if net.computed != nil { // it has the updates only
		var err error
		if net, err = build(r.Model, r.info, r.batches.Info().Target, r.Loss, r.Optimizer, false); err != nil {
			return nil, err
		}
	}
	x := examination{net, map[*graph.Node]*flaw{}, map[string]*tensor.Dense{}}
	roots := x.roots()
	if err := x.compute(ctx, r, s, roots, b); err != nil {
		return nil, err
	}
	for _, root := range roots {
		if x.flaw(root) == nil {
			continue
		}
		first := x.first(root)
		e := &NotFiniteError{Epoch: epoch + 1, Batch: b.Index + 1, Node: first, Value: x.flaw(first).value, At: x.flaw(first).at}
		x.place(e, root)
		e.Examples, e.Whole = x.examples(first, b)
		for _, i := range e.Examples {
			if file := data.Path(r.Train, i); file != "" {
				e.Files = append(e.Files, file)
			}
		}
		return e, x.origins(ctx, r, s, e)
	}
	return nil, nil
}

// roots are the loss, and the values that leaves take, in the order in which they are made.
func (x *examination) roots() []*graph.Node {
	roots := []*graph.Node{x.net.Training.Loss}
	for _, u := range x.net.Training.Loss.Graph().Updates() {
		if u.Value.Type().HasGradient() {
			roots = append(roots, u.Value)
		}
	}
	return roots
}

// asWritten is a machine for nodes in which each is an instruction: all passes that can be are switched off.
func (r *run) asWritten(s *vm.Store, nodes []*graph.Node) (*vm.Program, *vm.Machine, error) {
	var names []string
	for _, p := range vm.Passes() {
		if p.Optional {
			names = append(names, p.Name)
		}
	}
	p, err := vm.Compile(r.Engine, nodes, vm.Without(names...))
	if err != nil {
		return nil, nil, err
	}
	m, err := p.NewMachine(s)
	return p, m, err
}

// compute notes what is not finite among the leaves, the inputs and all that is computed.
func (x *examination) compute(ctx context.Context, r *run, s *vm.Store, roots []*graph.Node, b data.Batch) error {
	p, m, err := r.asWritten(s, roots)
	if err != nil {
		return err
	}
	feeds, err := x.net.feedsOf(p.Inputs())
	if err != nil {
		return err
	}
	g := roots[0].Graph()
	var args []*tensor.Dense
	for i, in := range p.Inputs() {
		d := feeds[i](b, results{})
		args = append(args, d)
		x.inputs[in.Name()], x.flaws[g.Leaf(in.Name())] = d, flawOf(d)
	}
	for _, n := range p.Leaves() {
		v, err := s.Value(n.Name())
		if err != nil {
			return err
		}
		x.flaws[g.Leaf(n.Name())] = flawOf(v)
	}
	_, err = m.Trace(ctx, func(in vm.Instruction, results []*tensor.Dense) {
		for i, d := range results {
			if n := in.Out[i].Node; x.flaws[n] == nil {
				x.flaws[n] = flawOf(d)
			}
		}
	}, args...)
	return err
}

// flaw is that of the value of n. What is only another shape of its input has that one's.
func (x *examination) flaw(n *graph.Node) *flaw {
	f, computed := x.flaws[n]
	if _, alias := n.Op().(vm.Aliaser); alias && !computed && n.NIn() > 0 {
		return x.flaw(n.In(0))
	}
	return f
}

// first is the first of the nodes that root has its flaw from: one whose inputs have none.
func (x *examination) first(root *graph.Node) *graph.Node {
	first := root
	seen := map[*graph.Node]bool{}
	for open := []*graph.Node{root}; len(open) > 0; {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		source := true
		for _, in := range n.Ins() {
			if x.flaw(in) != nil {
				source, open = false, append(open, in)
			}
		}
		if source && (first == root || n.ID() < first.ID()) {
			first = n
		}
	}
	return first
}

// place says in which part of the step the node stands.
func (x *examination) place(e *NotFiniteError, root *graph.Node) {
	switch n := e.Node; {
	case n.Kind() == graph.Input:
		e.Phase = InData
	case n.Kind() != graph.Computed:
		e.Phase, e.Leaf = InValues, n.Name()
	case n.ID() < x.net.phases[0]:
		e.Phase = InForward
	case n.ID() < x.net.phases[1]:
		e.Phase = InBackward
	default:
		e.Phase = InUpdate
		for _, u := range n.Graph().Updates() {
			if u.Value == root {
				e.Leaf = u.Leaf.Name()
			}
		}
	}
}

// examples are those of the rows of n that are not finite, or all where rows are not examples.
func (x *examination) examples(n *graph.Node, b data.Batch) (of []int, all bool) {
	t := n.Type()
	if t.Rank() == 0 || t.Dim(0) != shape.N {
		return slices.Clone(b.Examples), true
	}
	for _, row := range x.flaw(n).rows {
		of = append(of, b.Examples[row])
	}
	return of, false
}

// origins computes what the node has made its value of.
func (x *examination) origins(ctx context.Context, r *run, s *vm.Store, e *NotFiniteError) error {
	var ins []*graph.Node
	for _, in := range e.Node.Ins() {
		if in.Type().HasGradient() {
			ins = append(ins, in)
		}
	}
	if len(ins) == 0 {
		return nil
	}
	p, m, err := r.asWritten(s, ins)
	if err != nil {
		return err
	}
	var args []*tensor.Dense
	for _, in := range p.Inputs() {
		args = append(args, x.inputs[in.Name()])
	}
	outs, err := m.Run(ctx, args...)
	if err != nil {
		return err
	}
	for i, d := range outs {
		e.From = append(e.From, from(d, ins[i].Type() == e.Node.Type(), e.At))
	}
	return nil
}

// flawOf returns what is not finite in d, or nil.
func flawOf(d *tensor.Dense) *flaw {
	v := elements(d)
	var f *flaw
	row := max(1, len(v))
	if dims := d.Shape(); len(dims) > 0 && dims[0] > 0 {
		row = max(1, len(v)/dims[0])
	}
	for i, x := range v {
		if isFinite(x) {
			continue
		}
		if f == nil {
			f = &flaw{value: x, at: place(i, d.Shape())}
		}
		if n := len(f.rows); n == 0 || f.rows[n-1] != i/row {
			f.rows = append(f.rows, i/row)
		}
	}
	return f
}

// elements are those of a floating-point tensor; others have none that are not finite.
func elements(d *tensor.Dense) []float64 {
	if !engine.DTypeOf(d).HasGradient() {
		return nil
	}
	return engine.Floats(engine.BufferOfDense(d))
}

// place is the index of element i of a tensor of the given shape.
func place(i int, dims tensor.Shape) []int {
	at := make([]int, len(dims))
	for axis := len(dims) - 1; axis >= 0; axis-- {
		at[axis], i = i%dims[axis], i/dims[axis]
	}
	return at
}

// from is the element of d at a place or, where it is another, the greatest magnitude.
func from(d *tensor.Dense, same bool, at []int) float64 {
	v, i, most := elements(d), 0, 0.0
	for axis, k := range at {
		if same {
			i = i*d.Shape()[axis] + k
		}
	}
	if same {
		return v[i]
	}
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}
