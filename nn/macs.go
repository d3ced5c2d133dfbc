package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// MACs is the number of multiply-accumulate operations that n takes for a batch of one:
// those of convolutions, matrix products and their gradients, 0 for other ops. The sum over
// the nodes that logits are computed from ([graph.Reachable]) is what papers state of a model.
func MACs(n *graph.Node) int {
	op, ok := ops.Counted(n.Op())
	if !ok || !n.Valid() {
		return 0
	}
	in := make([]shape.Type, n.NIn())
	for i, x := range n.Ins() {
		in[i] = x.Type().At(1)
	}
	return op.MACs(in, n.Type().At(1))
}
