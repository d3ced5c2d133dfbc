package vm

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// maxFold is the largest number of elements of a folded value. It keeps programs small.
const maxFold = 1 << 16

// fold replaces nodes that depend only on Consts by a Const. It leaves uniform values to lowering,
// which turns them into immediates.
func fold(u *unit) error {
	var failed error
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		image := dst.Replay(n, in...)
		if failed != nil || !foldable(image) {
			return image
		}
		v, err := evaluate(u.eng, image)
		if err != nil {
			failed = graph.ErrorAt(n, err)
			return image
		}
		return dst.Const(image.Type(), v)
	})
	return failed
}

// foldable excludes Int64, because a Const holds float64 numbers.
func foldable(n *graph.Node) bool {
	if n.NIn() == 0 || n.Type().DType == shape.Int64 || !n.Type().Shape.Concrete() || n.Type().Len() > maxFold {
		return false
	}
	for _, x := range n.Ins() {
		if x.Kind() != graph.Const {
			return false
		}
	}
	_, uniform := n.Op().(engine.UniformOp)
	return !uniform
}

// evaluate computes a node whose inputs are Consts.
func evaluate(e engine.Engine, n *graph.Node) ([]float64, error) {
	if _, ok := n.Op().(Aliaser); ok {
		return n.In(0).Values(), nil
	}
	types := make([]shape.Type, n.NIn())
	in := make([]engine.Buffer, n.NIn())
	for i, x := range n.Ins() {
		types[i] = x.Type()
		in[i] = allocate(x.Type())
		engine.Load(in[i], x.Values())
	}
	b, err := bindOp(e, n.Op(), engine.InRows(types...), engine.InRow(n.Type()))
	if err != nil {
		return nil, err
	}
	out := allocate(n.Type())
	err = computeOnce(b, in, out)
	return engine.Floats(out), err
}

// computeOnce runs a kernel on host memory.
func computeOnce(b engine.Bound, in []engine.Buffer, out engine.Buffer) error {
	c := engine.Call{Out: []engine.Buffer{out}, In: in, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	return engine.Hosted(b).Kernel(&c)
}
