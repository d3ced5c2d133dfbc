package vm

import (
	"encoding/binary"

	"github.com/plexaura/plexaura/graph"
)

// expr identifies an expression. Ops are comparable, so == compares all their attributes; there is
// no hash function that could forget one.
type expr struct {
	op   graph.Op
	in   [3]*graph.Node
	rest string // the ids of any further inputs
}

func exprOf(op graph.Op, in []*graph.Node) expr {
	e := expr{op: op}
	copy(e.in[:], in)
	var rest []byte
	for _, x := range in[min(len(in), len(e.in)):] {
		rest = binary.AppendUvarint(rest, uint64(x.ID()))
	}
	e.rest = string(rest)
	return e
}

// cse merges equal expressions.
func cse(u *unit) error {
	seen := map[expr]*graph.Node{}
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		if n.Kind() != graph.Computed {
			return dst.Replay(n)
		}
		e := exprOf(n.Op(), in)
		if same, ok := seen[e]; ok {
			return same
		}
		image := dst.Replay(n, in...)
		seen[e] = image
		return image
	})
	return nil
}
