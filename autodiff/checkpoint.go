package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Checkpoint returns f(in...), with a gradient that recomputes the nodes between in and the result
// instead of keeping their values until then: it trades time for memory (Chen et al., "Training
// Deep Nets with Sublinear Memory Cost", 2016). Values that stay in memory are those of in, of
// other nodes that f uses, such as parameters, and of the result. As layers do, f may add
// parameters and use nodes that are not in in. Values, gradients and random numbers are the same as
// without a checkpoint.
//
//	y := autodiff.Checkpoint(func(x ...*graph.Node) *graph.Node { return block.Apply(s, x[0]) }, x)
//
// Program.Memory of package vm shows how much memory it saves. Checkpoints may be nested. A
// gradient with respect to a node between in and the result is computed without the checkpoint. A
// result that is not floating point is an error.
func Checkpoint(f func(in ...*graph.Node) *graph.Node, in ...*graph.Node) *graph.Node {
	g := owner(nil, nil, in)
	if f == nil {
		return g.Reject("Checkpoint", errors.New("the function is nil"), in...)
	}
	before := len(g.Nodes())
	y := f(in...)
	switch {
	case y == nil:
		return g.Reject("Checkpoint", errors.New("the function returns nil"), in...)
	case len(in) == 0:
		g, before = y.Graph(), 0
	case y.Graph() != g:
		return g.Reject("Checkpoint", fmt.Errorf("the function returns %v, a node of another graph", y), in...)
	}
	if !y.Valid() {
		return y
	}
	if !y.Type().HasGradient() {
		return g.Reject("Checkpoint", notFloat(y), y)
	}
	return g.Apply(checkpointOp{}, append([]*graph.Node{y}, boundary(y, in, before)...)...)
}

// boundary lists the nodes at which the recomputed part ends: the nodes of in, leaves, and nodes
// that were there before f ran.
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

// checkpointOp has as inputs y and then the boundary of the part that is not kept. Its value is y.
type checkpointOp struct{}

func (checkpointOp) Name() string { return "Checkpoint" }

func (checkpointOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

// Grad builds the part again, from marked copies of its boundary, and differentiates that.
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

// Aliases declares that the result shares the memory of y.
func (checkpointOp) Aliases() {}

// Simplify drops the op: by the time a program is compiled, gradients have been taken.
func (checkpointOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }

// Inference implements [graph.ModeSwitch]: only training needs the checkpoint.
func (checkpointOp) Inference(in []*graph.Node) *graph.Node { return in[0] }

// holds reports whether n is a checkpoint with one of the wanted nodes between its boundary and its
// result. A gradient with respect to such a node is taken without the checkpoint.
func holds(n *graph.Node, wanted func(*graph.Node) bool) bool {
	if _, ok := n.Op().(checkpointOp); !ok {
		return false
	}
	edge := n.Ins()[1:]
	return slices.ContainsFunc(between(edge, n.In(0)), wanted)
}

// recomputeOp marks an input of a part that is recomputed for the gradient of checkpoint At. Its
// value is its first input; the mark keeps cse from merging the recomputed expressions with the
// original ones. It waits for its second input, an adjoint.
type recomputeOp struct{ At int }

func (recomputeOp) Name() string { return "Recompute" }

func (recomputeOp) Infer(in []shape.Type) (t shape.Type, err error) { return first(in) }

func (recomputeOp) Grad(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, nil} }

// Aliases declares that the result shares the memory of the marked input.
func (recomputeOp) Aliases() {}

// Simplify drops the mark of a parameter, because engines can keep parameters packed.
func (recomputeOp) Simplify(n *graph.Node) *graph.Node {
	if n.In(0).Kind() == graph.Param {
		return n.In(0)
	}
	return nil
}
