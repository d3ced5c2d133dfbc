package gorgonia

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
)

// kept is how many batch sizes a Machine keeps programs for: that of an epoch, and that of the
// smaller batch at its end.
const kept = 2

// A Machine computes what a [Program] does, for batches of any size: it keeps the programs of
// the last two. Several goroutines may use it; their runs wait for one another.
type Machine struct {
	outs, wrt, inputs []*graph.Node

	mu       sync.Mutex
	programs []*Program // the one used last is last
	closed   bool
}

// NewMachine returns a machine for outs and the gradients of outs[0] with regard to each of wrt,
// as [Lower] describes them. It is lowered for batches of n at once, so that what cannot be
// lowered is an error here.
func NewMachine(outs []*graph.Node, n int, wrt ...*graph.Node) (*Machine, error) {
	p, err := Lower(outs, n, wrt...)
	if err != nil {
		return nil, err
	}
	return &Machine{outs: slices.Clone(outs), wrt: slices.Clone(wrt), inputs: p.Inputs(), programs: []*Program{p}}, nil
}

// Inputs returns the Input leaves in the order in which Run takes their values.
func (m *Machine) Inputs() []*graph.Node {
	if m == nil {
		return nil
	}
	return slices.Clone(m.inputs)
}

// Run is [Program.Run] for the batch size that the inputs have. One that is new is lowered first.
func (m *Machine) Run(ctx context.Context, leaves func(name string) (*tensor.Dense, error), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	if m == nil || len(m.outs) == 0 {
		return nil, errors.New("gorgonia: a Machine that NewMachine has not made")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("gorgonia: the machine is closed")
	}
	n, err := m.batchOf(inputs)
	if err != nil {
		return nil, err
	}
	p, err := m.program(n)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx, leaves, inputs...)
}

// batchOf is the batch size of the first input that has one, and otherwise 1. The program checks
// that all agree.
func (m *Machine) batchOf(inputs []*tensor.Dense) (int, error) {
	if len(inputs) != len(m.inputs) {
		return 0, fmt.Errorf("gorgonia: the machine has %d inputs, %d were given", len(m.inputs), len(inputs))
	}
	for i, x := range m.inputs {
		for axis, d := range x.Type().Dims() {
			if k := d.Factor(); k > 0 && inputs[i] != nil && axis < inputs[i].Dims() {
				return inputs[i].Shape()[axis] / k, nil
			}
		}
	}
	return 1, nil
}

// program returns that for batches of n.
func (m *Machine) program(n int) (*Program, error) {
	i := slices.IndexFunc(m.programs, func(p *Program) bool { return p.batch == n })
	if i >= 0 {
		p := m.programs[i]
		m.programs = append(slices.Delete(m.programs, i, i+1), p)
		return p, nil
	}
	p, err := Lower(m.outs, n, m.wrt...)
	if err != nil {
		return nil, err
	}
	m.programs = append(m.programs, p)
	if len(m.programs) <= kept {
		return p, nil
	}
	oldest := m.programs[0]
	m.programs = slices.Delete(m.programs, 0, 1)
	return p, oldest.Close()
}

// Close ends the programs; there is no Run after it.
func (m *Machine) Close() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var err error
	for _, p := range m.programs {
		err = errors.Join(err, p.Close())
	}
	m.programs = nil
	return err
}
