package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// lateName is the name of the state that says at which step late parameters began.
const lateName = "step.late"

type lateKey struct{}

// Late says that params of g, which were frozen in the program that trained before, are trained from now on. A
// [Recipe] that is applied to g afterwards counts their steps from the first one of this program, so that
// corrections such as those of [Adam] fit moments that begin at zero. Schedules go on.
func Late(g *graph.Graph, params ...*graph.Node) {
	late := lateOf(g)
	for _, p := range params {
		late[p] = true
	}
}

func lateOf(g *graph.Graph) map[*graph.Node]bool {
	return g.Memo(lateKey{}, func() any { return map[*graph.Node]bool{} }).(map[*graph.Node]bool)
}

// stepsSince returns a function that gives the steps of a parameter, a float64 scalar, given those of the
// optimiser. count is the state that counts them.
func (r Recipe) stepsSince(g *graph.Graph, count *graph.Node, params []*graph.Node) func(p, steps *graph.Node) *graph.Node {
	late, own := lateOf(g), (*graph.Node)(nil)
	for _, p := range params {
		if late[p] && own == nil {
			begun := g.State(graph.Join(r.Name, lateName), shape.I64(), graph.Fill(-1))
			first := ops.Where(ops.Less(begun, ops.ZerosLike(begun)), count, begun)
			g.Update(begun, first)
			own = ops.Cast(ops.Sub(count, first), shape.Float64)
		}
	}
	return func(p, steps *graph.Node) *graph.Node {
		if late[p] {
			return own
		}
		return steps
	}
}

// matchesFrozen reports whether a pattern matches a parameter of g that is frozen: such as one that is trained later.
func matchesFrozen(g *graph.Graph, pattern string) bool {
	for _, n := range g.Leaves() {
		if n.Kind() == graph.Param && n.Frozen() && patterns.Match(pattern, n.Name()) {
			return true
		}
	}
	return false
}
