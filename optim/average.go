package optim

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// follow updates the moving average of s.Param by next, its value after the step. After the first
// step the average is next itself.
func follow(s Slot, decay float64, next *graph.Node) {
	p := s.Param
	avg := p.Graph().State(p.Name()+averageSuffix, p.Type(), p.Init())
	s.Update(avg, ops.Where(s.First(), next, mix(decay, avg, 1-decay, next)))
}

// Averaged returns a clone of outs that uses the moving averages that a [Recipe] with Average set
// keeps, instead of the parameters. Parameters that the recipe does not train, because they are
// frozen or not matched, have no average and stay. Typical use is
//
//	optim.Averaged(graph.Inference(logits)...)
//
// run on the store of the training. If no such recipe was applied to the graph, Averaged assumes
// that every parameter that is not frozen has an average.
func Averaged(outs ...*graph.Node) []*graph.Node { return AveragedBy(leavesOf(outs), outs...) }

// Averages reports whether names contains the name of a moving average.
func Averages(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, averageSuffix) })
}

// leavesOf returns the names of the leaves in the graph of outs, or in the graph that it was cloned
// from.
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

// AveragedBy is like [Averaged], for outs of a graph to which the recipe was not applied, such as a
// graph made for prediction. names are the names of the stored values, among them the averages.
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
