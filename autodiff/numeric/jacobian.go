package numeric

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Direction is the way in which a Jacobian is computed.
type Direction uint8

const (
	// Smaller means Reverse if ys have at most as many elements as wrt, and Forward otherwise.
	Smaller Direction = iota
	// Reverse runs a vector-Jacobian product for each element of ys.
	Reverse
	// Forward runs a Jacobian-vector product for each element of wrt.
	Forward
)

// Options configure [Jacobian] and [Hessian]. The zero value is the default.
type Options struct {
	Direction Direction
	Batch     int // the value of N with which Smaller compares; 0 means 1
}

// A Matrix computes the derivatives of several nodes with respect to several others. It is one
// compiled program, which runs once for each element of the smaller side. Only one goroutine may
// use it at a time.
type Matrix struct {
	// Direction is the direction in use, Reverse or Forward.
	Direction Direction

	machine *vm.Machine
	inputs  []*graph.Node // of the graph, without the seeds
	place   []int         // of each input of the program: its index in inputs, or -1-i for seed i
	outs    int           // the number of outputs of the program that are derivatives
	ys, wrt []shape.Type
}

// Jacobian compiles the derivatives of ys with respect to wrt, which are floating-point nodes of
// one graph, of any shape. The program runs on e with the values in s. The graph is cloned and does
// not change. The error lists all mistakes in the graph; those of [autodiff.VJP] among them.
func Jacobian(e engine.Engine, s *vm.Store, ys, wrt []*graph.Node, o Options) (*Matrix, error) {
	if err := checkNodes(ys, wrt); err != nil {
		return nil, err
	}
	roots := graph.Transform(slices.Concat(ys, wrt), func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(n, in...)
	})
	ys, wrt = roots[:len(ys)], roots[len(ys):]
	m := &Matrix{Direction: o.Direction, ys: types(ys), wrt: types(wrt)}
	if m.Direction == Smaller {
		m.Direction = smaller(m.ys, m.wrt, max(o.Batch, 1))
	}
	for _, n := range graph.Reachable(ys...) {
		if n.Kind() == graph.Input {
			m.inputs = append(m.inputs, n)
		}
	}
	var seeds, outs []*graph.Node
	if m.Direction == Reverse {
		seeds = seedsFor(ys)
		outs = autodiff.Grad(contract(ys, seeds), wrt...)
	} else {
		seeds = seedsFor(wrt)
		for _, y := range ys {
			outs = append(outs, autodiff.JVP(y, wrt, seeds))
		}
	}
	return m, m.compile(e, s, seeds, outs)
}

// Hessian compiles the second derivatives of loss, a floating-point scalar, with respect to every
// pair of nodes of wrt: the [Jacobian] of its gradient. It may be asymmetric if the graph contains
// a StopGradient or a user-defined gradient.
func Hessian(e engine.Engine, s *vm.Store, loss *graph.Node, wrt []*graph.Node, o Options) (*Matrix, error) {
	if err := checkNodes([]*graph.Node{loss}, wrt); err != nil {
		return nil, err
	}
	roots := graph.Transform(append([]*graph.Node{loss}, wrt...), func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(n, in...)
	})
	grads := autodiff.Grad(roots[0], roots[1:]...)
	if err := roots[0].Graph().Err(); err != nil {
		return nil, err
	}
	return Jacobian(e, s, grads, roots[1:], o)
}

func checkNodes(ys, wrt []*graph.Node) error {
	if len(ys) == 0 || len(wrt) == 0 {
		return errors.New("numeric: want at least one node to differentiate and one to differentiate by")
	}
	for _, n := range slices.Concat(ys, wrt) {
		switch {
		case n == nil:
			return errors.New("numeric: a node is nil")
		case n.Graph() != ys[0].Graph():
			return fmt.Errorf("numeric: %v belongs to another graph", n)
		case n.Graph().Err() != nil:
			return n.Graph().Err()
		case n.Type().HasGradient() && !n.Type().IsFloat():
			return fmt.Errorf("numeric: %v is %v; want float32 or float64, see Cast", n, n.Type())
		case !n.Type().IsFloat():
			return fmt.Errorf("numeric: %v is %v; only floating point has gradients", n, n.Type())
		}
	}
	return nil
}

func types(ns []*graph.Node) []shape.Type {
	ts := make([]shape.Type, len(ns))
	for i, n := range ns {
		ts[i] = n.Type()
	}
	return ts
}

func smaller(ys, wrt []shape.Type, batch int) Direction {
	if elements(ys, batch) <= elements(wrt, batch) {
		return Reverse
	}
	return Forward
}

func elements(ts []shape.Type, batch int) (n int) {
	for _, t := range ts {
		n += t.At(batch).Len()
	}
	return n
}

// seedsFor adds an Input for each node, with its type and an unused name.
func seedsFor(ns []*graph.Node) []*graph.Node {
	seeds := make([]*graph.Node, len(ns))
	g, k := ns[0].Graph(), 0
	for i, n := range ns {
		for g.Leaf(fmt.Sprint("seed", k)) != nil {
			k++
		}
		seeds[i] = g.Input(fmt.Sprint("seed", k), n.Type())
	}
	return seeds
}

// contract returns the sum of all ys times their seeds. The gradient of this sum is the VJP of ys
// with the seeds.
func contract(ys, seeds []*graph.Node) (sum *graph.Node) {
	for i, y := range ys {
		part := ops.Sum(ops.Mul(y, seeds[i]))
		if sum == nil {
			sum = part
			continue
		}
		sum = ops.Add(sum, part)
	}
	return sum
}

func (m *Matrix) compile(e engine.Engine, s *vm.Store, seeds, outs []*graph.Node) error {
	m.outs = len(outs)
	for _, in := range m.inputs { // they may fix N even if their values are not needed
		outs = append(outs, ops.Scalar(in, 0))
	}
	p, err := vm.Compile(e, outs)
	if err != nil {
		return err
	}
	for _, in := range p.Inputs() {
		at := slices.IndexFunc(m.inputs, func(n *graph.Node) bool { return n.Name() == in.Name() })
		if i := slices.IndexFunc(seeds, func(n *graph.Node) bool { return n.Name() == in.Name() }); i >= 0 {
			at = -1 - i
		}
		m.place = append(m.place, at)
	}
	m.machine, err = p.NewMachine(s)
	return err
}

// Inputs returns the Input nodes whose values Run takes, in that order: those that ys are computed
// from, in creation order. They belong to a clone of the graph, so identify them by name.
func (m *Matrix) Inputs() []*graph.Node {
	if m == nil {
		return nil
	}
	return slices.Clone(m.inputs)
}

// Run returns the derivatives for the given inputs and the values in the store. Element [i][j] has
// the shape of ys[i] followed by that of wrt[j], and holds the derivatives of ys[i] with respect to
// wrt[j]. If ctx ends, Run returns its cause.
func (m *Matrix) Run(ctx context.Context, inputs ...*tensor.Dense) ([][]*tensor.Dense, error) {
	switch {
	case m == nil || len(m.ys) == 0:
		return nil, errors.New("numeric: the Matrix was not made by Jacobian or Hessian")
	case ctx == nil:
		return nil, errors.New("numeric: the context is nil; use context.Background() for one that never ends")
	}
	batch, err := m.batch(inputs)
	if err != nil {
		return nil, err
	}
	ys, wrt := at(m.ys, batch), at(m.wrt, batch)
	sides := [2][]shape.Type{ys, wrt} // each seed is an element of sides[seeded]
	seeded := 0
	if m.Direction == Forward {
		seeded = 1
	}
	all := make([][]*tensor.Dense, len(ys))
	for i, y := range ys {
		for _, x := range wrt {
			all[i] = append(all[i], zeros(y.DType, slices.Concat(y.Ints(), x.Ints())))
		}
	}
	seeds := make([]*tensor.Dense, len(sides[seeded]))
	for i, t := range sides[seeded] {
		seeds[i] = zeros(t.DType, t.Ints())
	}
	feed := make([]*tensor.Dense, len(m.place))
	for k, p := range m.place {
		if p < 0 {
			feed[k] = seeds[-1-p]
			continue
		}
		feed[k] = inputs[p]
	}
	for i, t := range sides[seeded] {
		for e := range t.Len() {
			set(seeds[i], e, 1)
			out, err := m.machine.Run(ctx, feed...)
			set(seeds[i], e, 0)
			if err != nil {
				return nil, err
			}
			for j, o := range out[:m.outs] {
				if seeded == 0 {
					put(all[i][j], e*wrt[j].Len(), 1, o)
				} else {
					put(all[j][i], e, t.Len(), o)
				}
			}
		}
	}
	return all, nil
}

// batch returns N of the inputs, or 1 if no input depends on it.
func (m *Matrix) batch(inputs []*tensor.Dense) (int, error) {
	if len(inputs) != len(m.inputs) {
		return 0, fmt.Errorf("numeric: there are %d inputs, %d were given", len(m.inputs), len(inputs))
	}
	n := 0
	for i, in := range m.inputs {
		if inputs[i] == nil || inputs[i].Dims() != in.Type().Rank() {
			return 0, fmt.Errorf("numeric: input %q is %v; another shape was given, or none", in.Name(), in.Type())
		}
		for axis, d := range in.Type().Dims() {
			have := inputs[i].Shape()[axis]
			k := d.Factor()
			switch {
			case k == 0 && have != int(d), k > 0 && (have%k != 0 || have == 0 || n > 0 && have/k != n):
				return 0, fmt.Errorf("numeric: input %q is %v; the tensor given has shape %v", in.Name(), in.Type(), inputs[i].Shape())
			case k > 0:
				n = have / k
			}
		}
	}
	return max(n, 1), nil
}

func at(ts []shape.Type, batch int) []shape.Type {
	concrete := make([]shape.Type, len(ts))
	for i, t := range ts {
		concrete[i] = t.At(batch)
	}
	return concrete
}

func zeros(d shape.DType, dims []int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.Of(engine.DenseDType(d)))
}

func set(d *tensor.Dense, i int, v float64) {
	if d.Dtype() == tensor.Float32 {
		d.Float32s()[i] = float32(v)
		return
	}
	d.Float64s()[i] = v
}

// put copies the elements of from into every step-th element of d, beginning at first.
func put(d *tensor.Dense, first, step int, from *tensor.Dense) {
	if d.Dtype() == tensor.Float32 {
		scatter(d.Float32s(), first, step, from.Float32s())
		return
	}
	scatter(d.Float64s(), first, step, from.Float64s())
}

func scatter[T float32 | float64](to []T, first, step int, from []T) {
	for i, v := range from {
		to[first+i*step] = v
	}
}
