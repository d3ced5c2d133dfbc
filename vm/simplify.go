package vm

import "github.com/plexaura/plexaura/graph"

// Limits of rewriting, for rules that undo each other or grow the graph without end.
const (
	maxRounds = 16
	maxGrowth = 4 // multiple of the initial number of nodes
)

// simplify applies the ops' own rules until none applies.
func simplify(u *unit) error {
	limit := maxGrowth * len(u.graph().Nodes())
	for range maxRounds {
		changed := false
		u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
			image := dst.Replay(n, in...)
			s, ok := image.Op().(Simplifier)
			if !ok {
				return image
			}
			better := s.Simplify(image)
			if better == nil || better == image || better.Graph() != dst || better.Type() != image.Type() {
				return image
			}
			changed = true
			return better
		})
		if !changed || len(u.graph().Nodes()) > limit {
			return nil
		}
	}
	return nil
}
