package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// plan is the program for one batch size: what lowering passes work on.
type plan struct {
	prog        *Program
	batch       int
	values      []*value
	instrs      []*instr
	outs        []*value
	commit      int // index of the first instruction that writes to the store, or len(instrs)
	arena       int // bytes
	unshared    int // bytes that the arena would take if no two values shared memory
	packScratch int // bytes of the arena for packing inputs, before the first instruction
	placed      []*block
	working     workingNode
}

// source is where a value comes from.
type source uint8

const (
	fromInstr source = iota
	fromInput
	fromLeaf    // a Param or State in the store
	fromConst   // part of the program
	fromUniform // one number everywhere; it has no memory
)

// value is a tensor of the plan.
type value struct {
	id      int
	typ     shape.Type // concrete, and logical whatever the layout
	layout  engine.Layout
	node    *graph.Node
	from    source
	index   int     // of the input, leaf or const
	number  float64 // of a uniform value
	def     *instr  // of a value that an instruction gives
	uses    []*instr
	out     bool   // it is an output of the program
	alias   *value // it is the memory of this value, under another shape
	into    *value // the leaf whose memory it is computed into
	offset  int    // in the arena, once placed
	placed  bool
	dropped bool // nothing uses it any more
}

// root is the value whose memory v is.
func (v *value) root() *value {
	for v.alias != nil {
		v = v.alias
	}
	return v
}

// kind of an instruction.
type kind uint8

const (
	compute kind = iota // op, or a map
	aliased             // the input under another shape: nothing to run
	write               // the input becomes the value of a leaf
)

// instr is one instruction: an op or a fused map, over values.
type instr struct {
	kind      kind
	op        graph.Op    // nil for a map made by a pass
	fmap      *engine.Map // of an elementwise instruction
	in        []*value
	out       []*value
	leaf      *value        // of a write: the leaf's value
	nodes     []*graph.Node // what it computes; the first names line and layer
	bound     engine.Bound
	added     bool // a pass has added it, for none of the user's nodes
	scratch   int  // offset in the arena
	at        int  // index in the schedule
	group     int  // those of one group, one after the other, may run at once; 0: none
	prepacked bool // the kernel is given the packed form of an input, which is kept from run to run
}

func (in *instr) node() *graph.Node { return in.nodes[0] }

// name is what printouts call the instruction.
func (in *instr) name() string {
	switch {
	case in.kind == write:
		return "Write"
	case in.op != nil:
		return in.op.Name()
	case len(in.nodes) > 1:
		return "Fused"
	}
	return "Copy"
}

func (p *plan) newValue(t shape.Type, n *graph.Node, from source) *value {
	v := &value{id: len(p.values), typ: t, node: n, from: from}
	p.values = append(p.values, v)
	return v
}

// relink derives defs and uses from the instructions.
func (p *plan) relink() {
	for _, v := range p.values {
		clear(v.uses)
		v.def, v.uses, v.dropped = nil, v.uses[:0], true
	}
	for i, in := range p.instrs {
		in.at = i
		for _, v := range in.in {
			v.dropped = false
			if len(v.uses) == 0 || v.uses[len(v.uses)-1] != in {
				v.uses = append(v.uses, in)
			}
		}
		for _, v := range in.out {
			v.def, v.dropped = in, false
		}
		if in.leaf != nil {
			in.leaf.dropped = false
		}
	}
	for _, v := range p.outs {
		v.dropped = false
	}
}

// emptied reports whether a pass has put in into another instruction.
func (in *instr) emptied() bool { return in.kind == compute && in.op == nil && in.fmap == nil }

// compact drops emptied instructions.
func (p *plan) compact() {
	p.instrs = slices.DeleteFunc(p.instrs, (*instr).emptied)
	p.relink()
}

// prune drops computing instructions that nobody needs.
func (p *plan) prune() {
	p.relink()
	needed := make([]bool, len(p.instrs))
	for i := len(p.instrs) - 1; i >= 0; i-- {
		in := p.instrs[i]
		needed[i] = in.kind == write || slices.ContainsFunc(in.out, func(v *value) bool {
			return v.out || slices.ContainsFunc(v.uses, func(u *instr) bool { return needed[u.at] })
		})
	}
	p.instrs = slices.DeleteFunc(p.instrs, func(in *instr) bool { return !needed[in.at] })
	p.relink()
}

func types(vs []*value) []shape.Type {
	ts := make([]shape.Type, len(vs))
	for i, v := range vs {
		ts[i] = v.typ
	}
	return ts
}
