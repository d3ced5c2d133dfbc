package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Checkpoint returns f(in...), whose gradient computes anew what lies between instead of keeping
// it until then: memory for time (Chen et al., "Training Deep Nets with Sublinear Memory Cost",
// 2016). Kept are the nodes of in and what else f builds on, parameters among them, and the
// result. f may make parameters and use nodes that in does not list, as layers do; values,
// gradients and random numbers are those of f without a checkpoint.
//
//	y := autodiff.Checkpoint(func(x ...*graph.Node) *graph.Node { return block.Apply(s, x[0]) }, x)
//
// What it saves is seen in vm's Program.Memory. Checkpoints may be nested. A gradient by a node
// between in and the result is taken without the checkpoint. A result that is not floating point
// is an error.
func Checkpoint(f func(in ...*graph.Node) *graph.Node, in ...*graph.Node) *graph.Node {
	g := owner(nil, nil, in)
	if f == nil {
		return g.Reject("Checkpoint", errors.New("the function is nil"), in...)
	}
	before := len(g.Nodes())
	y := f(in...)
	switch {
	case y == nil:
		return g.Reject("Checkpoint", errors.New("the function gives nil"), in...)
	case len(in) == 0:
		g, before = y.Graph(), 0
	case y.Graph() != g:
		return g.Reject("Checkpoint", fmt.Errorf("the function gives %v, a node of another graph", y), in...)
	}
	if !y.Valid() {
		return y
	}
	if !y.Type().HasGradient() {
		return g.Reject("Checkpoint", notFloat(y), y)
	}
	return g.Apply(checkpointOp{}, append([]*graph.Node{y}, boundary(y, in, before)...)...)
}

// boundary lists what y is computed from without looking into it: the nodes of in, leaves, and
// nodes that were there before.
func boundary(y *graph.Node, in []*graph.Node, before int) (edge []*graph.Node) {
	seen, given := map[*graph.Node]bool{y: true}, map[*graph.Node]bool{}
	for _, x := range in {
		given[x] = true
	}
	for stack := []*graph.Node{y}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n.Kind() != graph.Computed || n.ID() < before || given[n] {
			edge = append(edge, n)
			continue
		}
		for _, x := range n.Ins() {
			if !seen[x] {
				seen[x] = true
				stack = append(stack, x)
			}
		}
	}
	slices.SortFunc(edge, func(a, b *graph.Node) int { return a.ID() - b.ID() })
	return edge
}

// checkpointOp takes y and then the boundary of the part that is not kept. Its value is y.
type checkpointOp struct{}

func (checkpointOp) Name() string { return "Checkpoint" }

func (checkpointOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

// Grad builds the part anew, on marks of its boundary, and differentiates that.
func (checkpointOp) Grad(n, dy *graph.Node) []*graph.Node {
	g, y, edge := n.Graph(), n.In(0), n.Ins()[1:]
	image := map[*graph.Node]*graph.Node{}
	var wrt []*graph.Node
	var floats []int
	for i, x := range edge {
		if x.Kind() == graph.Const {
			image[x] = x
			continue
		}
		image[x] = g.Apply(recomputeOp{n.ID()}, x, dy)
		if x.Type().HasGradient() {
			wrt = append(wrt, image[x])
			floats = append(floats, 1+i)
		}
	}
	for _, m := range between(edge, y) {
		in := make([]*graph.Node, m.NIn())
		for i, x := range m.Ins() {
			in[i] = image[x]
		}
		g.Derived(m, func() { image[m] = g.Apply(m.Op(), in...) })
	}
	dxs := make([]*graph.Node, n.NIn())
	if len(wrt) == 0 || !image[y].Valid() {
		return dxs
	}
	s := newSweep([]*graph.Node{image[y]}, wrt)
	s.run([]*graph.Node{image[y]}, []*graph.Node{dy})
	for k, i := range floats {
		dxs[i] = s.sum(wrt[k])
	}
	return dxs
}

// Aliases says that the result is the memory of y.
func (checkpointOp) Aliases() {}

// Simplify drops the op: gradients have been taken when a program is made.
func (checkpointOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }

// Inference implements [graph.ModeSwitch]: what only training needs is not to be kept by it.
func (checkpointOp) Inference(in []*graph.Node) *graph.Node { return in[0] }

// holds reports whether n is a checkpoint with one of the nodes wanted between its boundary and
// its result. A gradient by those is that of the part as it stands.
func holds(n *graph.Node, wanted func(*graph.Node) bool) bool {
	if _, ok := n.Op().(checkpointOp); !ok {
		return false
	}
	edge := n.Ins()[1:]
	return slices.ContainsFunc(between(edge, n.In(0)), wanted)
}

// recomputeOp marks an input of a part that is computed anew for the gradient of checkpoint At: it
// is its first input, for expressions that cse takes for others than those of the first time. The
// second input, an adjoint, it waits for.
type recomputeOp struct{ At int }

func (recomputeOp) Name() string { return "Recompute" }

func (recomputeOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

func (recomputeOp) Grad(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, nil} }

// Aliases says that the result is the memory of what is marked.
func (recomputeOp) Aliases() {}

// Simplify drops the mark of a parameter, which engines know how to keep packed.
func (recomputeOp) Simplify(n *graph.Node) *graph.Node {
	if n.In(0).Kind() == graph.Param {
		return n.In(0)
	}
	return nil
}
