package main

import (
	"fmt"
	"strings"
)

// tileTable is the Go text of the tables of micro-kernels, by rows and vectors.
func (t *target) tileTable() string {
	var s strings.Builder
	for _, bits := range []int{32, 64} {
		fmt.Fprintf(&s, `
var tiles%[1]sf%[2]d = tiles[float%[2]d]{
	width: %[3]d,
	transpose: transpose%[1]sf%[2]d,
	fetch: fetch%[1]s,
	dots: dots%[1]sf%[2]d,
	rows1: rows1%[1]sf%[2]d,
	rows8: rows8%[1]sf%[2]d,
	kernel: [][]tileFunc[float%[2]d]{
`, t.name, bits, 8*t.size/bits)
		for vecs, tallest := range t.heights() {
			if vecs == 0 {
				continue
			}
			fmt.Fprintf(&s, "\t\t%d: {\n", vecs)
			for rows := 1; rows <= tallest; rows++ {
				fmt.Fprintf(&s, "\t\t\t%d: gemm%dx%d%sf%d,\n", rows, rows, vecs, t.name, bits)
			}
			s.WriteString("\t\t},\n")
		}
		s.WriteString("\t},\n}\n")
	}
	return s.String()
}
