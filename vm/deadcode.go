package vm

import "github.com/plexaura/plexaura/graph"

// deadcode keeps what the roots need; rebuilding does just that.
func deadcode(u *unit) error {
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node { return dst.Replay(n, in...) })
	return nil
}
