package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// MACs is the number of multiply-accumulate operations that n takes for a batch of one:
// those of convolutions and matrix products, 0 for other ops. The sum over the nodes that
// logits are computed from ([graph.Reachable]) is what papers state of a model.
func MACs(n *graph.Node) int {
	if !n.Valid() {
		return 0
	}
	out := n.Type().At(1).Len()
	switch op := n.Op().(type) {
	case ops.Conv2DOp:
		w := n.In(1).Type().At(1)
		return out * w.Len() / max(w.Int(0), 1)
	case ops.MatMulOp:
		axis := -1
		if op.TransA {
			axis = -2
		}
		return out * n.In(0).Type().At(1).Int(axis)
	}
	return 0
}
