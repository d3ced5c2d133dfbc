package graph

import (
	"fmt"
	"io"
	"strings"
)

// Fprint writes what outs are computed from, a node a line:
//
//	%3 Conv2D{...} (x, conv1.weight) float32(N,6,28,28)   conv1   lenet.go:12
func Fprint(w io.Writer, outs ...*Node) error {
	for _, n := range Reachable(outs...) {
		if _, err := fmt.Fprintln(w, line(n)); err != nil {
			return err
		}
	}
	return nil
}

func line(n *Node) string {
	if k := n.Kind(); k != Computed {
		return fmt.Sprintf("%%%d %v %s %v\t%v", n.id, k, n.Name(), n.typ, n.pos)
	}
	args := make([]string, len(n.in))
	for i, x := range n.in {
		if args[i] = x.Name(); args[i] == "" {
			args[i] = fmt.Sprintf("%%%d", x.id)
		}
	}
	return fmt.Sprintf("%%%d %s(%s) %v\t%s\t%v", n.id, Format(n.op), strings.Join(args, ", "), n.typ, n.layer, n.pos)
}

// Format prints an op with those of its attributes that are not zero: "Conv2D{Pad:...}".
func Format(op Op) string {
	if s, ok := op.(fmt.Stringer); ok {
		return s.String()
	}
	attrs := fmt.Sprintf("%+v", op)
	if !strings.HasPrefix(attrs, "{") || attrs == "{}" {
		return op.Name()
	}
	return op.Name() + attrs
}
