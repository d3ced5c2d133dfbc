package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownName matches pkg.Name, or pkg.Type.Member, in backquotes.
var ownName = regexp.MustCompile("`([a-z]+)\\.([A-Z]\\w*(?:\\.[A-Z]\\w*)?)`")

// packages are those that the tables and answers of the guide speak of.
var packages = map[string]string{
	"autodiff": "autodiff", "callbacks": "train/callbacks", "csv": "data/csv", "data": "data", "gradcheck": "autodiff/gradcheck", "graph": "graph", "metrics": "train/metrics", "imagefolder": "data/imagefolder",
	"nn": "nn", "ops": "ops", "optim": "optim", "shape": "shape", "train": "train", "vm": "vm",
}

func TestNamesInTheGuideExist(t *testing.T) {
	found := 0
	for _, page := range []string{"coming-from.md", "faq.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", "guide", page))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if cells := strings.Split(line, "|"); len(cells) > 2 {
				line = cells[len(cells)-2] // the column that is ours
			}
			for _, m := range ownName.FindAllStringSubmatch(line, -1) {
				if m[1] == "tensor" || m[1] == "signal" {
					continue
				}
				require.Contains(t, packages, m[1], page)
				require.Contains(t, exported(t, packages[m[1]]), m[2], "%s names %s.%s", page, m[1], m[2])
				found++
			}
		}
	}
	require.Greater(t, found, 40)
}

// exported returns the exported names of a package, and Type.Method for each method.
func exported(t *testing.T, dir string) map[string]bool {
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			addNames(names, d)
		}
	}
	return names
}

func addNames(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		names[receiver(d)+d.Name.Name] = true
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names[s.Name.Name] = true
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[n.Name] = true
				}
			}
		}
	}
}

// receiver is the type that a method belongs to and a dot, or empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if g, ok := typ.(*ast.IndexExpr); ok {
		typ = g.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return "?."
}
