package autodiff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// An Explanation says whether the gradient of Of with respect to By can be nonzero and, if it
// cannot, why. String formats it.
type Explanation struct {
	Of, By    *graph.Node
	Connected bool // Of is computed from By
	Passes    bool // the gradient reaches By; if it is zero nevertheless, the values make it so

	Uses  []*graph.Node // the nodes that read By, if the two are not connected
	Ends  []*graph.Node // the last nodes computed from By in that case: nothing reads them
	Stops []Stop        // where the gradient stops on its way
}

// A Stop is a place where a gradient stops.
type Stop struct {
	At  *graph.Node // the op that the gradient does not pass
	To  *graph.Node // the input of At that gets no gradient
	Why string
}

// Explain says why the gradient of y with respect to x is zero or missing. Either y is not computed
// from x, or every path between them contains a StopGradient, an integer, a comparison or another
// op that no gradient passes; each is listed with its line. If a path is open, package
// autodiff/numeric can find dead units.
//
// Explain looks only at the graph, adds nothing to it, and costs as much as building a gradient.
// Both arguments must be floating-point nodes of one graph without errors.
func Explain(y, x *graph.Node) (Explanation, error) {
	e := Explanation{Of: y, By: x}
	if err := checkExplain(y, x); err != nil {
		return e, err
	}
	e.Connected = slices.Contains(graph.Reachable(y), x)
	if !e.Connected {
		e.follow()
		return e, nil
	}
	return e, e.sweep()
}

func checkExplain(y, x *graph.Node) error {
	switch {
	case y == nil || x == nil:
		return errors.New("autodiff: Explain: a node is nil")
	case y.Graph() != x.Graph():
		return fmt.Errorf("autodiff: Explain: %v and %v are nodes of different graphs", y, x)
	case y.Graph().Err() != nil:
		return y.Graph().Err()
	case !y.Type().HasGradient():
		return fmt.Errorf("autodiff: Explain: %w", notFloat(y))
	case !x.Type().HasGradient():
		return fmt.Errorf("autodiff: Explain: %w", notFloat(x))
	}
	return nil
}

// follow finds the nodes computed from By. It ignores nodes of gradients unless Of is one.
func (e *Explanation) follow() {
	nodes := e.By.Graph().Nodes()
	on, read := make([]bool, len(nodes)), make([]bool, len(nodes))
	on[e.By.ID()] = true
	for id, n := range nodes {
		if n.Origin() != nil && e.Of.Origin() == nil {
			continue
		}
		for _, in := range n.Ins() {
			if !on[in.ID()] {
				continue
			}
			on[id], read[in.ID()] = true, true
			if in == e.By && (len(e.Uses) == 0 || e.Uses[len(e.Uses)-1] != n) {
				e.Uses = append(e.Uses, n)
			}
		}
	}
	for id, n := range nodes {
		if on[id] && !read[id] && n != e.By {
			e.Ends = append(e.Ends, n)
		}
	}
}

// sweep differentiates a clone of the graph to learn from the rules where the gradient passes. It
// looks into checkpoints.
func (e *Explanation) sweep() error {
	source := map[*graph.Node]*graph.Node{}
	image := graph.Transform([]*graph.Node{e.Of, e.By}, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		if _, ok := n.Op().(checkpointOp); ok {
			return in[0]
		}
		im := dst.Replay(n, in...)
		source[im] = n
		return im
	})
	y, x := image[0], image[1]
	if err := y.Graph().Err(); err != nil {
		return err
	}
	s := newSweep(image[:1], image[1:])
	stop := func(n, to *graph.Node, why string) {
		e.Stops = append(e.Stops, Stop{source[n], source[to], why})
	}
	s.stopped = func(n *graph.Node, i int) { stop(n, n.In(i), whyNot(n, i)) }
	s.run(image[:1], []*graph.Node{y}) // the value of the adjoint does not matter
	e.Passes = s.sum(x) != nil
	for _, n := range s.nodes {
		if s.depends(n) || !s.reached(n) {
			continue
		}
		to := n.Ins()[slices.IndexFunc(n.Ins(), s.depends)]
		stop(n, to, fmt.Sprintf("its result is %v, which has no gradient", n.Type().DType))
	}
	var refused graph.ErrorList // errors of ops that are not differentiable
	if errors.As(y.Graph().Err(), &refused) {
		for _, err := range refused {
			if !errors.Is(err, ErrNotDifferentiable) {
				return err
			}
		}
		e.Passes = false
	}
	lends := func(s Stop) bool { return ops.Uniform(s.At.Op()) } // a path that carries no values
	if real := slices.DeleteFunc(slices.Clone(e.Stops), lends); e.Passes || len(real) > 0 {
		e.Stops = real
	}
	slices.SortStableFunc(e.Stops, func(a, b Stop) int { return b.At.ID() - a.At.ID() })
	return nil
}

// whyNot says why no gradient passes from n to its input i.
func whyNot(n *graph.Node, i int) string {
	_, custom := n.Op().(customOp)
	switch {
	case ops.Uniform(n.Op()):
		return "it takes the type of its input, not its values"
	case custom && i == 0:
		return "its gradient goes to the inputs of its rule, past what lies between"
	case n.Op().Name() == "StopGradient":
		return "it stops gradients by definition"
	}
	if no, ok := n.Op().(NotDifferentiable); ok && no.NotDifferentiable() != "" {
		return no.NotDifferentiable()
	}
	return "its derivative by this input is zero everywhere"
}

// listed is the number of nodes of each kind that the text lists.
const listed = 8

// String returns the explanation as several lines of text.
func (e Explanation) String() string {
	if e.Of == nil || e.By == nil {
		return "nothing to explain"
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	what := fmt.Sprintf("the gradient of %s by %s", describe(e.Of), describe(e.By))
	switch {
	case !e.Connected && len(e.Uses) == 0:
		line("%s is zero: nothing uses %v", what, e.By)
	case !e.Connected:
		line("%s is zero: %v is not computed from %v", what, e.Of, e.By)
		list(line, "it is used by", e.Uses)
		list(line, "what is computed from it ends at", e.Ends)
	case e.Passes && len(e.Stops) == 0:
		line("%s passes; if it is zero, that is due to the values: look for dead units", what)
	case e.Passes:
		line("%s passes, but not on every path:", what)
	default:
		line("%s is zero: it is stopped on every path", what)
	}
	for i, s := range e.Stops {
		if i == listed {
			line("\tand at %d more", len(e.Stops)-listed)
			break
		}
		line("\tat %s: %s", describe(s.At), s.Why)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func list(line func(string, ...any), what string, ns []*graph.Node) {
	for i, n := range ns {
		if i == listed {
			line("\tand %d more", len(ns)-listed)
			return
		}
		line("\t%s %s", what, describe(n))
	}
}

// describe returns the name of n with its type, layer and line, and the leaf whose next value it
// is.
func describe(n *graph.Node) string {
	s := fmt.Sprintf("%v %v (", n, n.Type())
	for _, u := range n.Graph().Updates() {
		if u.Value == n {
			s += fmt.Sprintf("the next value of %v, ", u.Leaf)
		}
	}
	if n.Layer() != "" {
		s += "layer " + n.Layer() + ", "
	}
	return s + n.Pos().String() + ")"
}
