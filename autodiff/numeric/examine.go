package numeric

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A Report describes a gradient on one batch, and why it is zero. String formats it.
type Report struct {
	autodiff.Explanation
	Zeros, Elements int          // of the gradient with respect to By; both 0 if it does not pass
	Norm            float64      // L2 norm of the gradient with respect to By
	Activations     []Activation // between By and Of, those nearest to By first
	Way             []Station    // from Of to By
}

// A Station is a layer that lies between Of and By, with the last of its nodes on the way. Of
// itself is a Station too.
type Station struct {
	Node *graph.Node
	Norm float64 // L2 norm of the gradient of Of with respect to Node, over the whole batch
}

// An Activation is a function of one argument that the gradient passes.
type Activation struct {
	Node *graph.Node
	// Units is the number of channels (axis 1) or, if there are fewer than two axes, of elements.
	// Dead is the number of units whose derivative is 0 everywhere on the batch: a ReLU that is
	// below zero for every example, a sigmoid that is saturated beyond the precision of its type.
	Units, Dead int
	// Values is the number of values on the batch. Flat is the number of those at which the
	// function is flat: its derivative is below a hundredth of its largest value, which is 1/4 for
	// a sigmoid and 1 for others. They are the zeros of a ReLU, and values near the ends of a
	// sigmoid or tanh.
	Flat, Values int
	// Unreached reports that the gradient is already zero when it arrives from Of.
	Unreached bool
}

// Examine says why the gradient of y, a floating-point scalar, with respect to x is zero on one
// batch. It first does what [autodiff.Explain] does. If a path is open, it runs the graph on e with
// the inputs and the values in s, and reports which units between x and y are dead. It takes a
// tensor for each Input that y and x are computed from, in creation order. It changes neither the
// graph nor the store.
func Examine(ctx context.Context, e engine.Engine, s *vm.Store, y, x *graph.Node, inputs ...*tensor.Dense) (Report, error) {
	why, err := autodiff.Explain(y, x)
	r := Report{Explanation: why}
	if err != nil || !why.Passes {
		return r, err
	}
	way := wayOf(y, x)
	acts, ends := activations(way), stations(y, way)
	got, err := measure(ctx, e, s, y, x, acts, ends, inputs)
	if err != nil {
		return r, err
	}
	r.Zeros, r.Elements, r.Norm = zerosOf(got[0]), got[0].Shape().TotalSize(), rootOf(got[1])
	got = got[3:]
	for _, n := range acts {
		r.Activations = append(r.Activations, Activation{
			Node: n, Units: got[0].Shape().TotalSize(), Dead: zerosOf(got[0]), Unreached: zerosOf(got[1]) == 1,
			Flat: int(number(got[2])), Values: int(number(got[3])),
		})
		got = got[4:]
	}
	for i, n := range ends {
		r.Way = append(r.Way, Station{n, rootOf(got[i])})
	}
	return r, nil
}

// measure computes, on a clone of the graph, the gradient with respect to x, the sum of its
// squares, and y; then four values for each node of acts and one for each of ends.
func measure(ctx context.Context, e engine.Engine, s *vm.Store, y, x *graph.Node, acts, ends []*graph.Node, inputs []*tensor.Dense) ([]*tensor.Dense, error) {
	roots := slices.Concat([]*graph.Node{y, x}, acts, ends)
	for _, n := range acts {
		roots = append(roots, n.In(0))
	}
	image := graph.Transform(roots, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(n, in...)
	})
	wrt, ins := image[1:2+len(acts)+len(ends)], image[2+len(acts)+len(ends):]
	grads := autodiff.Grad(image[0], wrt...)
	outs := []*graph.Node{grads[0], square(grads[0]), image[0]}
	for i := range acts {
		n := wrt[1+i]
		slope := ops.Abs(autodiff.VJP(n, ops.OnesLike(n), ins[i])[0])
		flat := ops.Less(slope, ops.FullLike(slope, steepest(n)/100))
		outs = append(outs, extreme(slope), ops.Max(ops.Abs(grads[1+i])), ops.Sum(ops.Cast(flat, shape.Float64)), ops.Cast(ops.Count(n), shape.Float64))
	}
	for i := range ends {
		outs = append(outs, square(grads[1+len(acts)+i]))
	}
	return run(ctx, e, s, outs, inputs)
}

// square returns the sum of squares in float64, in which the squares of small gradients do not
// underflow to 0.
func square(n *graph.Node) *graph.Node { return ops.Sum(ops.Square(ops.Cast(n, shape.Float64))) }

// steepest returns the largest derivative of an activation.
func steepest(n *graph.Node) float64 {
	if n.Op().Name() == "Sigmoid" {
		return .25
	}
	return 1
}

func rootOf(d *tensor.Dense) float64 { return math.Sqrt(number(d)) }

// number returns the element of a float64 scalar.
func number(d *tensor.Dense) float64 {
	v, err := vm.Number(d)
	if err != nil {
		return math.NaN()
	}
	return v
}

// wayOf lists the nodes on the paths from x to y, in order.
func wayOf(y, x *graph.Node) (way []*graph.Node) {
	on := map[*graph.Node]bool{x: true}
	for _, n := range graph.Reachable(y) {
		if slices.ContainsFunc(n.Ins(), func(in *graph.Node) bool { return on[in] }) {
			on[n] = true
			way = append(way, n)
		}
	}
	return way
}

// stations returns y and the last node on the way of each layer, from y backwards.
func stations(y *graph.Node, way []*graph.Node) []*graph.Node {
	ends := []*graph.Node{y}
	seen := map[string]bool{"": true, y.Layer(): true}
	for _, n := range slices.Backward(way) {
		if !seen[n.Layer()] && n.Type().IsFloat() && n.Origin() == nil {
			seen[n.Layer()] = true
			ends = append(ends, n)
		}
	}
	return ends
}

// activations lists the functions of one argument on the way whose result has the type of their
// input.
func activations(way []*graph.Node) (acts []*graph.Node) {
	for _, n := range way {
		_, elementwise := n.Op().(engine.ElementwiseOp)
		if elementwise && n.NIn() == 1 && n.Type().IsFloat() && n.In(0).Type() == n.Type() && !slices.Contains(n.Type().Dims(), 0) {
			acts = append(acts, n)
		}
	}
	return acts
}

// extreme returns the largest element of each unit.
func extreme(slope *graph.Node) *graph.Node {
	var axes []int
	for i, d := range slope.Type().Dims() {
		if slope.Type().Rank() > 1 && i != 1 || d.Symbolic() {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		return slope
	}
	return ops.Max(slope, axes...)
}

func run(ctx context.Context, e engine.Engine, s *vm.Store, outs []*graph.Node, inputs []*tensor.Dense) ([]*tensor.Dense, error) {
	p, err := vm.Compile(e, outs)
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	return m.Run(ctx, inputs...)
}

// zerosOf counts the zeros among the elements of d.
func zerosOf(d *tensor.Dense) (n int) {
	if d.Dtype() == tensor.Float32 {
		return count(d.Float32s())
	}
	return count(d.Float64s())
}

func count[T float32 | float64](v []T) (n int) {
	for _, x := range v {
		if x == 0 {
			n++
		}
	}
	return n
}

// String returns the report as several lines of text: the Explanation, or the activations that have
// dead units or are not reached.
func (r Report) String() string {
	if !r.Passes {
		return r.Explanation.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "of the gradient of %v by %v, %d of %d elements are zero on this batch", r.Of, r.By, r.Zeros, r.Elements)
	for _, a := range r.Activations {
		if a.Dead > 0 {
			fmt.Fprintf(&b, "\n\tat %s: %d of %d units are dead, their derivative is 0 for every example", place(a.Node), a.Dead, a.Units)
		}
		if a.Unreached {
			fmt.Fprintf(&b, "\n\tat %s: no gradient arrives from %v", place(a.Node), r.Of)
		}
	}
	return b.String()
}

func place(n *graph.Node) string {
	layer := ""
	if n.Layer() != "" {
		layer = "layer " + n.Layer() + ", "
	}
	return fmt.Sprintf("%v %v (%s%v)", n, n.Type(), layer, n.Pos())
}
