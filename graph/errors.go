package graph

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// ErrNotScalar is wrapped where a scalar was needed.
var ErrNotScalar = errors.New("not a scalar")

// Pos is a line of source code, or a place in another file; see [Graph.At].
type Pos struct {
	File string // absolute
	Line int
}

// String returns "lenet.go:12", the File where there is no Line, or "?" where nothing is known.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "?"
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d", filepath.Base(p.File), p.Line)
}

// Error is one mistake in a graph: the node that could not be built, and why.
type Error struct {
	Pos    Pos    // the user's line
	Layer  string // path of the layer, such as "features.0", or ""
	Op     string
	Inputs []*Node
	Err    error // what is wrong, and what would be right
}

func newError(n *Node, err error) *Error {
	n = n.orNone()
	return &Error{Pos: n.pos, Layer: n.layer, Op: n.op.Name(), Inputs: slices.Clone(n.in), Err: err}
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Error returns the position, layer, op and cause on one line, and a line for each input.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: ", e.Pos)
	if e.Layer != "" {
		fmt.Fprintf(&b, "layer %s: ", e.Layer)
	}
	fmt.Fprintf(&b, "%s: %v", e.Op, e.Err)
	for i, x := range e.Inputs {
		if x == nil {
			fmt.Fprintf(&b, "\n\tinput %d: nil", i)
			continue
		}
		fmt.Fprintf(&b, "\n\tinput %d: %v %v, built at %v", i, x, x.typ, x.pos)
	}
	return b.String()
}

// ErrorAt returns err as an [Error] about n: what went wrong with n after it was built.
func ErrorAt(n *Node, err error) *Error { return newError(n, err) }

// ErrorList is every root mistake of a graph, in the order met.
type ErrorList []*Error

// Unwrap returns the errors, for errors.Is and errors.As.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// Error returns the errors, one after the other. Those that say the same of other layers or lines,
// as one mistake in a loop makes them, stand once, with a line that counts the others and names
// their places.
func (l ErrorList) Error() string {
	var order []string
	alike := map[string]ErrorList{}
	for _, e := range l {
		said := e.said()
		if alike[said] == nil {
			order = append(order, said)
		}
		alike[said] = append(alike[said], e)
	}
	for i, said := range order {
		order[i] = alike[said][0].Error() + alike[said].others()
	}
	return strings.Join(order, "\n")
}

// said is what e says, whatever its place: neither its layer, in names of parameters too, nor its
// line count, nor which nodes the inputs are.
func (e *Error) said() string {
	if e == nil {
		return ""
	}
	text := fmt.Sprint(e.Err)
	if e.Layer != "" {
		text = strings.ReplaceAll(text, `"`+e.Layer+".", `"*.`)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, text)
	for _, x := range e.Inputs {
		fmt.Fprintf(&b, "; %v", x.Type())
	}
	return b.String()
}

// others tells of the errors after the first, all of which say the same, on a line.
func (l ErrorList) others() string {
	const most = 5
	first, others := l[0], l[1:]
	if len(others) == 0 {
		return ""
	}
	var places []string
	seen := map[string]bool{"": true}
	for _, e := range others {
		place := ""
		if e.Pos != first.Pos {
			place = e.Pos.String()
		}
		if e.Layer != first.Layer {
			place = strings.TrimLeft(place+" layer "+e.Layer, " ")
		}
		if !seen[place] {
			places, seen[place] = append(places, place), true
		}
	}
	if len(places) == 0 {
		places = []string{"at the same place"}
	}
	return fmt.Sprintf("\n\tand %d more such: %s", len(others), plain.List(places, most))
}

// module is where this module's files lie, as stack frames have it.
var module = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "graph/errors.go")
}()

// users are the folders of the module whose code uses it as anybody's does: nodes that it adds are
// said to be built there. All other packages build for their callers.
var users = []string{"cmd", "examples", "models", "internal"}

// caller returns the line of the innermost frame that is not a builder's.
func caller() Pos {
	var pc [48]uintptr
	for skip := 3; ; skip += len(pc) {
		n := runtime.Callers(skip, pc[:])
		if pos, ok := userLine(pc[:n]); ok || n < len(pc) {
			return pos
		}
	}
}

// userLine returns the first line of pc that is not a builder's.
func userLine(pc []uintptr) (Pos, bool) {
	frames := runtime.CallersFrames(pc)
	for more := len(pc) > 0; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !builder(f) {
			return Pos{f.File, f.Line}, true
		}
	}
	return Pos{}, false
}

// builder goes by the file: a closure of a builder that is inlined into the user's function is
// named after that function.
func builder(f runtime.Frame) bool {
	file, ok := strings.CutPrefix(f.File, module)
	top, _, _ := strings.Cut(file, "/")
	return ok && !strings.HasSuffix(file, "_test.go") && !slices.Contains(users, top)
}
