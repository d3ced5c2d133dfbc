package vm

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"weak"

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

	once *Program       // computes what depends only on leaves; nil if nothing does
	kept map[string]int // by the name of an Input of unit: the index of an output of once

	mu     sync.Mutex
	plans  map[int]*plan // by batch size
	shared map[weak.Pointer[Store]]weak.Pointer[onceValues]
}

var errNoProgram = errors.New("vm: no program; make one by Compile")

func newProgram(u *unit) (*Program, error) {
	p := &Program{unit: u, inputs: map[string]int{}, leaf: map[string]int{}, konst: map[*graph.Node]int{}, plans: map[int]*plan{}}
	p.memory = engine.MemoryOf(u.eng)
	p.device = !onHost(p.memory)
	for i, n := range u.inputs {
		p.inputs[n.Name()] = i
	}
	for _, n := range u.leaves() {
		p.leaf[n.Name()] = len(p.leaves)
		p.leaves = append(p.leaves, n)
	}
	for _, n := range graph.Reachable(u.roots()...) {
		if n.Kind() != graph.Const {
			continue
		}
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
	p.constForms = make([]formSet, len(p.consts))
	p.claims = claimsOf(u.updates)
	if u.once == nil {
		return p, nil
	}
	var err error
	p.kept = u.kept
	p.once, err = newProgram(u.once)
	return p, err
}

// leaves returns the Params and States of the program, and of what it computes once, each once.
func (u *unit) leaves() (all []*graph.Node) {
	seen := map[string]bool{}
	add := func(roots []*graph.Node) {
		for _, n := range graph.Reachable(roots...) {
			if k := n.Kind(); (k == graph.Param || k == graph.State) && !seen[n.Name()] {
				seen[n.Name()] = true
				all = append(all, n)
			}
		}
	}
	if u.once != nil {
		add(u.once.outs)
	}
	add(u.roots())
	if u.order != nil {
		slices.SortFunc(all, func(a, b *graph.Node) int { return cmp.Compare(u.order[a.Name()], u.order[b.Name()]) })
	}
	return all
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
