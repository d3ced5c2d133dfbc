package vm

import (
	"errors"
	"io"
	"strings"
)

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
		out.line("\ti%d [label=%q]", in.at, dotLabel(in))
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

func dotLabel(in *instr) string {
	return strings.TrimSpace(in.name() + "\n" + in.node().Layer())
}
