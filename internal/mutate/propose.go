package main

import (
	"bytes"
	"cmp"
	"context"
	"go/ast"
	"go/build"
	"go/token"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cases are packages whose code is what tests run on rather than what is tested: two faults each.
var cases = []string{"autodiff/gradcheck/cases", "engine/enginetest", "internal/parity"}

// propose prints about n faults. Each package gets its share of n by the lines of its functions,
// two at least. Its functions come in the order of a hash of their names, each with one of the
// changes that operators make of it, which the hash picks too. A change that does not compile
// gives way to the function's next. Files for one platform only are left out, and this package.
func propose(ctx context.Context, m *module, n int, out io.Writer) (err error) {
	l, err := newLab(ctx, m, options{})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, l.close()) }()
	funcs, lines, total := map[string][]function{}, map[string]int{}, 0
	for pkg := range m.pkgs {
		if pkg == "internal/mutate" {
			continue
		}
		if funcs[pkg], err = functionsOf(m, pkg); err != nil {
			return err
		}
		for _, f := range funcs[pkg] {
			lines[pkg] += f.lines
			total += f.lines
		}
	}
	var faults []fault
	for _, pkg := range slices.Sorted(maps.Keys(funcs)) {
		share := max(2, (n*lines[pkg]+total/2)/total)
		if slices.Contains(cases, pkg) {
			share = 2
		}
		chosen, err := l.choose(ctx, funcs[pkg], share)
		if err != nil {
			return err
		}
		faults = append(faults, chosen...)
	}
	return writeFaults(out, faults)
}

// choose returns the first n functions' faults that compile.
func (l *lab) choose(ctx context.Context, funcs []function, n int) (chosen []fault, err error) {
	for _, f := range funcs {
		if len(chosen) == n {
			break
		}
		for _, c := range f.faults {
			if ok, err := l.compiles(ctx, c); err != nil {
				return nil, err
			} else if ok {
				chosen = append(chosen, c)
				break
			}
		}
	}
	return chosen, nil
}

func (l *lab) compiles(ctx context.Context, f fault) (bool, error) {
	dir, err := os.MkdirTemp(l.dir, "fault")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	overlay, err := l.overlay(f, dir)
	if err != nil {
		return false, err
	}
	c := command(ctx, l.m.root, os.Environ(), "go", "build", "-overlay="+overlay, "-o", os.DevNull, "./"+f.pkg)
	return c.Run() == nil, ctx.Err()
}

// function is one that has faults to propose, in the order in which they are to be tried.
type function struct {
	hash   uint64
	lines  int
	faults []fault
}

func functionsOf(m *module, pkg string) (funcs []function, err error) {
	files, err := parsePackage(m.path(pkg))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, s := range files {
		if ok, err := everywhere(s.path); !ok || err != nil {
			continue
		}
		for _, d := range s.tree.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok || d.Body == nil || seen[symbolOf(d)] {
				continue
			}
			seen[symbolOf(d)] = true
			f := s.function(d, pkg)
			if len(f.faults) > 0 {
				funcs = append(funcs, f)
			}
		}
	}
	slices.SortFunc(funcs, func(a, b function) int { return cmp.Compare(a.hash, b.hash) })
	return funcs, nil
}

// everywhere reports whether a file is built for other platforms too.
func everywhere(path string) (bool, error) {
	other := build.Default
	other.GOOS, other.GOARCH = "js", "wasm"
	return other.MatchFile(filepath.Split(path))
}

func (s source) function(d *ast.FuncDecl, pkg string) function {
	name := symbolOf(d)
	from, to := s.span(undocumented{d, d.Type.Func})
	f := function{hash: hash(pkg + "." + name), lines: bytes.Count(s.text[from:to], []byte("\n")) + 1}
	var edits []edit
	ast.Inspect(d.Body, func(n ast.Node) bool {
		if n != nil {
			edits = append(edits, s.edits(n)...)
		}
		return true
	})
	for _, e := range edits {
		if c, ok := s.fault(e, from, to); ok {
			c.pkg, c.symbol, c.place = pkg, name, "proposed"
			f.faults = append(f.faults, c)
		}
	}
	if len(f.faults) > 0 {
		first := int(f.hash>>8) % len(f.faults)
		f.faults = slices.Concat(f.faults[first:], f.faults[:first])
	}
	return f
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s) // never fails
	x := h.Sum64()
	x ^= x >> 31 // FNV leaves the last bytes' trace in the low bits
	x *= 0x9e3779b97f4a7c15
	return (x ^ x>>29) >> 1
}

// edit is a change of the text from one offset to another.
type edit struct {
	from, to int
	text     string
}

// fault turns an edit into the replacement of a line, whose occurrences it counts from the
// beginning of the function.
func (s source) fault(e edit, from, to int) (f fault, ok bool) {
	begin := bytes.LastIndexByte(s.text[:e.from], '\n') + 1
	end := e.to + bytes.IndexByte(s.text[e.to:], '\n')
	if bytes.IndexByte(s.text[e.from:e.to], '\n') >= 0 || begin < from && e.from < from {
		return f, false
	}
	begin = max(begin, from)
	whole := string(s.text[begin:end])
	f.old = code(whole)
	f.new = code(whole[:e.from-begin] + e.text + whole[e.to-begin:])
	for i, at := range occurrences(f.old, s.text[from:to]) {
		if from+at[0] >= begin && from+at[0] < end {
			f.nth = i + 1
			break
		}
	}
	return f, f.nth > 0 && f.old != f.new
}

// code is a line without its indentation and comment.
func code(line string) string {
	if i := strings.Index(line, " // "); i >= 0 {
		line = line[:i]
	}
	return strings.TrimSpace(line)
}

// edits returns what the operators make of one node.
func (s source) edits(n ast.Node) (e []edit) {
	replace := func(n ast.Node, text string) {
		from, to := s.span(n)
		e = append(e, edit{from, to, text})
	}
	token := func(at token.Pos, old, text string) {
		from := s.fset.Position(at).Offset
		e = append(e, edit{from, from + len(old), text})
	}
	switch n := n.(type) {
	case *ast.IfStmt:
		if !strings.HasPrefix(s.of(n.Cond), "err ") {
			replace(n.Cond, "!("+s.of(n.Cond)+")")
		}
	case *ast.BinaryExpr:
		if s.of(n.X) == "err" {
			break // what everything depends on
		}
		if other, ok := swapped[n.Op.String()]; ok {
			token(n.OpPos, n.Op.String(), other)
		}
	case *ast.AssignStmt:
		if other, ok := swapped[n.Tok.String()]; ok {
			token(n.TokPos, n.Tok.String(), other)
		}
		if n.Tok.String() != ":=" {
			replace(n, "")
		}
	case *ast.ExprStmt, *ast.IncDecStmt:
		replace(n, "")
	case *ast.BranchStmt:
		if other, ok := swapped[n.Tok.String()]; ok && n.Label == nil {
			replace(n, other)
		}
	case *ast.CallExpr:
		e = append(e, s.arguments(n)...)
	case *ast.BasicLit:
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			replace(n, strconv.FormatInt(v+1, 10))
		}
	case *ast.Ident:
		if other, ok := swapped[n.Name]; ok {
			replace(n, other)
		}
	case *ast.BlockStmt:
		if len(n.List) > 1 { // return early
			from, _ := s.span(n.List[1])
			e = append(e, edit{from, from, "return; "})
		}
	}
	return e
}

var swapped = map[string]string{
	"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
	"+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "/=", "<<": ">>", ">>": "<<",
	"continue": "break", "break": "continue", "true": "false", "false": "true", "min": "max", "max": "min",
}

// arguments swaps arguments of a call that stand side by side.
func (s source) arguments(n *ast.CallExpr) (e []edit) {
	for i := 1; i < len(n.Args); i++ {
		a, b := s.of(n.Args[i-1]), s.of(n.Args[i])
		from, _ := s.span(n.Args[i-1])
		_, to := s.span(n.Args[i])
		if a != b {
			e = append(e, edit{from, to, b + ", " + a})
		}
	}
	return e
}

// of is the text of a node.
func (s source) of(n ast.Node) string {
	from, to := s.span(n)
	return string(s.text[from:to])
}
