package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// name is an exported function, type, constant, variable or method of a package below internal.
type name struct {
	pkg, of string // of is the method's type, or empty
	ident   string
	isType  bool
}

func (n name) String() string {
	if n.of != "" {
		return n.pkg + ": (" + n.of + ")." + n.ident
	}
	return n.pkg + ": " + n.ident
}

// source is a file of the module.
type source struct {
	pkg  string // its folder
	test bool
	file *ast.File
}

func sources(t *testing.T) (all []source) {
	fset := token.NewFileSet()
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".go") {
			return
		}
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		rel := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../")
		all = append(all, source{rel, strings.HasSuffix(file, "_test.go"), f})
	})
	return all
}

// exported returns the names that a file declares for others, and where each stands.
func exported(s source) map[name]*ast.Ident {
	found := map[name]*ast.Ident{}
	add := func(of string, id *ast.Ident, isType bool) {
		if id.IsExported() {
			found[name{s.pkg, of, id.Name, isType}] = id
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			of := ""
			if d.Recv != nil {
				of = receiver(d.Recv.List[0].Type)
			}
			add(of, d.Name, false)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add("", spec.Name, true)
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						add("", id, false)
					}
				}
			}
		}
	}
	return found
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// usage is which names are used.
type usage struct {
	qualified map[[2]string]bool // by package and name: package.Name
	selected  map[string]bool    // x.Name of any x, in templates too, and the methods of interfaces
	inside    map[[2]string]bool // by package and name, in its own code: Name
}

// inTemplate is a field or method that a template asks for.
var inTemplate = regexp.MustCompile(`\.([A-Z]\w*)`)

// uses collects what files use, except what a package's own tests use of it.
func uses(t *testing.T, all []source, declared map[*ast.Ident]bool) usage {
	u := usage{map[[2]string]bool{}, map[string]bool{}, map[[2]string]bool{}}
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".html") {
			return
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range inTemplate.FindAllStringSubmatch(string(text), -1) {
			u.selected[m[1]] = true
		}
	})
	for _, s := range all {
		packages := map[string]string{}
		for _, spec := range s.file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			ours, ok := strings.CutPrefix(p, module+"/")
			if !ok || s.test && ours == s.pkg {
				continue
			}
			packages[localName(spec, p)] = ours
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && packages[x.Name] != "" {
					u.qualified[[2]string{packages[x.Name], n.Sel.Name}] = true
				}
				if !s.test || !strings.HasPrefix(s.pkg, "internal/") {
					u.selected[n.Sel.Name] = true
				}
			case *ast.InterfaceType:
				for _, m := range n.Methods.List {
					for _, id := range m.Names {
						u.selected[id.Name] = true
					}
				}
			case *ast.Ident:
				if !s.test && !declared[n] {
					u.inside[[2]string{s.pkg, n.Name}] = true
				}
			}
			return true
		})
	}
	return u
}

func localName(spec *ast.ImportSpec, p string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return filepath.Base(p)
}

// others are the methods that other modules call by their interfaces.
var others = []string{"String", "Error", "Unwrap", "Is", "As", "Read", "Write", "Close", "Len", "Less", "Swap", "Uint64", "UnmarshalText"}

// What is exported below internal is for other packages of this module. A name that only its own
// package's tests use is dead, and nothing else would say so: to the compiler and the linters it is
// somebody's. A type may be only what something else is declared with.
func TestEveryExportedNameBelowInternalHasAUser(t *testing.T) {
	all := sources(t)
	names, declared := map[name]*ast.Ident{}, map[*ast.Ident]bool{}
	for _, s := range all {
		if !strings.HasPrefix(s.pkg, "internal/") || s.test || s.file.Name.Name == "main" {
			continue
		}
		for n, id := range exported(s) {
			names[n], declared[id] = id, true
		}
	}
	require.Greater(t, len(names), 100)
	u := uses(t, all, declared)
	var dead []string
	for n := range names {
		key := [2]string{n.pkg, n.ident}
		alive := u.qualified[key] || n.isType && u.inside[key]
		if n.of != "" {
			alive = u.selected[n.ident] || slices.Contains(others, n.ident)
		}
		if !alive {
			dead = append(dead, n.String())
		}
	}
	slices.Sort(dead)
	require.Empty(t, dead, "nobody but the package's own tests uses these")
}
