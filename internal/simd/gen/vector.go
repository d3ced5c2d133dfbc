package main

import (
	"fmt"
	"strings"
)

// vector writes the kernels on vectors of float32, and their table.
func vector(t *target) string {
	peak(t)
	var s strings.Builder
	fmt.Fprintf(&s, "\nvar vectors%s = vectors{\n\twidth: %d,\n\tfmaLoop: fmaLoop%s,\n\tmaps: [...]mapFunc{\n", t.name, t.width(), t.name)
	for _, l := range maps() {
		l.emit(t)
		fmt.Fprintf(&s, "\t\tOp%s: %s%s,\n", strings.ToUpper(l.name[:1])+l.name[1:], l.name, t.name)
	}
	s.WriteString("\t},\n")
	for _, l := range append(reductions(), rowSums()) {
		l.emit(t)
		fmt.Fprintf(&s, "\t%s: %s%s,\n", l.name, l.name, t.name)
	}
	s.WriteString("\tboolKernels: boolKernels{\n")
	for _, f := range bools(t) {
		fmt.Fprintf(&s, "\t\t%s: %s%s,\n", f, f, t.name)
	}
	s.WriteString("\t},\n")
	rows := convs(t)
	fmt.Fprintf(&s, "\tconvVecs: %d,\n\tconvLanes: %d,\n\tconv: []convFunc{\n", len(t.heights())-1, t.width())
	for i := 1; i <= rows; i++ {
		fmt.Fprintf(&s, "\t\t%d: conv%d%s,\n", i, i, t.name)
	}
	rows = convGrads(t)
	fmt.Fprintf(&s, "\t},\n\tgradTaps: %d,\n\tconvGrad: []gradFunc{\n", gradTaps)
	for i := 1; i <= rows; i++ {
		fmt.Fprintf(&s, "\t\t%d: convGrad%d%s,\n", i, i, t.name)
	}
	s.WriteString("\t},\n}\n")
	return s.String()
}
