package vm

import (
	"fmt"
	"time"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Instruction describes one instruction of a specialised program.
type Instruction struct {
	Index   int
	Name    string // the name of the op, "Fused" or "Write"
	Text    string // results, attributes and arguments as text
	Out     []Result
	Args    []string
	Layer   string
	Pos     graph.Pos
	Nodes   []*graph.Node // the user's nodes that it computes
	Engine  string        // the engine whose kernel it is; "" if there is no kernel
	Alg     string
	Choice  []engine.Candidate // the algorithms that Alg was chosen from, if the engine lists them
	Scratch int                // scratch memory in bytes
	Took    time.Duration      // the time of the kernel, in [Machine.Profile]
	Packed  int                // bytes of the packed form of an input; 0 if there is none
}

// Result is a result of an instruction.
type Result struct {
	Node   *graph.Node // the user's node whose value it is
	Type   shape.Type
	Layout engine.Layout // of its memory
	Where  string        // "@1024" in the arena, "in conv1.weight", "as x"
}

// Operand returns the type together with the layout.
func (r Result) Operand() engine.Operand { return engine.Operand{Type: r.Type, Layout: r.Layout} }

// Memory is the exact number of bytes that a program needs at one batch size.
type Memory struct {
	Arena    int // intermediate values and scratch
	Unshared int // the size of the arena if no two values shared memory
	Leaves   int // parameters and states
	Consts   int
	Packed   int // packed forms of parameters, states and constants, shared by the machines of a Store
}

// Describe returns the instructions for batch size n, in the order in which they run.
func (p *Program) Describe(n int) ([]Instruction, error) {
	pl, err := p.planFor(n)
	if err != nil {
		return nil, err
	}
	list := make([]Instruction, len(pl.instrs))
	for i, in := range pl.instrs {
		list[i] = in.describe()
	}
	return list, nil
}

// Memory returns the memory that the program needs at batch size n. It is known before the first
// run.
func (p *Program) Memory(n int) (Memory, error) {
	pl, err := p.planFor(n)
	if err != nil {
		return Memory{}, err
	}
	m := Memory{Arena: pl.arena, Unshared: pl.unshared, Packed: pl.packedBytes()}
	for _, l := range p.leaves {
		m.Leaves += l.Type().Bytes()
	}
	for _, c := range p.consts {
		m.Consts += c.Size()
	}
	return m, nil
}

// planFor is plan for a batch size chosen by a caller.
func (p *Program) planFor(n int) (*plan, error) {
	if p == nil || p.unit == nil {
		return nil, errNoProgram
	}
	if n < 1 {
		return nil, fmt.Errorf("vm: batch size %d; want at least 1", n)
	}
	return p.plan(n)
}

func (in *instr) describe() Instruction {
	n := in.node()
	d := Instruction{
		Index: in.at, Name: in.name(), Text: in.String(), Layer: n.Layer(), Pos: n.Pos(),
		Engine: in.bound.By, Alg: in.bound.Alg, Choice: in.bound.Choice, Scratch: in.bound.Scratch,
	}
	if in.prepacked {
		d.Packed = in.bound.Packing.Bytes
	}
	for _, v := range in.out {
		d.Out = append(d.Out, Result{v.node.Source(), v.typ, v.layout, v.place()})
	}
	for _, v := range in.in {
		d.Args = append(d.Args, v.String())
	}
	for _, n := range in.nodes {
		d.Nodes = append(d.Nodes, n.Source())
	}
	return d
}
