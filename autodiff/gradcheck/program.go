package gradcheck

import (
	"context"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/vm"
)

// program computes nodes from the feeds of a check.
type program struct {
	machine *vm.Machine
	feeds   []*tensor.Dense
	out     [][]float64
}

func (c *checker) program(outs ...*graph.Node) (*program, error) {
	p, err := vm.Compile(c.opts.Engine, outs)
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(vm.NewStore(c.opts.Seed))
	if err != nil {
		return nil, err
	}
	prog := &program{machine: m, out: make([][]float64, len(outs))}
	for _, in := range p.Inputs() {
		prog.feeds = append(prog.feeds, c.feeds[in.Name()].tensor)
	}
	return prog, nil
}

// run returns the elements of the outputs. They are valid until the next run.
func (p *program) run() ([][]float64, error) {
	outs, err := p.machine.Run(context.Background(), p.feeds...)
	if err != nil {
		return nil, err
	}
	for i, o := range outs {
		p.out[i] = o.Float64s()
	}
	return p.out, nil
}

// step is the distance between the points of the finite differences. They are of fourth order:
// their error is about step^4, and that of rounding is proportional to 1/step; both are about
// 1e-12.
const step = 1e-3

// slope returns the derivative of the first output, a scalar, with respect to the element at x.
func (p *program) slope(x *float64) (float64, error) {
	at := *x
	defer func() { *x = at }()
	var sum float64
	for _, s := range [...]struct{ by, weight float64 }{{-2, 1}, {-1, -8}, {1, 8}, {2, -1}} {
		*x = at + s.by*step
		out, err := p.run()
		if err != nil {
			return 0, err
		}
		sum += s.weight * out[0][0]
	}
	return sum / (12 * step), nil
}
