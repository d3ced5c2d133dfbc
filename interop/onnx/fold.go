package onnx

import (
	"context"
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/vm"
)

const (
	// maxFolded is the number of elements that a value may have that is computed while a file is
	// evaluated.
	maxFolded = 1 << 24
	// allFolded is the number that all values which one evaluation folds may have, so that a small file
	// cannot make it long. What is beyond is left to the program.
	allFolded = 1 << 28
)

// A fold builds an operator whose inputs are known in a graph of its own. They are its Inputs, so
// that they are exact.
type fold struct {
	g     *graph.Graph
	nodes map[*value]*graph.Node
	feeds map[string]*Tensor
}

func (f *fold) nodeOf(v *value) *graph.Node {
	if n := f.nodes[v]; n != nil {
		return n
	}
	if v.host == nil || v.host.Type == ir.String {
		refuse("%v is no known tensor of numbers", v)
	}
	name := fmt.Sprint(len(f.nodes))
	n := f.g.Input(name, v.host.compute())
	f.nodes[v], f.feeds[name] = n, v.host
	return n
}

// fold evaluates the operator and runs what it built. What is too large becomes nodes of the model.
func (c *call) fold(op *operator) []*value {
	f := &fold{g: graph.New(), nodes: map[*value]*graph.Node{}, feeds: map[string]*Tensor{}}
	c.b = f
	outs := op.eval(c)
	if err := f.g.Err(); err != nil {
		var list graph.ErrorList
		if errors.As(err, &list) {
			err = list[0].Err
		}
		panic(refusal{err})
	}
	var nodes []*graph.Node
	var elems []ir.DataType
	for _, v := range outs {
		if v != nil && v.node != nil && v.host == nil {
			nodes, elems = append(nodes, v.node), append(elems, v.elem)
		}
	}
	if len(nodes) == 0 {
		return outs
	}
	if !c.ev.affords(nodes) {
		c.b = c.ev
		return op.eval(c)
	}
	results := compute(nodes, elems, f.feeds)
	for i, v := range outs {
		if v != nil && v.node != nil && v.host == nil {
			outs[i] = known(results[0])
			results = results[1:]
		}
	}
	return outs
}

// affords reports whether nodes can be folded, and counts them.
func (ev *evaluator) affords(nodes []*graph.Node) bool {
	for _, n := range graph.Reachable(nodes...) {
		size := n.Type().Len()
		if ev.folded += size; size > maxFolded || ev.folded > allFolded {
			return false
		}
	}
	return true
}

// compute runs nodes of one graph that depend on no inputs but feeds.
func compute(nodes []*graph.Node, elems []ir.DataType, feeds map[string]*Tensor) []*Tensor {
	for _, n := range graph.Reachable(nodes...) {
		if s := n.Type().Shape; !s.Concrete() || s.Len() > maxFolded {
			refuse("%v cannot be computed when the program is made: it has too many elements, or depends on N", n.Type())
		}
	}
	p, err := vm.Compile(ref.Engine{}, nodes)
	if err != nil {
		panic(refusal{err})
	}
	m, err := p.NewMachine(vm.NewStore(0))
	if err != nil {
		panic(refusal{err})
	}
	var in []*tensor.Dense
	for _, n := range p.Inputs() {
		in = append(in, feeds[n.Name()].dense())
	}
	outs, err := m.Run(context.Background(), in...)
	if err != nil {
		panic(refusal{err})
	}
	results := make([]*Tensor, len(outs))
	for i, d := range outs {
		results[i] = fromDense(d, elems[i])
	}
	return results
}
