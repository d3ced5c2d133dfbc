package vm

import (
	"errors"
	"slices"
	"sync"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A Program is a compiled graph. It is immutable and safe for concurrent use.
type Program struct {
	unit       *unit
	inputs     map[string]int
	leaves     []*graph.Node // Params and States that it reads or writes
	leaf       map[string]int
	consts     []engine.Buffer
	constForms []formSet // of consts
	konst      map[*graph.Node]int
	claims     []*claim // of the owners of its updates
	memory     engine.Memory
	device     bool // memory is not the host's

	mu    sync.Mutex
	plans map[int]*plan // by batch size
}

var errNoProgram = errors.New("vm: no program; make one by Compile")

func newProgram(u *unit) (*Program, error) {
	p := &Program{unit: u, inputs: map[string]int{}, leaf: map[string]int{}, konst: map[*graph.Node]int{}, plans: map[int]*plan{}}
	p.memory = engine.MemoryOf(u.eng)
	p.device = !onHost(p.memory)
	for i, n := range u.inputs {
		p.inputs[n.Name()] = i
	}
	for _, n := range graph.Reachable(u.roots()...) {
		switch n.Kind() {
		case graph.Param, graph.State:
			p.leaf[n.Name()] = len(p.leaves)
			p.leaves = append(p.leaves, n)
		case graph.Const:
			b, err := reserve(n.Type(), "a constant")
			if err != nil {
				return nil, err
			}
			engine.Load(b, n.Values())
			if b, err = moved(p.memory, b, "a constant"); err != nil {
				return nil, err
			}
			p.konst[n] = len(p.consts)
			p.consts = append(p.consts, b)
		}
	}
	p.constForms = make([]formSet, len(p.consts))
	p.claims = claimsOf(u.updates)
	return p, nil
}

func (p *Program) inputIndex(name string) int   { return p.inputs[name] }
func (p *Program) leafIndex(name string) int    { return p.leaf[name] }
func (p *Program) constIndex(n *graph.Node) int { return p.konst[n] }
func (p *Program) writes() bool                 { return len(p.unit.updates) > 0 }

// Inputs returns the Input nodes whose values Run takes, in that order: those that the outputs
// depend on, in creation order.
func (p *Program) Inputs() []*graph.Node {
	if p == nil || p.unit == nil {
		return nil
	}
	return slices.Clone(p.unit.inputs)
}

// Outputs returns the types of the outputs, with the symbolic batch size.
func (p *Program) Outputs() []shape.Type {
	if p == nil || p.unit == nil {
		return nil
	}
	ts := make([]shape.Type, len(p.unit.outs))
	for i, n := range p.unit.outs {
		ts[i] = n.Type()
	}
	return ts
}

// Leaves returns the Params and States that the program reads or writes.
func (p *Program) Leaves() []*graph.Node {
	if p == nil {
		return nil
	}
	return slices.Clone(p.leaves)
}

// maxPlans is the number of batch sizes that a Program remembers.
const maxPlans = 64

// plan returns the program lowered for batch size n.
func (p *Program) plan(n int) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.plans[n]; pl != nil {
		return pl, nil
	}
	pl, err := p.specialise(n)
	if err != nil {
		return nil, err
	}
	if len(p.plans) >= maxPlans {
		clear(p.plans)
	}
	p.plans[n] = pl
	return pl, nil
}
