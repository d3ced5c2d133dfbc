package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is what the go command says of this module.
type module struct {
	name string
	root string
	pkgs map[string]*listed // by path within the module
}

// listed is a package of the module.
type listed struct {
	ImportPath   string
	Module       struct{ Path string }
	Imports      []string
	TestImports  []string
	XTestImports []string
	TestGoFiles  []string
	XTestGoFiles []string
	Deps         []string
}

func (l *listed) tested() bool { return len(l.TestGoFiles)+len(l.XTestGoFiles) > 0 }

// loadModule asks the go command about the module that dir lies in.
func loadModule(ctx context.Context, dir string) (*module, error) {
	root := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	root.Dir = dir
	path, err := root.Output()
	if err != nil {
		return nil, failure("go list -m", err)
	}
	m := &module{root: strings.TrimSpace(string(path)), pkgs: map[string]*listed{}}
	all := exec.CommandContext(ctx, "go", "list", "-json=ImportPath,Module,Imports,TestImports,XTestImports,TestGoFiles,XTestGoFiles,Deps", "./...")
	all.Dir = m.root
	out, err := all.Output()
	if err != nil {
		return nil, failure("go list", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		l := new(listed)
		if err := d.Decode(l); errors.Is(err, io.EOF) {
			return m, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		m.name = l.Module.Path
		m.pkgs[m.within(l.ImportPath)] = l
	}
}

// failure is an error with what the command printed.
func failure(what string, err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %w\n%s", what, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (m *module) path(pkg string) string { return filepath.Join(m.root, filepath.FromSlash(pkg)) }

// within returns the path of a package of ours within the module, "" for another's.
func (m *module) within(path string) string {
	if path == m.name {
		return "."
	}
	ours, ok := strings.CutPrefix(path, m.name+"/")
	if !ok {
		return ""
	}
	return ours
}

// testers returns the packages whose tests may notice a change of pkg: itself, then those
// that import it or whose tests do, the nearest first, and among these the ones that
// depend on less.
func (m *module) testers(pkg string) (order []string) {
	far := map[string]int{pkg: 0}
	for level := []string{pkg}; len(level) > 0; {
		var next []string
		for name, l := range m.pkgs {
			if _, seen := far[name]; seen || !slices.ContainsFunc(l.Imports, m.oneOf(level)) {
				continue
			}
			next = append(next, name)
		}
		for _, name := range next {
			far[name] = far[level[0]] + 1
		}
		level = next
	}
	first := func(imports []string) int {
		best := len(m.pkgs)
		for _, i := range imports {
			if d, ok := far[m.within(i)]; ok {
				best = min(best, d+1)
			}
		}
		return best
	}
	near := map[string]int{}
	for name, l := range m.pkgs {
		d, direct := far[name]
		if !direct {
			d = len(m.pkgs)
		}
		d = min(d, first(l.TestImports), first(l.XTestImports))
		if d < len(m.pkgs) && l.tested() {
			near[name] = d
			order = append(order, name)
		}
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(near[a], near[b]), cmp.Compare(len(m.pkgs[a].Deps), len(m.pkgs[b].Deps)), cmp.Compare(a, b))
	})
	return order
}

// oneOf reports whether an import path is one of these packages.
func (m *module) oneOf(pkgs []string) func(string) bool {
	return func(path string) bool { return slices.Contains(pkgs, m.within(path)) }
}
