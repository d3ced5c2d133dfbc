package train

import (
	"context"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// flaw is the place of elements that are not finite.
type flaw struct {
	value float64
	at    []int
	rows  []int // along axis 0
}

// examination repeats a step node by node.
type examination struct {
	net    *Network
	flaws  map[*graph.Node]*flaw // of leaves and computed nodes; nil if all elements are finite
	inputs map[string]*tensor.Dense
}

// examine repeats the step of batch b with the values of s, without changing them, using a program
// that computes each node of the graph as it is written. It finds the first value that is not
// finite. It returns nil if all values are finite.
func (r *run) examine(ctx context.Context, s *vm.Store, epoch int, b data.Batch) (*NotFiniteError, error) {
	net := r.programs.Network
	if net.computed != nil { // the graph has only the updates
		var err error
		h := r.how()
		h.fed, h.team = false, nil
		if net, err = build(r.Model, r.info, r.Loss, r.Optimizer, h); err != nil {
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
		var rows []int
		rows, e.Whole = x.rows(first, b)
		for _, row := range rows {
			e.Examples = append(e.Examples, b.Examples[row])
			if file := r.file(b, row); file != "" {
				e.Files = append(e.Files, file)
			}
		}
		return e, x.origins(ctx, r, s, e)
	}
	return nil, nil
}

// roots returns the loss and the next values of leaves, in the order in which they are computed.
func (x *examination) roots() []*graph.Node {
	roots := []*graph.Node{x.net.Training.Loss}
	for _, u := range x.net.Training.Loss.Graph().Updates() {
		if u.Value.Type().HasGradient() {
			roots = append(roots, u.Value)
		}
	}
	return roots
}

// asWritten returns a machine in which each of nodes is an instruction: all optional passes are
// off.
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

// compute records which elements of the leaves, the inputs and the computed nodes are not finite.
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

// flaw returns the flaw of the value of n. A node that only reshapes its input has the flaw of the
// input.
func (x *examination) flaw(n *graph.Node) *flaw {
	f, computed := x.flaws[n]
	if _, alias := n.Op().(vm.Aliaser); alias && !computed && n.NIn() > 0 {
		return x.flaw(n.In(0))
	}
	return f
}

// first returns the first node that the flaw of root comes from: a node whose inputs have none.
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

// place sets the phase of the step in which the node was computed.
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

// rows returns those rows of n that are not finite, or all of the batch if the rows are not examples.
func (x *examination) rows(n *graph.Node, b data.Batch) (rows []int, all bool) {
	t := n.Type()
	if t.Rank() > 0 && t.Dim(0) == shape.N {
		return x.flaw(n).rows, false
	}
	for row := range b.Examples {
		rows = append(rows, row)
	}
	return rows, true
}

// file returns the file of an example of a batch, or the name of its record, or "" if neither is known.
func (r *run) file(b data.Batch, row int) string {
	if r.Stream != nil {
		return b.Names[row]
	}
	return data.Path(r.Train, b.Examples[row])
}

// origins sets From: the elements of the node's inputs that its value comes from.
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

// flawOf returns the flaw of d, or nil.
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

// elements returns the elements of a floating-point tensor, and nil for other types, which are
// always finite.
func elements(d *tensor.Dense) []float64 {
	if !engine.DTypeOf(d).HasGradient() {
		return nil
	}
	return engine.Floats(engine.BufferOfDense(d))
}

// place returns the index of element i of a tensor of the given shape.
func place(i int, dims tensor.Shape) []int {
	at := make([]int, len(dims))
	for axis := len(dims) - 1; axis >= 0; axis-- {
		at[axis], i = i%dims[axis], i/dims[axis]
	}
	return at
}

// from returns the element of d at the given index if d has the same shape, otherwise its largest
// magnitude.
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
