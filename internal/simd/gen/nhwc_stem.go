package main

import (
	"fmt"
	"strings"
)

// stems writes the products of windows, whose elements a table places, by panels of filters. It returns the Go text of
// their table, by vectors and rows.
func (t *target) stems() string {
	var table strings.Builder
	table.WriteString("[][]stemFunc{")
	for vecs, tallest := range t.heights() {
		if vecs == 0 {
			continue
		}
		fmt.Fprintf(&table, "%d: {", vecs)
		for rows := 1; rows <= tallest; rows++ {
			t.stem(rows, vecs)
			fmt.Fprintf(&table, "%d: stem%dx%d%s, ", rows, rows, vecs, t.name)
		}
		table.WriteString("}, ")
	}
	return table.String() + "}"
}

// stem is m tiles of products below each other, as and ys bytes apart, in which element k of a row is at bytes at[k] behind
// its first one.
func (t *target) stem(rows, vecs int) {
	t.begin(fmt.Sprintf("stem%dx%d%s", rows, vecs, t.name), fmt.Sprintf("is tiles of %d windows by %d vectors, below each other.", rows, vecs),
		"m, n, k int, at *int, a *float32, as, ars int, b *float32, bks, bps int, c *float32, ys, cs int, bias *float32, flags, last int")
	newTile(t, rows, vecs, true).emit()
}
