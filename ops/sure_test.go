package ops_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// TestCrossEntropyIsAccurateWhereItIsSmall: of a target that leads by some margin, the loss is
// log1p of what the others have beside it, and its gradient at the target minus their probability.
// PyTorch's float32 gives 0 for both from a margin of 17 on. Beyond 87 exponentials are below the
// normal numbers, which the engine cpu takes for zeros.
func TestCrossEntropyIsAccurateWhereItIsSmall(t *testing.T) {
	const classes = 10
	for _, margin := range []float64{.5, 2, 10, 15, 17, 20, 50, 80} {
		others := (classes - 1) * math.Exp(-margin)
		p := others / (1 + others)
		for name, loss := range map[string]func(x, target *graph.Node) *graph.Node{
			"CrossEntropy": func(x, target *graph.Node) *graph.Node { return ops.CrossEntropy(x, target) },
			"NLL":          func(x, target *graph.Node) *graph.Node { return ops.NLL(ops.LogSoftmax(x, 1), target) },
		} {
			onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
				g := graph.New()
				x := newFeed(g, "x", shape.Of(2, classes), []float64{3: margin, classes + 7: margin, 2*classes - 1: 0})
				y := out(loss(in(x.node), g.Const(shape.I32(2), []float64{3, 7})))
				got := computedOn(t, e, nil, []*graph.Node{y, autodiff.Grad(y, x.node)[0]}, x)
				of := fmt.Sprintf("%s on %s, margin %v", name, e.Name(), margin)
				require.InEpsilon(t, math.Log1p(others), got[0][0], 1e-6, of)
				require.InEpsilon(t, -p/2, got[1][3], 2e-6, of)
				require.InEpsilon(t, -p/2, got[1][classes+7], 2e-6, of)
				require.InEpsilon(t, p/2/(classes-1), got[1][0], 2e-6, of)
			})
		}
	}
}
