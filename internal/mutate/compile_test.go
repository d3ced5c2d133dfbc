package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What does not compile is noticed by no test.
func TestEveryFaultCompiles(t *testing.T) {
	faults, err := readFaults("faults")
	require.NoError(t, err)
	var pkgs []string
	of := map[string][]fault{}
	for _, f := range faults {
		if of[f.pkg] == nil {
			pkgs = append(pkgs, f.pkg)
		}
		of[f.pkg] = append(of[f.pkg], f)
	}
	exports := exported(t, pkgs)
	for _, pkg := range pkgs {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			files, err := parsePackage(filepath.Join("..", "..", filepath.FromSlash(pkg)))
			require.NoError(t, err)
			c := newChecker(exports)
			for _, f := range of[pkg] {
				if err := c.check(f, files); err != nil {
					t.Errorf("%s: %s: %v", f.place, f.name(), err)
				}
			}
		})
	}
}

func TestAFaultThatDoesNotCompileIsFound(t *testing.T) {
	files := parsed(t, "package p\n\nimport \"fmt\"\n\nfunc f() { fmt.Println(1) }\n")
	c := newChecker(exported(t, []string{"internal/mutate"}))
	require.NoError(t, c.check(fault{symbol: "f", nth: 1, old: "1", new: "2"}, files))
	require.ErrorContains(t, c.check(fault{symbol: "f", nth: 1, old: "fmt.Println(1)"}, files), `"fmt" imported and not used`)
	require.ErrorContains(t, c.check(fault{symbol: "f", nth: 1, old: "1", new: "x"}, files), "undefined: x")
}

// exported returns the files of export data of everything that packages of the module import.
func exported(t *testing.T, pkgs []string) map[string]string {
	t.Helper()
	list := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, p := range pkgs {
		list = append(list, "./"+p)
	}
	cmd := exec.Command("go", list...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	require.NoError(t, err)
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return files
}

// checker types packages with a fault in them.
type checker struct {
	fset *token.FileSet
	types.Config
}

func newChecker(exports map[string]string) checker {
	open := func(path string) (io.ReadCloser, error) {
		data, err := os.ReadFile(exports[path])
		if err != nil {
			return nil, fmt.Errorf("no export data of %s: %w", path, err)
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	fset := token.NewFileSet()
	return checker{fset, types.Config{Importer: importer.ForCompiler(fset, "gc", open)}}
}

func (c checker) check(f fault, files []source) error {
	changed, text, err := f.apply(files)
	if err != nil {
		return err
	}
	var trees []*ast.File
	for _, s := range files {
		src := s.text
		if s.path == changed {
			src = text
		}
		tree, err := parser.ParseFile(c.fset, s.path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		trees = append(trees, tree)
	}
	_, err = c.Check("p", c.fset, trees, nil)
	return err
}
