package train

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// MismatchError reports weights that do not fit the model. It names each value that differs once,
// in alphabetical order.
type MismatchError struct {
	Missing    []string // in the model, but not in the weights
	Unused     []string // in the weights, but not in the model
	Mismatched []Difference
}

// Difference is a value whose type differs between model and weights.
type Difference struct {
	Name       string
	Have, Want shape.Type // in the weights and in the model
}

// Error names the values on one line; if there are many, only the first ones.
func (e *MismatchError) Error() string {
	if e == nil {
		return "the weights are those of the model"
	}
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+plain.Names(e.Missing, shown))
	}
	if len(e.Unused) > 0 {
		parts = append(parts, "unused "+plain.Names(e.Unused, shown))
	}
	var mismatched []string
	for _, d := range e.Mismatched {
		mismatched = append(mismatched, fmt.Sprintf("%s is %v, the model needs %v", plain.Name(d.Name), d.Have, d.Want))
	}
	if len(mismatched) > 0 {
		parts = append(parts, plain.List(mismatched, shown))
	}
	return "the weights are those of another model: " + strings.Join(parts, "; ")
}

// shown is the number of values that an error names, for each kind of difference.
const shown = 8

// orNil returns e, or nil if nothing differs.
func (e *MismatchError) orNil() error {
	if len(e.Missing)+len(e.Unused)+len(e.Mismatched) == 0 {
		return nil
	}
	return e
}

// match returns a [MismatchError] if s lacks a wanted value, has one with another type, or has a
// value that is neither in wanted nor in extra.
func match(s *vm.Store, wanted []*graph.Node, extra []string) error {
	e, err := mismatches(s, wanted, extra)
	if err != nil {
		return err
	}
	return e.orNil()
}

// mismatches returns the differences between s and wanted, in which several leaves may have the
// same name.
func mismatches(s *vm.Store, wanted []*graph.Node, extra []string) (*MismatchError, error) {
	var e MismatchError
	types, known := map[string]shape.Type{}, map[string]bool{}
	for _, n := range wanted {
		types[n.Name()], known[n.Name()] = n.Type(), true
	}
	for _, name := range extra {
		known[name] = true
	}
	names := s.Names()
	for _, name := range names {
		want, ok := types[name]
		delete(types, name)
		switch {
		case !known[name]:
			e.Unused = append(e.Unused, name)
		case ok:
			v, err := s.Value(name)
			if err != nil {
				return nil, err
			}
			if have := typeOf(v); have != want {
				e.Mismatched = append(e.Mismatched, Difference{name, have, want})
			}
		}
	}
	for name := range types {
		e.Missing = append(e.Missing, name)
	}
	slices.Sort(e.Missing)
	return &e, nil
}

// typeOf returns the type of a value in a store.
func typeOf(v *tensor.Dense) shape.Type {
	return shape.Type{DType: engine.DTypeOf(v), Shape: shape.OfInts(v.Shape()...)}
}

// randomState is the name under which [ops.RNG] keeps its state in a store. Only training reads it.
const randomState = "rng"

// fresh lists the values of s, which is Config.Store for training net, that start afresh: the state
// of optimisers, and those differences from the model that partial allows. Other differences are a
// [MismatchError]. leaves are those of the programs.
func fresh(s *vm.Store, net *Network, leaves []*graph.Node, partial []string) ([]string, error) {
	known := append(slices.Clone(leaves), net.Leaves...)
	known = slices.DeleteFunc(known, func(n *graph.Node) bool { return slices.Contains(net.kept, n.Name()) })
	anew := without(append(optim.Kept(s.Names()), randomState), known)
	anew = append(anew, net.kept...)

	extra := slices.Clone(anew)
	for _, n := range known {
		extra = append(extra, n.Name())
	}
	e, err := mismatches(s, net.wanted, extra)
	if err != nil {
		return nil, err
	}
	if len(e.Missing) == len(net.wanted) && len(e.Unused) > 0 { // nothing fits: surely a mistake
		return nil, e
	}
	anew = append(anew, e.allow(partial)...)
	if e.orNil() != nil {
		return nil, fmt.Errorf("%w; name values that should start afresh, such as a new head, in Config.Partial", e)
	}
	return anew, nil
}

// without lists the names that no leaf has.
func without(names []string, leaves []*graph.Node) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(leaves, func(n *graph.Node) bool { return n.Name() == name })
	})
}

// allow removes from e the values that match patterns. It returns those of them that the weights
// have.
func (e *MismatchError) allow(partial []string) (had []string) {
	allowed := func(name string) bool { return patterns.Any(partial, name) }
	take := func(name string) bool {
		if allowed(name) {
			had = append(had, name)
		}
		return allowed(name)
	}
	e.Missing = slices.DeleteFunc(e.Missing, allowed)
	e.Unused = slices.DeleteFunc(e.Unused, take)
	e.Mismatched = slices.DeleteFunc(e.Mismatched, func(d Difference) bool { return take(d.Name) })
	return had
}
