package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// plan is the program for one batch size, on which lowering passes work.
type plan struct {
	prog        *Program
	batch       int
	values      []*value
	instrs      []*instr
	outs        []*value
	commit      int // index of the first instruction that writes to the store, or len(instrs)
	arena       int // bytes
	unshared    int // the size in bytes of the arena if no two values shared memory
	packScratch int // size in bytes of the scratch for packing inputs, before the first instruction
	placed      []*block
	working     workingNode
}

// source is the origin of a value.
type source uint8

const (
	fromInstr source = iota
	fromInput
	fromLeaf    // a Param or State in the store
	fromConst   // part of the program
	fromUniform // one number for all elements; it has no memory
)

// value is a tensor of the plan.
type value struct {
	id      int
	typ     shape.Type // concrete; the logical type for any layout
	layout  engine.Layout
	node    *graph.Node
	from    source
	index   int     // of the input, leaf or constant
	number  float64 // of a uniform value
	def     *instr  // of a result of an instruction
	uses    []*instr
	out     bool   // it is an output of the program
	alias   *value // v shares the memory of this value, with another shape or as its part
	part    engine.Part
	into    *value // v is computed into the memory of this leaf
	offset  int    // in the arena, once placed
	placed  bool
	dropped bool // nothing uses it any more
}

// root returns the value that owns the memory of v.
func (v *value) root() *value {
	for v.alias != nil {
		v = v.alias
	}
	return v
}

// kind is the kind of an instruction.
type kind uint8

const (
	compute kind = iota // runs the kernel of an op or a map
	aliased             // the input with another shape, or with axes that memory has in this order already: nothing to run
	joined              // the inputs are parts of the result: nothing to run
	write               // assigns the input to a leaf
)

// instr is one instruction: an op or a fused map, applied to values.
type instr struct {
	kind      kind
	op        graph.Op    // nil for a map made by a pass
	fmap      *engine.Map // of an elementwise instruction
	in        []*value
	out       []*value
	leaf      *value        // for a write: the value of the leaf
	nodes     []*graph.Node // the nodes that it computes; the first determines line and layer
	bound     engine.Bound
	added     bool        // added by a pass; computes none of the user's nodes
	scratch   int         // offset in the arena
	at        int         // index in the schedule
	group     int         // instructions with the same number are adjacent and may run at the same time; 0: none
	prepacked bool        // the kernel uses a packed form of an input, which is kept between runs
	ranged    string      // the name by which [Ranges] know it
	bytes     bool        // it computes with 8-bit integers, whose types are not those of its nodes
	weights   shape.DType // that the kernel's weights are rounded to; Invalid: they are not
}

func (in *instr) node() *graph.Node { return in.nodes[0] }

// name returns the name of the instruction in printouts.
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

// relink computes defs and uses from the instructions.
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

// emptied reports whether a pass has merged in into another instruction.
func (in *instr) emptied() bool { return in.kind == compute && in.op == nil && in.fmap == nil }

// compact drops emptied instructions.
func (p *plan) compact() {
	p.instrs = slices.DeleteFunc(p.instrs, (*instr).emptied)
	p.relink()
}

// prune drops instructions whose results are not needed.
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
