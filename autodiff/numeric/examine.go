package numeric

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/vm"
)

// A Report says what a gradient is on one batch, and what makes it zero. String gives it as text.
type Report struct {
	autodiff.Explanation
	Zeros, Elements int          // of the gradient by By; both 0 where it does not pass
	Activations     []Activation // between By and Of, those next to By first
}

// An Activation is a function of one argument that a gradient passes on its way.
type Activation struct {
	Node *graph.Node
	// Units counts its channels (axis 1), or where it has fewer than two axes, its elements. Dead
	// are those whose derivative is 0 everywhere on the batch: a ReLU below zero for every example,
	// a sigmoid beyond the precision of its type.
	Units, Dead int
	// Unreached: the gradient is zero already where it arrives from Of.
	Unreached bool
}

// Examine says why the gradient of y, a floating-point scalar, by x is zero on one batch: first
// as [autodiff.Explain] does, then, where a path is open, by the values that the graph takes on e
// for the inputs and the store: which units between the two are dead. The inputs are those that
// y and x are computed from, in creation order. Nothing is changed, in the graph or in the store.
func Examine(ctx context.Context, e engine.Engine, s *vm.Store, y, x *graph.Node, inputs ...*tensor.Dense) (Report, error) {
	why, err := autodiff.Explain(y, x)
	r := Report{Explanation: why}
	if err != nil || !why.Passes {
		return r, err
	}
	acts := activations(y, x)
	roots := []*graph.Node{y, x}
	for _, n := range acts {
		roots = append(roots, n, n.In(0))
	}
	image := graph.Transform(roots, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(n, in...)
	})
	wrt := []*graph.Node{image[1]}
	for i := range acts {
		wrt = append(wrt, image[2+2*i])
	}
	grads := autodiff.Grad(image[0], wrt...)
	outs := []*graph.Node{grads[0], image[0]}
	for i := range acts {
		n, in := image[2+2*i], image[3+2*i]
		outs = append(outs, extreme(autodiff.VJP(n, ops.OnesLike(n), in)[0]), ops.Max(ops.Abs(grads[1+i])))
	}
	got, err := run(ctx, e, s, outs, inputs)
	if err != nil {
		return r, err
	}
	r.Zeros, r.Elements = zerosOf(got[0]), got[0].Shape().TotalSize()
	for i, n := range acts {
		slopes, arrives := got[2+2*i], got[3+2*i]
		r.Activations = append(r.Activations, Activation{
			Node: n, Units: slopes.Shape().TotalSize(), Dead: zerosOf(slopes), Unreached: zerosOf(arrives) == 1,
		})
	}
	return r, nil
}

// activations lists the functions of one argument on the way from x to y that keep its type.
func activations(y, x *graph.Node) (acts []*graph.Node) {
	on := map[*graph.Node]bool{x: true}
	for _, n := range graph.Reachable(y) {
		if !slices.ContainsFunc(n.Ins(), func(in *graph.Node) bool { return on[in] }) {
			continue
		}
		on[n] = true
		_, elementwise := n.Op().(vm.Elementwise)
		if elementwise && n.NIn() == 1 && n.Type().IsFloat() && n.In(0).Type() == n.Type() && !slices.Contains(n.Type().Dims(), 0) {
			acts = append(acts, n)
		}
	}
	return acts
}

// extreme is the greatest magnitude of each unit.
func extreme(slope *graph.Node) *graph.Node {
	var axes []int
	for i, d := range slope.Type().Dims() {
		if slope.Type().Rank() > 1 && i != 1 || d.Symbolic() {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		return ops.Abs(slope)
	}
	return ops.Max(ops.Abs(slope), axes...)
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

// String returns the report, over several lines: what Explanation says, or the activations that
// have dead units or are not reached.
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
