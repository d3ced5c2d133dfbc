package vm

import (
	"fmt"
	"io"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (u *unit) dump(w printer) {
	if w.err == nil {
		w.err = graph.Fprint(w.w, u.roots()...)
	}
	for _, up := range u.updates {
		w.line("update %v <- %v", up.Leaf, up.Value)
	}
}

func (p *plan) dump(w printer) {
	for i, in := range p.instrs {
		beside := " "
		if in.group > 0 && i > 0 && p.instrs[i-1].group == in.group {
			beside = "&" // runs beside the one above
		}
		w.line("%3d%s%s", i, beside, in)
	}
	for i, v := range p.outs {
		w.line("out %d = %v %s", i, v, v.place())
	}
}

// String returns a line like "v5 = Conv2D(x, conv1.weight) float32(64,6,28,28)".
func (in *instr) String() string {
	outs := make([]string, len(in.out))
	for i, v := range in.out {
		outs[i] = strings.TrimSpace(fmt.Sprintf("%v %v %s", v, v.operand(), v.place()))
	}
	if in.kind == write {
		outs = []string{in.leaf.String()}
	}
	args := make([]string, len(in.in))
	for i, v := range in.in {
		args[i] = v.String()
	}
	what := in.name()
	switch {
	case in.fmap != nil && len(in.in) != in.node().NIn() || in.fmap != nil && in.op == nil: // numbers are in the map
		what += "{" + in.fmap.String() + "}"
	case in.op != nil:
		what = graph.Format(in.op)
	}
	s := fmt.Sprintf("%s = %s(%s)", strings.Join(outs, ", "), what, strings.Join(args, ", "))
	if in.prepacked {
		s += fmt.Sprintf(" with %s packed", args[in.bound.Packing.In])
	}
	if in.weights != shape.Invalid {
		s += fmt.Sprintf(" as %v", in.weights)
	}
	return s
}

// String returns the name of a leaf or input, and "v5" for other values.
func (v *value) String() string {
	if v.from == fromUniform {
		return fmt.Sprint(v.number)
	}
	if v.from != fromInstr && v.node.Name() != "" {
		return v.node.Name()
	}
	return fmt.Sprintf("v%d", v.id)
}

// place describes the place of v in memory, if it has one.
func (v *value) place() string {
	r := v.root()
	switch {
	case r.into != nil:
		return "in " + r.into.String()
	case r != v && r.from != fromInstr:
		return "as " + r.String()
	case r.from == fromInstr && r.placed:
		return fmt.Sprintf("@%d", r.offset+v.part.At*v.typ.Width())
	case v.part.Len > 0:
		return fmt.Sprintf("in %v at %d", v.alias, v.part.At)
	}
	return ""
}
