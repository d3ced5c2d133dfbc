package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// source is a parsed file of a package, tests left out.
type source struct {
	path string
	text []byte
	fset *token.FileSet
	tree *ast.File
}

// parsePackage parses the files of a folder that this platform builds.
func parsePackage(dir string) (files []source, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, e.Name()); !ok || err != nil {
			continue
		}
		s := source{path: filepath.Join(dir, e.Name()), fset: token.NewFileSet()}
		if s.text, err = os.ReadFile(s.path); err != nil {
			return nil, err
		}
		if s.tree, err = parser.ParseFile(s.fset, s.path, s.text, parser.ParseComments); err != nil {
			return nil, err
		}
		files = append(files, s)
	}
	return files, nil
}

// span is the place of a node in the text of its file.
func (s source) span(n ast.Node) (from, to int) {
	return s.fset.Position(n.Pos()).Offset, s.fset.Position(n.End()).Offset
}

// apply returns the file that the fault changes, and its changed text.
func (f fault) apply(files []source) (path string, text []byte, err error) {
	known, left := false, f.nth
	for _, s := range files {
		for _, n := range s.declared(f.symbol) {
			known = true
			from, to := s.span(n)
			at := occurrences(f.old, s.text[from:to])
			if left > len(at) {
				left -= len(at)
				continue
			}
			where := at[left-1]
			text = append(text, s.text[:from+where[0]]...)
			text = append(text, f.new...)
			return s.path, append(text, s.text[from+where[1]:]...), nil
		}
	}
	if !known {
		return "", nil, fmt.Errorf("%s: package %s has no %s", f.place, f.pkg, f.symbol)
	}
	return "", nil, fmt.Errorf("%s: %s has no longer (occurrence %d of) the text\n\t%s", f.place, f.name(), f.nth, f.old)
}

// occurrences returns the places of a snippet, whose lines may be indented otherwise than in
// the text.
func occurrences(snippet string, text []byte) [][]int {
	lines := strings.Split(snippet, "\n")
	for i, l := range lines {
		lines[i] = regexp.QuoteMeta(l)
	}
	return regexp.MustCompile(strings.Join(lines, `[ \t]*\n[ \t]*`)).FindAllIndex(text, -1)
}

// declared returns the declarations of a symbol; there may be several of the blank identifier.
func (s source) declared(symbol string) (nodes []ast.Node) {
	for _, d := range s.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if symbolOf(d) == symbol {
				nodes = append(nodes, undocumented{d, d.Type.Func})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if names(spec, symbol) {
					nodes = append(nodes, spec)
				}
			}
		}
	}
	return nodes
}

// undocumented is a declaration without its comment.
type undocumented struct {
	ast.Node
	from token.Pos
}

func (u undocumented) Pos() token.Pos { return u.from }

func names(spec ast.Spec, symbol string) bool {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return spec.Name.Name == symbol
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			if n.Name == symbol {
				return true
			}
		}
	}
	return false
}

// symbolOf names a function as the go command does, without type parameters: Max, (T).Max,
// (*T).Max.
func symbolOf(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t, star := d.Recv.List[0].Type, ""
	if p, ok := t.(*ast.StarExpr); ok {
		t, star = p.X, "*"
	}
	switch x := t.(type) {
	case *ast.IndexExpr:
		t = x.X
	case *ast.IndexListExpr:
		t = x.X
	}
	id, ok := t.(*ast.Ident)
	if !ok {
		return d.Name.Name
	}
	return fmt.Sprintf("(%s%s).%s", star, id.Name, d.Name.Name)
}
