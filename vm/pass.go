package vm

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/rescue"
)

// pass is one step of a pipeline that works on the program in form U.
type pass[U any] struct {
	name     string
	optional bool
	run      func(*U) error
	why      string
	needs    []string // the passes that must have run; they cannot be switched off
	after    []string // the passes that must run earlier, if they run
}

// checkOrder returns an error if a pass of list comes before one that it needs or must follow, or
// needs one that can be switched off. stands reports whether an optional pass that is switched off
// is replaced by another.
func checkOrder[U any](list []pass[U], stands func(name string) bool) error {
	earlier := map[string]bool{} // whether an earlier pass always runs
	for _, p := range list {
		for _, name := range p.needs {
			if always, ok := earlier[name]; !ok || !always {
				return fmt.Errorf("vm: pass %s needs %s, which has not run or can be left out", p.name, name)
			}
		}
		for _, name := range p.after {
			if _, ok := earlier[name]; !ok {
				return fmt.Errorf("vm: pass %s comes after %s, which has not run", p.name, name)
			}
		}
		earlier[p.name] = !p.optional || stands(p.name)
	}
	return nil
}

// workingNode is the node that a pass is working on. It is named in the error if a method of its op
// panics.
type workingNode struct{ node *graph.Node }

// at records the node.
func (p *workingNode) at(n *graph.Node) { p.node = n }

// guard runs a pass, which calls methods of users' ops and engines. A panic becomes an error.
func guard[U any](u *U, p *workingNode, run func(*U) error) error {
	p.node = nil
	err := rescue.Do(func() error { return run(u) })
	var panicked *rescue.Panic
	if errors.As(err, &panicked) && p.node != nil {
		return graph.ErrorAt(p.node, panicked)
	}
	return err
}

// wrap adds the name of the pass to errors that have no origin yet.
func wrap(pass string, err error) error {
	var list graph.ErrorList
	var one *graph.Error
	if errors.As(err, &list) || errors.As(err, &one) {
		return err
	}
	return fmt.Errorf("vm: %s: %w", pass, err)
}

// form is a form of the program that can be checked and printed.
type form interface {
	check() error
	dump(w printer)
}

// after checks and prints the program after a pass, if the options ask for it.
func (o *options) after(pass string, f form) error {
	for _, d := range o.dumps {
		if d.after == pass {
			p := printer{w: d.w}
			p.line("after %s:", pass)
			f.dump(p)
		}
	}
	if !o.checked {
		return nil
	}
	if err := f.check(); err != nil {
		return fmt.Errorf("vm: broken after %s: %w", pass, err)
	}
	return nil
}
