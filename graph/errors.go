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

// ErrNotScalar is wrapped by errors about a node that had to be a scalar and is not.
var ErrNotScalar = errors.New("not a scalar")

// Pos is a line of source code, or a place in another file; see [Graph.At].
type Pos struct {
	File string // absolute path
	Line int
}

// String returns "lenet.go:12"; without a Line only the File; and "?" if neither is set.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "?"
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d", filepath.Base(p.File), p.Line)
}

// Error is one mistake in a graph: which node could not be built, and why.
type Error struct {
	Pos    Pos    // the user's line
	Layer  string // path of the layer, such as "features.0"; may be empty
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

// Error returns the position, layer, op and cause on one line, followed by one line for each input.
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

// ErrorAt returns err as an [Error] about n, for mistakes found after n was built.
func ErrorAt(n *Node, err error) *Error { return newError(n, err) }

// ErrorList holds every root mistake of a graph, in the order in which they were found.
type ErrorList []*Error

// Unwrap returns the errors, for errors.Is and errors.As.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// Error returns the errors one after the other. Errors that differ only in their layer or line, as
// a mistake in a loop causes them, are printed once, followed by a line with the number of the
// others and their places.
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

// said returns the message of e without its place: without the layer, which may be part of a
// parameter's name, without the line, and without the identity of the inputs.
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

// others returns a line about all errors after the first. All have the same message.
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
	return fmt.Sprintf("\n\tand %d more like it: %s", len(others), plain.List(places, most))
}

// module is the path prefix of this module's files in stack frames.
var module = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "graph/errors.go")
}()

// users lists the folders of this module that count as user code: a node that they add has its
// position there. All other packages build nodes on behalf of their callers.
var users = []string{"cmd", "examples", "models", "internal"}

// caller returns the position of the innermost stack frame that is not in a builder.
func caller() Pos {
	var pc [48]uintptr
	for skip := 3; ; skip += len(pc) {
		n := runtime.Callers(skip, pc[:])
		if pos, ok := userLine(pc[:n]); ok || n < len(pc) {
			return pos
		}
	}
}

// userLine returns the first line of pc that is not in a builder.
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

// builder reports whether f is in a package that builds on behalf of its callers. It looks at the
// file, because a closure of a builder that is inlined into the user's function is named after that
// function.
func builder(f runtime.Frame) bool {
	file, ok := strings.CutPrefix(f.File, module)
	top, _, _ := strings.Cut(file, "/")
	return ok && !strings.HasSuffix(file, "_test.go") && !slices.Contains(users, top)
}
