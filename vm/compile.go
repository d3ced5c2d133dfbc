package vm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
)

// symbolicPasses run once, in Compile, for all batch sizes.
func symbolicPasses() []pass[unit] {
	return []pass[unit]{
		{name: "validate", run: validate, why: "first: every mistake is reported before any work is done"},
		{name: "fold", optional: true, run: fold, why: "computes nodes that depend only on constants; simplify then sees the results",
			needs: []string{"validate"}},
		{name: "simplify", optional: true, run: simplify, why: "the ops' own rules, to a fixed point",
			needs: []string{"validate"}, after: []string{"fold"}},
		{name: "cse", optional: true, run: cse, why: "gradient rules repeat expressions freely; this merges equal ones",
			needs: []string{"validate"}, after: []string{"simplify"}},
		{name: "deadcode", optional: true, run: deadcode, why: "drops nodes that simplify and cse replaced",
			needs: []string{"validate"}, after: []string{"simplify", "cse"}},
		{name: "scale", optional: true, run: scale, why: "multiplies factors of leaves, such as those of a normalisation, into parameters; hoist then computes the products once",
			needs: []string{"validate"}, after: []string{"simplify", "cse", "deadcode"}},
		{name: "hoist", optional: true, run: hoist, why: "computes what depends only on leaves once, until they change; last, when the nodes are final",
			needs: []string{"validate"}, after: []string{"deadcode", "scale"}},
	}
}

// unit is the program as a private graph, on which symbolic passes work.
type unit struct {
	eng     engine.Engine
	opts    *options
	outs    []*graph.Node
	updates []graph.Update
	inputs  []*graph.Node  // in creation order; passes may leave some of them unused
	order   map[string]int // of the leaves, before some were moved to once
	once    *unit          // computes what depends only on leaves; nil if nothing does
	kept    map[string]int // by the name of the Input that stands for it: the index of an output of once
	workingNode
}

// Compile returns a program that computes outs on e. The outs must be nodes of one graph. All
// mistakes recorded in the graph are returned together, as a [graph.ErrorList].
func Compile(e engine.Engine, outs []*graph.Node, opts ...Option) (*Program, error) {
	o := &options{off: map[string]bool{}}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("vm: an option is nil")
		}
		if err := opt(o); err != nil {
			return nil, err
		}
	}
	if err := o.checkWeights(e); err != nil {
		return nil, err
	}
	if err := o.checkQuantised(e); err != nil {
		return nil, err
	}
	e, err := o.limited(e)
	if err != nil {
		return nil, err
	}
	u, err := newUnit(e, outs, o)
	if err != nil {
		return nil, err
	}
	for _, p := range symbolicPasses() {
		if o.off[p.name] {
			continue
		}
		if err := guard(u, &u.workingNode, p.run); err != nil {
			return nil, wrap(p.name, err)
		}
		if err := u.graph().Err(); err != nil { // from a rule of some op
			return nil, fmt.Errorf("vm: %s: %w", p.name, err)
		}
		if err := o.after(p.name, u); err != nil {
			return nil, err
		}
	}
	return newProgram(u)
}

// MustCompile is like [Compile] but panics on an error. It is for programs that are part of the
// source, in tests and examples.
func MustCompile(e engine.Engine, outs []*graph.Node, opts ...Option) *Program {
	p, err := Compile(e, outs, opts...)
	if err != nil {
		panic(err)
	}
	return p
}

// A readier is an engine that may be unusable, such as one with a zero value. Ready returns the
// reason, or nil.
type readier interface{ Ready() error }

// newUnit clones the nodes that outs depend on and, for training, those that the updates depend on.
func newUnit(e engine.Engine, outs []*graph.Node, o *options) (*unit, error) {
	if isnil.Of(e) {
		return nil, errors.New("vm: no engine")
	}
	if r, ok := e.(readier); ok {
		if err := r.Ready(); err != nil {
			return nil, fmt.Errorf("vm: %w", err)
		}
	}
	if len(outs) == 0 || outs[0] == nil {
		return nil, errors.New("vm: nothing to compile: no outputs")
	}
	g := outs[0].Graph()
	for i, n := range outs {
		if n == nil || n.Graph() != g {
			return nil, fmt.Errorf("vm: output %d is nil or of another graph", i)
		}
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	u := &unit{eng: e, opts: o, outs: outs}
	var err error
	if u.updates, err = o.updates(g, outs); err != nil {
		return nil, err
	}
	u.inputs = inputsOf(u.roots())
	u.rewrite(graph.InTurn(u.updates))
	u.updates = graph.LastOfEach(u.updates)
	for i := range u.updates {
		u.updates[i].Use = nil // it belongs to the user's graph
	}
	return u, nil
}

func inputsOf(roots []*graph.Node) (ins []*graph.Node) {
	for _, n := range graph.Reachable(roots...) {
		if n.Kind() == graph.Input {
			ins = append(ins, n)
		}
	}
	return ins
}

// roots returns the nodes that the program must compute.
func (u *unit) roots() []*graph.Node {
	roots := append([]*graph.Node(nil), u.outs...)
	for _, up := range u.updates {
		roots = append(roots, up.Leaf, up.Value)
	}
	return roots
}

// rewrite replaces the graph of the unit by its image under f; see [graph.Transform].
func (u *unit) rewrite(f func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node) {
	image := graph.Transform(u.roots(), func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		u.at(n)
		return f(dst, n, in)
	})
	u.outs = image[:len(u.outs):len(u.outs)]
	rest := image[len(u.outs):]
	updates := slices.Clone(u.updates)
	for i := range updates {
		updates[i].Leaf, updates[i].Value = rest[2*i], rest[2*i+1]
	}
	u.updates = updates
}

// graph returns the private graph.
func (u *unit) graph() *graph.Graph { return u.outs[0].Graph() }
