package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// MACs returns the number of multiply-accumulate operations of n for a batch of one. Convolutions,
// matrix products and their gradients have some; for other ops it is 0. The sum over the nodes that
// logits depend on ([graph.Reachable]) is the number that papers state for a model.
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
