package vm

import "github.com/plexaura/plexaura/graph"

// deadcode drops the nodes that the roots do not need, by rebuilding the graph.
func deadcode(u *unit) error {
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node { return dst.Replay(n, in...) })
	return nil
}
