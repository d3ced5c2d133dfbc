package graph

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/shape"
)

// An Op is one kind of operation together with its attributes. Implementations must be comparable,
// ideally small structs: two Ops that are == are the same operation. An Op holds no values and no
// state; float attributes are stored as bits (see [Bits]).
type Op interface {
	// Name returns the name of the op, such as "Conv2D".
	Name() string
	// Infer returns the type of the result for inputs of the given types, all of them valid, or an
	// error that says what is wrong with them and what would be right.
	Infer(in []shape.Type) (shape.Type, error)
}

// A Graph owns nodes in creation order, which is a topological order. The zero Graph is empty.
type Graph struct {
	nodes   []*Node
	leaves  map[string]*Node // Inputs, Params and States by name
	updates []Update
	updated map[*Node][]Update // by leaf; of the updates by Follow only the first
	errs    ErrorList
	layer   string   // the layer that new nodes belong to, such as "features.0"
	like    *Node    // if not nil, new nodes get its position and layer
	derived bool     // like is also the origin of new nodes
	at      Pos      // position of new nodes while At runs
	told    []*Graph // graphs whose errors are already reported here, because a node of theirs was used
	owner   *Owner   // of new updates; nil: none
	infers  bool     // new nodes are built in their inference form
	memos   map[any]any
}

// New returns an empty graph.
func New() *Graph { return &Graph{} }

// Nodes returns the nodes in creation order, which is topological. The slice is the
// graph's own and must not be changed.
func (g *Graph) Nodes() []*Node {
	if g == nil {
		return nil
	}
	return slices.Clip(g.nodes)
}

// errNil is the error of building in a nil graph.
var errNil = errors.New("the graph is nil; make one by graph.New")

// orNew returns g. If g is nil it returns a new graph that holds an error about that.
func (g *Graph) orNew() *Graph {
	if g != nil {
		return g
	}
	g = New()
	g.Reject("Graph", errNil)
	return g
}

// Apply adds the node op(in...) to the graph of its inputs.
func Apply(op Op, in ...*Node) *Node {
	g := New() // an error without any node still needs a graph that reports it
	if i := slices.IndexFunc(in, func(n *Node) bool { return n != nil }); i >= 0 {
		g = in[i].g
	}
	return g.Apply(op, in...)
}

// Apply adds the node op(in...). If op rejects its inputs, Apply records the error and returns an
// invalid node. A node built on an invalid node is invalid without a further error, so that each
// mistake is reported once.
func (g *Graph) Apply(op Op, in ...*Node) *Node {
	if g == nil {
		return g.Reject(name(op), errNil, in...)
	}
	if isnil.Of(op) {
		return g.Reject("nil", errors.New("the op is nil"), in...)
	}
	n := g.add(op, slices.Clone(in))
	t, err := g.infer(op, n.in)
	if err != nil {
		g.Report(n, err)
		n.detach()
		return n
	}
	n.typ = t
	if s, ok := op.(ModeSwitch); ok && g.infers && t.Valid() {
		return g.own(n, s.Inference(n.in))
	}
	return n
}

// name returns the name of op, or "nil" if op is nil.
func name(op Op) string {
	if isnil.Of(op) {
		return "nil"
	}
	return op.Name()
}

// infer returns the type of op(in...). It returns the zero Type and no error if an input is already
// invalid.
func (g *Graph) infer(op Op, in []*Node) (t shape.Type, err error) {
	types := make([]shape.Type, len(in))
	for i, x := range in {
		switch {
		case x == nil:
			return t, fmt.Errorf("input %d is nil", i)
		case x.g != g && slices.Contains(g.told, x.g) && !x.Valid():
			return t, nil
		case x.g != g && !x.Valid() && x.g.Err() != nil: // otherwise nothing would report the error
			g.told = append(g.told, x.g)
			return t, fmt.Errorf("input %d could not be built: %w", i, x.g.Err())
		case x.g != g:
			return t, fmt.Errorf("input %d belongs to another graph; build both in one, or feed its value as an Input", i)
		}
	}
	for i, x := range in {
		if !x.Valid() {
			return t, nil
		}
		types[i] = x.typ
	}
	if !reflect.ValueOf(op).Comparable() {
		return t, fmt.Errorf("op type %T is not comparable; keep slices, maps and functions out of its fields", op)
	}
	err = rescue.Do(func() error {
		t, err = op.Infer(types)
		return err
	})
	if err != nil {
		return shape.Type{}, err
	}
	if t.Width() == 0 {
		return shape.Type{}, fmt.Errorf("op type %T infers no type for %v", op, types)
	}
	if err := checkShape(t.Shape); err != nil {
		return shape.Type{}, fmt.Errorf("result %v: %w", t, err)
	}
	return t, nil
}

// checkShape refuses invalid extents, and more elements than can be counted.
func checkShape(s shape.Shape) error {
	if err := s.Err(); err != nil {
		return err
	}
	if _, err := s.Size(); err != nil && !errors.Is(err, shape.ErrSymbolic) { // (N,N) has a size
		return err
	}
	return nil
}

func (g *Graph) add(op Op, in []*Node) *Node {
	n := &Node{g: g, id: len(g.nodes), op: op, in: in, layer: g.layer}
	switch {
	case g.like == nil && g.at != (Pos{}):
		n.pos = g.at
	case g.like == nil:
		n.pos = caller()
	case g.derived:
		n.pos, n.layer, n.origin = g.like.pos, g.like.layer, g.like
	default:
		n.pos, n.layer, n.origin = g.like.pos, g.like.layer, g.like.origin
	}
	g.nodes = append(g.nodes, n)
	return n
}

// Memo returns a value that a package keeps with the graph, so that it need not walk over all nodes
// again each time it adds one. The key must have a type of the package's own. The first call with a
// key stores the result of first; later calls return that value. If first is nil and nothing is
// stored, Memo returns nil.
func (g *Graph) Memo(key any, first func() any) any {
	g = g.orNew()
	m, ok := g.memos[key]
	if !ok && first != nil {
		if g.memos == nil {
			g.memos = map[any]any{}
		}
		m = first()
		g.memos[key] = m
	}
	return m
}

// Within runs f with name appended to the layer path of new nodes.
func (g *Graph) Within(name string, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old string) { g.layer = old }(g.layer)
	g.layer = Join(g.layer, name)
	f()
}

// At runs f with pos as the position of every node that f adds, and so of every error about them.
// It is for importers, whose users know the lines of a file rather than those of the program that
// reads it: a Pos without a Line, such as Pos{File: "model.onnx: node Conv_3"}, prints as its File.
// Nodes of gradients keep the position of the node that they are derived from. The zero Pos
// restores the default, the caller's own line.
func (g *Graph) At(pos Pos, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old Pos) { g.at = old }(g.at)
	g.at = pos
	f()
}

// Layer returns the current layer path.
func (g *Graph) Layer() string {
	if g == nil {
		return ""
	}
	return g.layer
}

// Join joins two parts of a layer path or parameter name; either may be empty.
func Join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path
	}
	return path + "." + name
}

// Derived runs f with from as the origin of every node that f adds: they get its position and
// layer. Gradient rules run inside Derived.
func (g *Graph) Derived(from *Node, f func()) { g.as(from, true, f) }

func (g *Graph) as(n *Node, derived bool, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(like *Node, d bool) { g.like, g.derived = like, d }(g.like, g.derived)
	g.like, g.derived = n, derived
	f()
}

// Report records err against n, which must be a node of g.
func (g *Graph) Report(n *Node, err error) {
	if g != nil && err != nil {
		g.errs = append(g.errs, newError(n, err))
	}
}

// Reject records err against the node that op(in...) would have been, and returns an invalid node.
// It is for builders that find a mistake before there is an op to apply. If an input is already
// invalid, nothing is recorded.
func (g *Graph) Reject(name string, err error, in ...*Node) *Node {
	if g == nil {
		g, err = New(), errNil
	}
	err = cmp.Or(err, errRefused)
	n := g.add(rejected(name), slices.Clone(in))
	defer n.detach()
	for _, x := range in {
		if x != nil && x.g == g && !x.Valid() {
			return n
		}
	}
	g.Report(n, err)
	return n
}

// errRefused replaces a nil error.
var errRefused = errors.New("rejected without a reason")

// rejected is the op of a node that could not be built.
type rejected string

func (r rejected) Name() string                         { return string(r) }
func (rejected) Infer([]shape.Type) (shape.Type, error) { return shape.Type{}, nil }

// Err returns an [ErrorList] of the errors found so far, or nil.
func (g *Graph) Err() error {
	if g == nil {
		return errNil
	}
	if len(g.errs) == 0 {
		return nil
	}
	return slices.Clone(g.errs)
}

// Params returns the trainable Param leaves in creation order. Frozen ones are left out.
func (g *Graph) Params() []*Node {
	return g.filter(func(n *Node) bool { return n.Kind() == Param && !n.Frozen() })
}

// Inputs returns the Input leaves in creation order.
func (g *Graph) Inputs() []*Node {
	return g.filter(func(n *Node) bool { return n.Kind() == Input })
}

// Leaves returns all Param and State leaves, also frozen ones, in creation order. These are the
// values that a checkpoint holds.
func (g *Graph) Leaves() []*Node {
	return g.filter(func(n *Node) bool { return n.Kind() == Param || n.Kind() == State })
}

// Leaf returns the Input, Param or State with the given name, or nil.
func (g *Graph) Leaf(name string) *Node {
	if g == nil {
		return nil
	}
	return g.leaves[name]
}

func (g *Graph) filter(keep func(*Node) bool) (ns []*Node) {
	for _, n := range g.Nodes() {
		if n.Valid() && keep(n) {
			ns = append(ns, n)
		}
	}
	return ns
}
