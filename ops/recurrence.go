package ops

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var recurrentOps = []graph.Op{
	recurrenceOp{}, recurrenceOp{engine.GRU}, keptRecurrence{engine.Recurrence{Kept: engine.HiddenStates}},
	recurrenceGrad{engine.RecurrenceGrad{}}, recurrenceGrad{engine.RecurrenceGrad{Cell: engine.GRU}},
}

// recurrenceOp runs a cell over all steps. Its inputs and its result are those of
// [engine.Recurrer], with everything kept.
type recurrenceOp struct{ Cell engine.Cell }

func (op recurrenceOp) Name() string { return op.Cell.String() }

func (op recurrenceOp) Infer(in []shape.Type) (t shape.Type, err error) {
	states, gates := op.Cell.States(), shape.Dim(op.Cell.Gates())
	if err := errors.Join(arity(in, states+3), wantFloat(in...)); err != nil {
		return t, err
	}
	x, h := in[0], in[1]
	units, err := recurrentUnits(x, h)
	if err != nil {
		return t, err
	}
	want := []shape.Shape{x.With(2, gates*units), h.Shape, h.Shape, shape.Of(gates*units, units), shape.Of(gates * units)}
	if err := haveShapes(in, append(want[:1:1], want[3-states:]...)); err != nil {
		return t, err
	}
	return x.Of(x.With(2, shape.Dim(op.Cell.Planes())*units)), nil
}

// recurrentUnits returns the number of hidden units of a state h (N,H) for sequences x (N,T,...).
func recurrentUnits(x, h shape.Type) (shape.Dim, error) {
	if x.Rank() != 3 || !x.Drop(0).Concrete() || x.Dim(1) == 0 || h.Rank() != 2 || h.Dim(0) != x.Dim(0) || !h.Drop(0).Concrete() || h.Dim(1) == 0 {
		return 0, fmt.Errorf("sequences are %v and a state is %v; want (N,T,...) with T at least 1, and (N,H) with H at least 1", x, h)
	}
	return h.Dim(1), nil
}

func haveShapes(in []shape.Type, want []shape.Shape) error {
	for i, t := range in {
		if t.Shape != want[i] {
			return fmt.Errorf("input %d is %v; want %v", i, t, t.Of(want[i]))
		}
	}
	return nil
}

// weights returns w and b of n, a node of the op.
func (op recurrenceOp) weights(in []*graph.Node) (w, b *graph.Node) {
	return in[len(in)-2], in[len(in)-1]
}

// Grad implements autodiff's Differentiable. The steps are one op, and what follows from all of
// them one product each.
func (op recurrenceOp) Grad(n, dy *graph.Node) []*graph.Node {
	h, states := n.In(1), op.Cell.States()
	units := h.Type().Int(1)
	plane := func(from, to int) *graph.Node {
		if from == to {
			return nil
		}
		r := wholeOf(dy.Type().Shape)
		r.Start[2], r.Part = shape.Dim(from*units), r.Part.With(2, shape.Dim((to-from)*units))
		return adjointIn(dy, r)
	}
	dh, dc, inner := plane(0, 1), plane(1, states), plane(states, op.Cell.Planes())
	if dh == nil && dc == nil && inner == nil {
		return make([]*graph.Node, n.NIn())
	}
	if dh == nil {
		dh = ZerosLike(planesOf(n, h, 0, 1))
	}
	g := recurrenceGrad{engine.RecurrenceGrad{Cell: op.Cell, Cells: dc != nil, Inner: inner != nil}}
	var in []*graph.Node
	for _, x := range []*graph.Node{dh, dc, inner, n, n.In(states), n.In(states + 1)} {
		if x != nil {
			in = append(in, x)
		}
	}
	d := graph.Apply(g, in...)
	ofX, ofH := g.gates(d, units)
	return slices.Concat([]*graph.Node{ofX}, op.stateGrads(n, d, ofH), op.weightGrads(n, ofH))
}

// stateGrads returns the adjoints of the states of n, given the result d of the gradient, and those of
// what the hidden state contributes to the gates.
func (op recurrenceOp) stateGrads(n, d, ofH *graph.Node) []*graph.Node {
	w, _ := op.weights(n.Ins())
	units := w.Type().Int(1)
	first := MatMul(Squeeze(sliceAxis(ofH, 1, 0, 1), 1), w)
	carry := Squeeze(Slice(d, Whole(), Range{Stop: 1}, Range{Start: 4 * units, Stop: 5 * units}), 1)
	if op.Cell == engine.GRU {
		return []*graph.Node{Add(first, carry)}
	}
	return []*graph.Node{first, carry}
}

// weightGrads returns those of w and b.
func (op recurrenceOp) weightGrads(n, ofH *graph.Node) []*graph.Node {
	before, units := Unsqueeze(n.In(1), 1), n.In(1).Type().Int(1)
	if steps := n.Type().Int(1); steps > 1 {
		before = Concat(1, before, Slice(n, Whole(), Range{Stop: steps - 1}, Range{Stop: units}))
	}
	dw := MatMul(asRows(ofH), asRows(before), MatMulOp{TransA: true})
	return []*graph.Node{dw, Sum(ofH, 0, 1)}
}

// asRows joins all axes of x but the last.
func asRows(x *graph.Node) *graph.Node {
	rows, err := x.Type().Drop(-1).Size()
	if err != nil {
		return x.Graph().Reject("Reshape", err, x)
	}
	return Reshape(x, rows, x.Type().Dim(-1))
}

// adjointIn returns the region r of an adjoint, or nil if it is known to be zero: of the planes of a
// recurrence most have no other adjoint than zeros.
func adjointIn(dy *graph.Node, r region) *graph.Node {
	switch op := dy.Op().(type) {
	case fullOp:
		if op.Value.Value() == 0 {
			return nil
		}
	case embedOp:
		part, inside, apart := op.within(r)
		switch {
		case apart:
			return nil
		case inside:
			return graph.Apply(embedOp{part}, dy.In(0))
		}
	case binary:
		if a, b := dy.In(0), dy.In(1); op == add && a.Type() == b.Type() {
			return sumOf(adjointIn(a, r), adjointIn(b, r))
		}
	}
	return graph.Apply(SliceOp{r}, dy)
}

// sumOf returns the sum of two adjoints, either of which may be nil.
func sumOf(a, b *graph.Node) *graph.Node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return Add(a, b)
}

// within returns where in region r the embedded part is, if it is inside, and whether it is apart from
// it. Both are false if it is partly in r, or has steps.
func (op embedOp) within(r region) (in region, inside, apart bool) {
	in, inside = wholeOf(r.Part), true
	in.Part = op.Part
	for i := range op.Whole.Rank() {
		if op.Step[i] != 1 {
			return in, false, false
		}
		if op.Part.Dim(i) == op.Whole.Dim(i) && r.Part.Dim(i) == r.Whole.Dim(i) {
			continue
		}
		from, n, lo, m := int(op.Start[i]), op.Part.Int(i), int(r.Start[i]), r.Part.Int(i)
		apart = apart || from+n <= lo || lo+m <= from
		inside = inside && from >= lo && from+n <= lo+m
		in.Start[i] = shape.Dim(from - lo)
	}
	return in, inside, apart
}

func (op recurrenceOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return keptRecurrence{engine.Recurrence{Cell: op.Cell}}.Bind(e, in, out)
}

// Weights implements vm's Weighted.
func (op recurrenceOp) Weights(in []shape.Type) (engine.Weights, bool) {
	return engine.Weights{In: len(in) - 2}, true
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op recurrenceOp) MACs(in []shape.Type, _ shape.Type) int { return in[0].Len() * in[1].Int(1) }

// Absorb implements vm's Absorber: where only the hidden states are used, no other planes are kept.
func (op recurrenceOp) Absorb(_ engine.Engine, in []shape.Type, next graph.Op, _ int, nextIn []shape.Type) (graph.Op, bool) {
	s, ok := next.(SliceOp)
	if !ok || !s.takesAllRows() {
		return nil, false
	}
	of, units, steps := s.window(nextIn[0].Shape), in[1].Int(1), in[0].Int(1)
	kept := engine.Recurrence{Cell: op.Cell, Kept: engine.HiddenStates}
	if s.Part.Int(1) == 1 && of.Start[1] == steps-1 {
		kept.Kept = engine.LastHidden
	} else if s.Part.Int(1) != steps {
		return nil, false
	}
	return keptRecurrence{kept}, s.Part.Int(2) == units && of.Start[2] == 0 && of.Step[1] == 1 && of.Step[2] == 1
}

// keptRecurrence is a recurrence of which only a part is kept.
type keptRecurrence struct{ engine.Recurrence }

func (op keptRecurrence) Name() string { return op.Cell.String() + "+Slice" }

func (op keptRecurrence) Infer(in []shape.Type) (t shape.Type, err error) {
	if t, err = (recurrenceOp{op.Cell}).Infer(in); err != nil || op.Kept == engine.Everything {
		return t, err
	}
	if t.Shape = t.With(2, in[1].Dim(1)); op.Kept == engine.LastHidden {
		t.Shape = t.With(1, 1)
	}
	return t, nil
}

// NotDifferentiable implements autodiff's NotDifferentiable.
func (keptRecurrence) NotDifferentiable() string { return madeByAbsorb }

func (op keptRecurrence) Weights(in []shape.Type) (engine.Weights, bool) {
	return recurrenceOp{op.Cell}.Weights(in)
}

func (op keptRecurrence) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Recurrer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "recurrent layers")
	}
	return b.BindRecurrence(op.Recurrence, in, out)
}

// recurrenceGrad is the op of [engine.Recurrer]'s gradient.
type recurrenceGrad struct{ engine.RecurrenceGrad }

func (op recurrenceGrad) Name() string { return op.Cell.String() + "Grad" }

// inputs are those of a recurrenceGrad; absent ones are nil.
type recurrentAdjoints struct{ dh, dc, inner, planes, state, w *graph.Node }

func (op recurrenceGrad) inputs(in []*graph.Node) (a recurrentAdjoints) {
	next := func() (x *graph.Node) {
		x, in = in[0], in[1:]
		return x
	}
	a.dh = next()
	if op.Cells {
		a.dc = next()
	}
	if op.Inner {
		a.inner = next()
	}
	a.planes, a.state, a.w = next(), next(), next()
	return a
}

func (op recurrenceGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	inputs := 4
	if op.Cells {
		inputs++
	}
	if op.Inner {
		inputs++
	}
	if err := errors.Join(arity(in, inputs), wantFloat(in...)); err != nil {
		return t, err
	}
	dh, state := in[0], in[inputs-2]
	units, err := recurrentUnits(dh, state)
	if err != nil {
		return t, err
	}
	steps := func(planes int) shape.Shape { return dh.With(2, shape.Dim(planes)*units) }
	want := []shape.Shape{steps(1)}
	if op.Cells {
		want = append(want, steps(1))
	}
	if op.Inner {
		want = append(want, steps(4))
	}
	want = append(want, steps(op.Cell.Planes()), state.Shape, shape.Of(shape.Dim(op.Cell.Gates())*units, units))
	if err := haveShapes(in, want); err != nil {
		return t, err
	}
	if op.Cells && op.Cell == engine.GRU {
		return t, errors.New("a GRU has no second state")
	}
	if op.Brief {
		return dh.Of(steps(4)), nil
	}
	return dh.Of(steps(5)), nil
}

// gates returns, of d, a node of the op, the adjoints of what the inputs and the hidden state
// contribute to the gates.
func (op recurrenceGrad) gates(d *graph.Node, units int) (ofX, ofH *graph.Node) {
	if op.Cell == engine.LSTM {
		all := sliceAxis(d, 2, 0, 4*units)
		return all, all
	}
	return Concat(2, sliceAxis(d, 2, units, 3*units), sliceAxis(d, 2, 0, units)), sliceAxis(d, 2, units, 4*units)
}

func (op recurrenceGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Recurrer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "recurrent layers")
	}
	return b.BindRecurrenceGrad(op.RecurrenceGrad, in, out)
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op recurrenceGrad) MACs(in []shape.Type, _ shape.Type) int {
	return in[0].Len() * in[len(in)-1].Int(0)
}

// Absorb implements vm's Absorber: the adjoints of the gates alone.
func (op recurrenceGrad) Absorb(_ engine.Engine, in []shape.Type, next graph.Op, _ int, nextIn []shape.Type) (graph.Op, bool) {
	s, ok := next.(SliceOp)
	if !ok || op.Brief || !s.takesAllRows() {
		return nil, false
	}
	of, units := s.window(nextIn[0].Shape), in[0].Int(2)
	op.Brief = true
	return op, s.Part.Int(1) == in[0].Int(1) && s.Part.Int(2) == 4*units && of.Start[2] == 0 && of.Step[1] == 1 && of.Step[2] == 1
}
