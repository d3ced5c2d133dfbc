package main

import (
	"fmt"
	"strings"
)

// vectors writes the kernels on vectors of float32, and their table.
func vectors(t *target) string {
	peak(t)
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar %s = Kernels{\n\twidth: %d,\n\tfmaLoop: fmaLoop%s,\n\tmaps: [opCount]mapFunc{\n", t.level(), t.width(), t.name)
	for _, l := range maps() {
		l.emit(t)
		fmt.Fprintf(&s, "\t\t%s: %s%s,\n", strings.ToUpper(l.name[:1])+l.name[1:], l.name, t.name)
	}
	power().emit(t.doubles())
	fmt.Fprintf(&s, "\t\tPow: pow%s,\n", t.name)
	s.WriteString("\t},\n")
	for _, l := range append(reductions(), rowSums()) {
		l.emit(t)
		fmt.Fprintf(&s, "\t%s: %s%s,\n", l.name, l.name, t.name)
	}
	s.WriteString(doubleVectors(t))
	for _, of := range []*target{t, t.doubles()} {
		fmt.Fprintf(&s, "\trepeat%s: %s,\n", of.suffix(), rowRepeat(of))
		s.WriteString(mapsByRows(of))
		fmt.Fprintf(&s, "\tmixRows%s: %s,\n", of.suffix(), mixRows(of))
	}
	fmt.Fprintf(&s, "\tidsBeyond: %s,\n", idsBeyond(t))
	rowCopy(t)
	fmt.Fprintf(&s, "\tcopyPlanes: copyPlanes%s,\n", t.name)
	s.WriteString(gates(t))
	s.WriteString("\tboolKernels: boolKernels{\n")
	for _, f := range bools(t) {
		fmt.Fprintf(&s, "\t\t%s: %s%s,\n", f, f, t.name)
	}
	s.WriteString("\t},\n")
	s.WriteString("}\n")
	return s.String()
}
