package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Instruction describes one instruction of a specialised program.
type Instruction struct {
	Index   int
	Name    string // the op's name, "Fused" or "Write"
	Text    string // results, attributes and arguments
	Out     []Result
	Args    []string
	Layer   string
	Pos     graph.Pos
	Nodes   []*graph.Node // the user's nodes that it computes
	Engine  string        // whose kernel it is; "" where none is needed
	Alg     string
	Choice  []engine.Candidate // the algorithms that Alg was chosen from, where the engine tells
	Scratch int                // bytes
	Took    time.Duration      // its kernel, in [Machine.Profile]
	Packed  int                // bytes of the packed form of an input, which is made once; 0 where there is none
}

// Result is a value that an instruction gives.
type Result struct {
	Node  *graph.Node // the user's node whose value it is
	Type  shape.Type  // with the batch in lanes, one axis more: (N/L,...,L); see [engine.Laner]
	Where string      // "@1024" in the arena, "in conv1.weight", "as x"
}

// Memory is what a program needs at one batch size, in bytes, exactly.
type Memory struct {
	Arena    int // all intermediate values and scratch
	Unshared int // what the arena would be if no two values shared memory
	Leaves   int // parameters and state
	Consts   int
	Packed   int // packed forms of parameters, state and constants, shared by the machines of a Store
}

// Describe returns the instructions for batch size n, in the order they run.
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

// Memory returns what the program needs at batch size n. It is known before the first run.
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
		m.Consts += len(c.Bytes())
	}
	return m, nil
}

// planFor is plan for a batch size that a caller chose.
func (p *Program) planFor(n int) (*plan, error) {
	if p == nil || p.unit == nil {
		return nil, errNoProgram
	}
	if n < 1 {
		return nil, fmt.Errorf("vm: batch size %d; it is at least 1", n)
	}
	return p.plan(n)
}

func (in *instr) describe() Instruction {
	n := in.node()
	d := Instruction{
		Index: in.at, Name: in.name(), Text: in.String(), Layer: n.Layer(), Pos: n.Pos(),
		Engine: in.bound.By, Alg: in.bound.Alg, Choice: in.bound.Choice, Scratch: in.bound.Scratch,
	}
	if in.packed {
		d.Packed = in.bound.Packing.Bytes
	}
	for _, v := range in.out {
		d.Out = append(d.Out, Result{v.node.Source(), v.typ, v.place()})
	}
	for _, v := range in.in {
		d.Args = append(d.Args, v.String())
	}
	for _, n := range in.nodes {
		d.Nodes = append(d.Nodes, n.Source())
	}
	return d
}

// Trace is [Machine.Run] that calls see after each instruction, with its results. These
// live until see returns. It is for finding out where two programs differ.
func (m *Machine) Trace(ctx context.Context, see func(Instruction, []*tensor.Dense), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	if see == nil {
		return m.Run(ctx, inputs...)
	}
	return m.trace(ctx, func(s *step, _ time.Duration) {
		results := make([]*tensor.Dense, len(s.instr.out))
		for i, v := range s.instr.out {
			results[i] = engine.DenseOf(v.plain().Shape, v.rowMajorOf(s.call.Out[i]))
		}
		see(s.instr.describe(), results)
	}, inputs)
}

// Profile is [Machine.Run] that calls see after each instruction, with the time that its kernel
// took. Results are not shown, so that little happens between one kernel and the next; instructions
// that Run has side by side come one by one.
func (m *Machine) Profile(ctx context.Context, see func(Instruction), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	if see == nil {
		return m.Run(ctx, inputs...)
	}
	return m.trace(ctx, func(s *step, took time.Duration) {
		in := s.instr.describe()
		in.Took = took
		see(in)
	}, inputs)
}

// WriteDot writes the instructions for batch size n as a Graphviz digraph.
func (p *Program) WriteDot(w io.Writer, n int) error {
	if w == nil {
		return errors.New("vm: WriteDot: nil writer")
	}
	pl, err := p.planFor(n)
	if err != nil {
		return err
	}
	out := printer{w: w}
	out.line("digraph program {\n\tnode [shape=box, fontname=\"sans-serif\"]")
	for _, in := range pl.instrs {
		out.line("\ti%d [label=%q]", in.at, label(in))
		for _, v := range in.in {
			switch {
			case v.def != nil:
				out.line("\ti%d -> i%d [label=%q]", v.def.at, in.at, v.typ.String())
			default:
				out.line("\t%q -> i%d [label=%q]", v.String(), in.at, v.typ.String())
			}
		}
		if in.leaf != nil {
			out.line("\ti%d -> %q", in.at, in.leaf.String())
		}
	}
	for i, v := range pl.outs {
		out.line("\ti%d -> \"output %d\"", v.def.at, i)
	}
	out.line("}")
	return out.err
}

func label(in *instr) string {
	return strings.TrimSpace(in.name() + "\n" + in.node().Layer())
}

// Number returns the element of a tensor that has just one, such as a loss.
func Number(d *tensor.Dense) (float64, error) {
	t, err := typeOf(d)
	if err != nil {
		return 0, fmt.Errorf("vm: %w", err)
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("vm: a tensor of shape %v is not one number", t.Shape)
	}
	return engine.Floats(engine.BufferOfDense(d))[0], nil
}
