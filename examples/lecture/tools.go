package lecture

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/vm"
)

// feed is an input of a graph with its values.
type feed struct {
	node  *graph.Node
	value *tensor.Dense
}

// floats returns a tensor of that shape.
func floats[X float32 | float64](v []X, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
}

// compute returns the values of nodes, computed by the engine cpu from a store and inputs.
func compute(ctx context.Context, s *vm.Store, outs []*graph.Node, feeds ...feed) ([]*tensor.Dense, error) {
	p, err := vm.Compile(cpu.New(), outs)
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	var in []*tensor.Dense
	for _, x := range p.Inputs() {
		for _, f := range feeds {
			if f.node.Name() == x.Name() {
				in = append(in, f.value)
			}
		}
	}
	values, err := m.Run(ctx, in...)
	if err != nil {
		return nil, fmt.Errorf("computing: %w", err)
	}
	for i, v := range values {
		values[i] = v.Clone().(*tensor.Dense) // the machine keeps its own
	}
	return values, nil
}
