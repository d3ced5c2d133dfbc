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
