package numeric_test

import (
	"context"
	"testing"

	"github.com/plexaura/plexaura/autodiff/numeric"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Examine":  numeric.Examine,
			"Hessian":  numeric.Hessian,
			"Jacobian": numeric.Jacobian,
		},
		Types: []any{
			new(numeric.Matrix),
			new(numeric.Report),
		},
		Good: func() []any {
			g := graph.New()
			x := g.Param("x", shape.F64(2), nil)
			y := ops.Sum(ops.Square(x))
			return []any{x, y, []*graph.Node{x}, ref.Engine{}, vm.NewStore(1), context.Background()}
		},
	})
}
