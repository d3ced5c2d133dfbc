package vm

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/rescue"
)

// pass is one step of a pipeline over U, the form of the program it works on.
type pass[U any] struct {
	name     string
	optional bool
	run      func(*U) error
	why      string
	needs    []string // the passes that must have run; none of them can be left out
	after    []string // the passes that, if they run at all, run earlier
}

// checkOrder returns an error if a pass of list comes before one that it needs or follows, or needs
// one that may be left out. For an optional pass stands reports whether another does its work.
func checkOrder[U any](list []pass[U], stands func(name string) bool) error {
	earlier := map[string]bool{} // and whether it always runs
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

// workingNode is the node that a pass works on, for an error of what panics in a method of its op.
type workingNode struct{ node *graph.Node }

// at notes the node.
func (p *workingNode) at(n *graph.Node) { p.node = n }

// guard runs a pass, which calls methods of users' ops and engines. A panic of one becomes an error.
func guard[U any](u *U, p *workingNode, run func(*U) error) error {
	p.node = nil
	err := rescue.Do(func() error { return run(u) })
	var panicked *rescue.Panic
	if errors.As(err, &panicked) && p.node != nil {
		return graph.ErrorAt(p.node, panicked)
	}
	return err
}

// wrap adds the pass to errors that do not say where they come from.
func wrap(pass string, err error) error {
	var list graph.ErrorList
	var one *graph.Error
	if errors.As(err, &list) || errors.As(err, &one) {
		return err
	}
	return fmt.Errorf("vm: %s: %w", pass, err)
}

// form is a stage of the program that can be checked and printed.
type form interface {
	check() error
	dump(w printer)
}

// after does what the options ask for once a pass has run.
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
