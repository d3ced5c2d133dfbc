package graph

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/plexaura/plexaura/internal/isnil"
)

// Fprint writes the nodes that outs are computed from, one per line:
//
//	%3 Conv2D{...} (x, conv1.weight) float32(N,6,28,28)   conv1   lenet.go:12
func Fprint(w io.Writer, outs ...*Node) error {
	if w == nil {
		return errors.New("graph: Fprint: nil writer")
	}
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

// Format returns the name of an op with its nonzero attributes: "Conv2D{Stride:[2 2]}".
func Format(op Op) string {
	if isnil.Of(op) {
		return "nil"
	}
	if s, ok := op.(fmt.Stringer); ok {
		return s.String()
	}
	if attrs := attributes(reflect.ValueOf(op)); len(attrs) > 0 {
		return op.Name() + "{" + strings.Join(attrs, " ") + "}"
	}
	return op.Name()
}

// attributes lists the nonzero fields of a struct, including those of nested structs. Values that
// are not structs, such as an index into a table, have no attributes.
func attributes(v reflect.Value) (attrs []string) {
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Struct && !f.Type().Implements(stringer):
			attrs = append(attrs, attributes(f)...)
		default:
			attrs = append(attrs, fmt.Sprintf("%s:%v", v.Type().Field(i).Name, f))
		}
	}
	return attrs
}

var stringer = reflect.TypeFor[fmt.Stringer]()
