package vm

import "github.com/plexaura/plexaura/graph"

// Bounds of rewriting on any graph, for rules that undo each other, or make ever more.
const (
	maxRounds = 16
	maxGrowth = 4 // times the nodes that there were at first
)

// simplify applies the ops' own rules until none has anything to say.
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
