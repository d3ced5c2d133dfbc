package autodiff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// An Explanation says whether the gradient of one node by another can be anything but zero, and
// where not, why. String gives it as text.
type Explanation struct {
	Of, By    *graph.Node
	Connected bool // Of is computed from By
	Passes    bool // the gradient reaches By; that it is zero nevertheless is a matter of values

	Uses  []*graph.Node // what reads By, where the two are not connected
	Ends  []*graph.Node // where what is computed from By ends then: what nothing reads
	Stops []Stop        // where the gradient stops on its way
}

// A Stop is where a gradient goes no further.
type Stop struct {
	At  *graph.Node // the op that it does not pass
	To  *graph.Node // the input of At that gets none
	Why string
}

// Explain says why the gradient of y by x is zero or missing: y is not computed from x, or every
// path between them has a StopGradient, an integer, a comparison or another op in it that
// lets none pass, each with its line. Where a path is open, see package autodiff/numeric for
// units that are dead.
//
// It looks at the graph alone, adds nothing to it, and costs as much as making a gradient. Both
// must be floating-point nodes of one graph without errors.
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

// follow finds what is computed from By. Nodes of gradients do not count, unless Of is one.
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

// sweep differentiates a clone, so that the rules say what they let pass. Of a
// checkpoint it takes the part as it stands.
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
	var refused graph.ErrorList // rules of ops that are not differentiable
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

// whyNot says why no gradient passes n to its input i.
func whyNot(n *graph.Node, i int) string {
	_, custom := n.Op().(customOp)
	switch {
	case ops.Uniform(n.Op()):
		return "it takes the type of its input, not its values"
	case custom && i == 0:
		return "its gradient goes to the inputs of its rule, past what lies between"
	case n.Op().Name() == "StopGradient":
		return "it is there to stop it"
	}
	if no, ok := n.Op().(NotDifferentiable); ok && no.NotDifferentiable() != "" {
		return no.NotDifferentiable()
	}
	return "its derivative by this input is zero everywhere"
}

// listed is how many nodes a text lists of each sort.
const listed = 8

// String returns the explanation, over several lines.
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
		line("%s passes; where it is zero, that is by the values: look for dead units", what)
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

// describe names n with its type, layer and line, and the leaf whose next value it is.
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
