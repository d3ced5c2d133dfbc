package optim

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// follow makes the moving average of s.Param follow next, its value after the step. The
// first step's average is next itself.
func follow(s Slot, decay float64, next *graph.Node) {
	p := s.Param
	avg := p.Graph().State(p.Name()+averageSuffix, p.Type(), p.Init())
	s.Update(avg, ops.Where(s.First(), next, mix(decay, avg, 1-decay, next)))
}

// Averaged returns a clone of outs that computes with the moving averages that a [Recipe]
// with an Average keeps, in place of the parameters themselves. Parameters that it does not
// train, frozen ones and those that it does not match, have none and stay. It is mostly used as
//
//	optim.Averaged(graph.Inference(logits)...)
//
// and run on the store of the training. In a graph to which no such recipe was applied every
// parameter that is not frozen is taken to have an average.
func Averaged(outs ...*graph.Node) []*graph.Node { return AveragedBy(leavesOf(outs), outs...) }

// Averages reports whether there is a moving average among the names of leaves.
func Averages(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, averageSuffix) })
}

// leavesOf names the leaves of the graph that outs are of, or were cloned from.
func leavesOf(outs []*graph.Node) (names []string) {
	nodes := graph.Reachable(outs...)
	i := slices.IndexFunc(nodes, func(n *graph.Node) bool { return n.Kind() == graph.Param })
	if i < 0 {
		return nil
	}
	for _, leaf := range nodes[i].Source().Graph().Leaves() {
		names = append(names, leaf.Name())
	}
	return names
}

// AveragedBy is [Averaged] for outs of a graph without the recipe, such as one that is made for
// prediction: names are those of what was kept, among them the averages.
func AveragedBy(names []string, outs ...*graph.Node) []*graph.Node {
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	none := !Averages(names)
	return graph.Transform(outs, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		if n.Kind() == graph.Param && !n.Frozen() && (none || known[n.Name()+averageSuffix]) {
			return dst.State(n.Name()+averageSuffix, n.Type(), n.Init())
		}
		return dst.Replay(n, in...)
	})
}
