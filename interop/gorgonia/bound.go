package gorgonia

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Ops that neither a row of rules nor a map of scalar functions lowers become a custom op that
// borrows from ours: the kernel of engine/ref, and the op's own gradient rule, the nodes of which
// are lowered in turn.

// bindable is an op that asks an engine for its kernel, or brings one.
type bindable interface {
	Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)
}

// bound lowers the op of c by the kernel that engine/ref binds it to.
func bound(c *call) *G.Node {
	in, out := c.inTypes(c.node), c.typeOf(c.node)
	b, err := bind(c.node.Op(), in, out)
	if err != nil {
		return c.fail("%w", err)
	}
	if len(in) == 0 { // gorgonia's ops have inputs; without any, the result is known now
		values := make([]float64, out.Len())
		if err := guarded(boundKernel[float64](b, in, out), values, nil); err != nil {
			return c.fail("%w", err)
		}
		return c.constant(out.Ints(), c.exact(out, values...))
	}
	f32, f64 := boundKernel[float32](b, in, out), boundKernel[float64](b, in, out)
	op := newCustom(c.unique(c.node.Op().Name()), out.Ints(), f32, f64, c.in...)
	a, l := c.adjointOf(c.node), c.lowering
	var y *G.Node
	y = c.custom(op.derived(a.by, func(in G.Nodes, dy *G.Node) (G.Nodes, error) { return l.pull(a, in, y, dy) }), c.in...)
	return y
}

// bind returns the kernel of op for concrete types.
func bind(op graph.Op, in []shape.Type, out shape.Type) (b engine.Bound, err error) {
	ins, to := engine.InRows(in...), engine.InRow(out)
	switch op := op.(type) {
	case bindable:
		b, err = op.Bind(ref.Engine{}, ins, to)
	case engine.ElementwiseOp:
		m := op.Map(in, out)
		if err := m.Check(in, []shape.Type{out}); err != nil {
			return b, err
		}
		b, err = ref.Engine{}.BindMap(m, ins, []engine.Operand{to})
	case aliaser:
		return engine.Bound{Kernel: alias}, nil
	default:
		return b, fmt.Errorf("op type %T has no method Bind, Map, Uniform or Aliases, so it has no kernel", op)
	}
	if err == nil && (b.Kernel == nil || b.Scratch < 0) {
		err = fmt.Errorf("bound to a kernel that is nil or wants %d bytes of scratch", b.Scratch)
	}
	return b, err
}

// aliaser is an op whose result has the elements of its first input, in the same order.
type aliaser interface{ Aliases() }

func alias(c *engine.Call) error {
	copy(c.Out[0].Bytes(), c.In[0].Bytes())
	return nil
}

// boundKernel runs b on values of gorgonia's, which are all floating point: integers and Bools are
// converted on the way in and out.
func boundKernel[T shape.Float](b engine.Bound, in []shape.Type, out shape.Type) kernel[T] {
	return func(y []T, x [][]T) error {
		c := &engine.Call{Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
		for i, t := range in {
			c.In = append(c.In, typed(t, x[i]))
		}
		result := typed(out, y)
		c.Out = []engine.Buffer{result}
		if err := errors.Join(b.Kernel(c), c.Late()); err != nil {
			return err
		}
		if out.DType == shape.DTypeOf[T]() {
			return nil
		}
		return load(y, engine.DenseOf(out.Shape, result))
	}
}

// typed returns x as a buffer of type t, which views x where that is its type.
func typed[T shape.Float](t shape.Type, x []T) engine.Buffer {
	if t.DType == shape.DTypeOf[T]() {
		return engine.BufferOf(x)
	}
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
	engine.Load(b, engine.Floats(engine.BufferOf(x)))
	return b
}

// An adjoint is the gradient rule of one node, applied in a graph of its own.
type adjoint struct {
	in    []*graph.Node // leaves that stand for the node's inputs
	y, dy *graph.Node   // the node itself, and a leaf that stands for its adjoint
	dx    []*graph.Node // of each input; nil where none passes
	by    []bool        // inputs that an adjoint, or err, passes to
	err   error         // why the rule cannot be applied; it counts only if a gradient must pass
}

// adjointOf applies the rule of n once.
func (l *lowering) adjointOf(n *graph.Node) *adjoint {
	if l.adjoints[n] == nil {
		l.adjoints[n] = newAdjoint(n)
	}
	return l.adjoints[n]
}

func newAdjoint(n *graph.Node) *adjoint {
	a := &adjoint{dx: make([]*graph.Node, n.NIn()), by: make([]bool, n.NIn())}
	var wrt []*graph.Node
	g := graph.New()
	for i, x := range n.Ins() {
		if x.Kind() == graph.Const { // whose numbers the rule may look at
			a.in = append(a.in, g.Replay(x))
		} else {
			a.in = append(a.in, g.Input(fmt.Sprint("input ", i), x.Type()))
		}
		if x.Type().IsFloat() {
			wrt = append(wrt, a.in[i])
		}
	}
	if len(wrt) == 0 || !n.Type().IsFloat() {
		return a
	}
	g.Derived(n, func() {
		a.y, a.dy = g.Apply(n.Op(), a.in...), g.Input("adjoint", n.Type())
	})
	dxs := autodiff.VJP(a.y, a.dy, wrt...)
	a.err = g.Err()
	for i, x := range a.in {
		if !x.Type().IsFloat() {
			continue
		}
		if a.err != nil || autodiff.Connected(dxs[0]) {
			a.dx[i], a.by[i] = dxs[0], true
		}
		dxs = dxs[1:]
	}
	return a
}

// pull lowers the adjoints that dy, of the value y, induces on in. Each is a copy, since gorgonia
// may add to adjoints in place; so is dy, of which gorgonia may have dropped axes of extent 1.
func (l *lowering) pull(a *adjoint, in G.Nodes, y, dy *G.Node) (G.Nodes, error) {
	if a.err != nil {
		return nil, l.refuse(a.err)
	}
	c := &call{lowering: l, node: a.y}
	l.values[a.y], l.values[a.dy] = y, c.private(dy, l.dims(a.dy))
	var dxs []*graph.Node
	for i, x := range a.in {
		l.values[x] = in[i]
		if a.by[i] {
			dxs = append(dxs, a.dx[i])
		}
	}
	l.claim(nil) // what gorgonia has added meanwhile
	if err := l.lower(dxs); err != nil {
		return nil, err
	}
	adjoints := make(G.Nodes, len(in))
	for i, by := range a.by {
		if by {
			adjoints[i] = c.private(l.values[a.dx[i]], in[i].Shape())
		}
	}
	l.claim(a.y)
	return adjoints, c.err
}

// refuse records what a graph of an adjoint reports.
func (l *lowering) refuse(err error) error {
	var list graph.ErrorList
	if errors.As(err, &list) {
		l.refused = append(l.refused, list...)
	}
	return err
}
