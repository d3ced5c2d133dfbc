package graph

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Pos is where a node was built: a line of source code or, for what an importer builds, an item
// of the file it reads.
type Pos struct {
	File string // absolute, for source code
	Line int    // from 1; 0 where File has no lines
	Item string // within a file without lines, such as "node Conv_3"
}

// String returns "lenet.go:12", "model.onnx: node Conv_3", "model.onnx", or "?" where neither the
// line nor the item is known.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return cmp.Or(p.Item, "?")
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", filepath.Base(p.File), p.Line)
	case p.Item != "":
		return filepath.Base(p.File) + ": " + p.Item
	}
	return filepath.Base(p.File)
}

// At runs f with pos as the position of every node that f adds, instead of the line of the code
// that calls: an importer says so which item of a file it builds. Nodes of gradients keep the
// position of those they are derived from. The zero Pos brings lines of code back.
func (g *Graph) At(pos Pos, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old Pos) { g.pos = old }(g.pos)
	g.pos = pos
	f()
}

// here is the position of a node that is added now.
func (g *Graph) here() Pos {
	if g.pos != (Pos{}) {
		return g.pos
	}
	return caller()
}

// module is where this module's files lie, as stack frames have it.
var module = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "graph/position.go")
}()

// caller returns the line of the innermost frame that is not a builder's. Where there is none, as
// on a goroutine that a builder has started, it is the builder's outermost line.
func caller() (pos Pos) {
	var pc [48]uintptr
	for skip := 4; ; skip += len(pc) {
		n := runtime.Callers(skip, pc[:])
		line, user := userLine(pc[:n])
		if pos = cmp.Or(line, pos); user || n < len(pc) {
			return pos
		}
	}
}

// userLine returns the first line of pc that is not a builder's. Without one it returns the last
// line of a builder.
func userLine(pc []uintptr) (pos Pos, user bool) {
	frames := runtime.CallersFrames(pc)
	for more := len(pc) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, "runtime.") {
			continue
		}
		if pos = (Pos{File: f.File, Line: f.Line}); !builder(f) {
			return pos, true
		}
	}
	return pos, false
}

// users are the folders of this module whose code is a user's, besides commands and tests.
var users = []string{"cmd", "examples", "models"}

// builder reports whether f lies in this module but is not a user's code. It goes by the file: a
// closure of a builder that is inlined into the user's function is named after that function.
func builder(f runtime.Frame) bool {
	file, ok := strings.CutPrefix(f.File, module)
	folder, _, _ := strings.Cut(file, "/")
	return ok && !strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(f.Function, "main.") && !slices.Contains(users, folder)
}
