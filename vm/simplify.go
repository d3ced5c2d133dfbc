package vm

import "github.com/plexaura/plexaura/graph"

// maxRounds bounds rewriting on any graph, even with rules that undo each other.
const maxRounds = 16

// simplify applies the ops' own rules until none has anything to say.
func simplify(u *unit) error {
	for range maxRounds {
		changed := false
		u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
			image := dst.Replay(n, in...)
			s, ok := image.Op().(Simplifier)
			if !ok {
				return image
			}
			better := s.Simplify(image)
			if better == nil || better == image || better.Type() != image.Type() {
				return image
			}
			changed = true
			return better
		})
		if !changed {
			return nil
		}
	}
	return nil
}
