package gradcheck_test

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Check":    gradcheck.Check,
			"Fixed":    gradcheck.Fixed,
			"IDs":      gradcheck.IDs,
			"NonZero":  gradcheck.NonZero,
			"Normal":   gradcheck.Normal,
			"Positive": gradcheck.Positive,
			"Run":      gradcheck.Run,
			"Spread":   gradcheck.Spread,
			"Uniform":  gradcheck.Uniform,
		},
		Types: []any{
			new(gradcheck.Difference),
		},
		Panics: map[string]string{
			"NonZero":  "a Values, which Run calls with what it has made",
			"Normal":   "a Values, which Run calls with what it has made",
			"Positive": "a Values, which Run calls with what it has made",
			"Spread":   "a Values, which Run calls with what it has made",
			"Check":    "without a test there is nobody to tell",
		},
		Good: func() []any {
			sum := func(x ...*graph.Node) (y *graph.Node) {
				for _, x := range x {
					y = ops.Sum(x)
				}
				return y
			}
			return []any{rand.New(rand.NewPCG(1, 2)), []float64{1, 2}, gradcheck.Func(sum), []gradcheck.Input{{Type: shape.F64(2)}}}
		},
	})
}
