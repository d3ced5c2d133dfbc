package train

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// notFinite returns the error for a result that is not finite. It names the cause: values of s or
// inputs that are themselves not finite, or else numbers that grow too large.
func notFinite(what string, s *vm.Store, inputs []float32) error {
	bad, err := notFiniteValues(s)
	switch {
	case err != nil:
		return err
	case len(bad) > 0:
		return fmt.Errorf("%s is %w, since some weights are not: %s", what, vm.ErrNotFinite, plain.Names(bad, shown))
	case !finite(inputs):
		return fmt.Errorf("%s is %w, since some inputs are not", what, vm.ErrNotFinite)
	}
	return fmt.Errorf("%s is %w, though weights and inputs are: intermediate values are too large", what, vm.ErrNotFinite)
}

// notFiniteValues lists the values that have elements that are not finite, in alphabetical order.
func notFiniteValues(s *vm.Store) (names []string, err error) {
	for _, name := range s.Names() {
		v, err := s.Value(name)
		if err != nil {
			return nil, err
		}
		fine := false
		if v.Dtype() == tensor.Float32 {
			fine = finite(v.Float32s())
		} else {
			fine = finite(elements(v))
		}
		if !fine {
			names = append(names, name)
		}
	}
	return names, nil
}

func finite[T shape.Float](v []T) bool {
	for _, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}
