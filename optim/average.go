package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// averageName is the leaf of the moving average of the parameter of that name.
func averageName(param string) string { return graph.Join(param, "ema") }

// follow makes the moving average of s.Param follow next, its value after the step. The
// first step's average is next itself.
func follow(s Slot, decay float64, next *graph.Node) {
	p := s.Param
	avg := p.Graph().State(averageName(p.Name()), p.Type(), p.Init())
	s.Update(avg, ops.Where(s.First(), next, mix(decay, avg, 1-decay, next)))
}

// Averaged returns a clone of outs that computes with the moving averages that a [Recipe]
// with an Average keeps, in place of the parameters themselves. Frozen parameters have none
// and stay. It is mostly used as
//
//	optim.Averaged(graph.Inference(logits)...)
//
// and run on the store of the training.
func Averaged(outs ...*graph.Node) []*graph.Node {
	return graph.Transform(outs, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		if n.Kind() == graph.Param && !n.Frozen() {
			return dst.State(averageName(n.Name()), n.Type(), n.Init())
		}
		return dst.Replay(n, in...)
	})
}
