package vm

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
)

// validate reports, all at once, the nodes for which no kernel can be found.
func validate(u *unit) error {
	var errs graph.ErrorList
	for _, n := range graph.Reachable(u.roots()...) {
		if n.Kind() == graph.Computed && !runnable(n.Op()) {
			errs = append(errs, graph.ErrorAt(n, fmt.Errorf("op %T cannot run: it implements none of the interfaces vm.Bindable, engine.ElementwiseOp, engine.UniformOp and vm.Aliaser", n.Op())))
		}
		if _, ok := n.Op().(Aliaser); ok && n.NIn() == 0 {
			errs = append(errs, graph.ErrorAt(n, errors.New("an Aliaser has at least one input")))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

func runnable(op graph.Op) bool {
	switch op.(type) {
	case Bindable, engine.ElementwiseOp, engine.UniformOp, Aliaser:
		return true
	}
	return false
}
