package graph

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ErrNotScalar is wrapped where a scalar was needed.
var ErrNotScalar = errors.New("not a scalar")

// Pos is a line of source code.
type Pos struct {
	File string // absolute
	Line int
}

// String returns "lenet.go:12", or "?" where the line is not known.
func (p Pos) String() string {
	if p.File == "" {
		return "?"
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
	e := &Error{Pos: n.pos, Layer: n.layer, Op: "nil", Inputs: slices.Clone(n.in), Err: err}
	if n.op != nil {
		e.Op = n.op.Name()
	}
	return e
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

// Error returns every error, one after the other.
func (l ErrorList) Error() string {
	s := make([]string, len(l))
	for i, e := range l {
		s[i] = e.Error()
	}
	return strings.Join(s, "\n")
}

// module is the import path of this module.
const module = "github.com/plexaura/plexaura/"

// builders are the packages whose frames are not the user's.
var builders = []string{"graph", "ops", "nn", "autodiff", "autodiff/gradcheck", "optim", "train", "inspect"}

// caller returns the line of the innermost frame that is not a builder's.
func caller() Pos {
	var pc [48]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc[:])])
	for {
		f, more := frames.Next()
		if !builder(f) {
			return Pos{f.File, f.Line}
		}
		if !more {
			return Pos{}
		}
	}
}

func builder(f runtime.Frame) bool {
	pkg, ok := strings.CutPrefix(f.Function, module)
	if !ok || strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	slash := strings.LastIndexByte(pkg, '/') + 1
	if dot := strings.IndexByte(pkg[slash:], '.'); dot >= 0 {
		pkg = pkg[:slash+dot]
	}
	return slices.Contains(builders, pkg)
}
