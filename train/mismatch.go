package train

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// MismatchError is returned for the weights of another model. It names the values that
// differ, in alphabetical order.
type MismatchError struct {
	Missing    []string // the model has them, the weights have not
	Unexpected []string // the weights have them, the model has not
	Different  []Difference
}

// Difference is a value that model and weights have in different types.
type Difference struct {
	Name       string
	Have, Want shape.Type // in the weights, in the model
}

// Error names the values on one line, the first of many.
func (e *MismatchError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+listed(e.Missing))
	}
	if len(e.Unexpected) > 0 {
		parts = append(parts, "unexpected "+listed(e.Unexpected))
	}
	var different []string
	for _, d := range e.Different {
		different = append(different, fmt.Sprintf("%s is %v, the model wants %v", d.Name, d.Have, d.Want))
	}
	if len(different) > 0 {
		parts = append(parts, listed(different))
	}
	return "the weights are those of another model: " + strings.Join(parts, "; ")
}

// listed joins names, leaving out what would be too many to read.
func listed(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// match returns a [MismatchError] where s lacks one of wanted, or has it in another type, or
// has a value that is neither wanted nor in extra.
func match(s *vm.Store, wanted []*graph.Node, extra []string) error {
	var e MismatchError
	known := map[string]bool{}
	for _, name := range extra {
		known[name] = true
	}
	names := s.Names()
	for _, n := range wanted {
		known[n.Name()] = true
		if _, found := slices.BinarySearch(names, n.Name()); !found {
			e.Missing = append(e.Missing, n.Name())
		}
	}
	for _, name := range names {
		if !known[name] {
			e.Unexpected = append(e.Unexpected, name)
		}
	}
	var err error
	if e.Different, err = differences(s, wanted); err != nil {
		return err
	}
	if len(e.Missing)+len(e.Unexpected)+len(e.Different) == 0 {
		return nil
	}
	slices.Sort(e.Missing)
	return &e
}

// matchTypes returns a [MismatchError] where s has one of wanted in another type.
func matchTypes(s *vm.Store, wanted []*graph.Node) error {
	different, err := differences(s, wanted)
	if err == nil && len(different) > 0 {
		err = &MismatchError{Different: different}
	}
	return err
}

func differences(s *vm.Store, wanted []*graph.Node) (ds []Difference, err error) {
	names := s.Names()
	for _, n := range wanted {
		if _, found := slices.BinarySearch(names, n.Name()); !found {
			continue
		}
		v, err := s.Value(n.Name())
		if err != nil {
			return nil, err
		}
		if have := typeOf(v); have != n.Type() {
			ds = append(ds, Difference{n.Name(), have, n.Type()})
		}
	}
	slices.SortFunc(ds, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return ds, nil
}

// typeOf is the type of a value of a store.
func typeOf(v *tensor.Dense) shape.Type {
	d, _ := shape.ParseDType(v.Dtype().String())
	return shape.Type{DType: d, Shape: shape.OfInts(v.Shape()...)}
}
