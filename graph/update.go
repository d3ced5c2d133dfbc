package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// An Update says that Leaf, a Param or State, takes the value of Value at the end of a step.
type Update struct {
	Leaf, Value *Node
	// Use, where it is not nil, is of a value that several uses change in turn, see [Graph.Follow]:
	// what the programs that make this update compute.
	Use *Node
	// Owner is whose update it is. It is nil where it is nobody's, as that of a running
	// statistic: every program that reads the leaf makes it, one after the other.
	Owner *Owner
}

// An Owner is one of those that update the leaves of a graph, such as an optimiser. What it
// keeps in States changes by its own updates only.
type Owner struct {
	Name   string // "" for the only one
	Shares bool   // others may update the Params that it updates, in programs of their own
}

// SharesWith reports whether o and p may both update a Param.
func (o Owner) SharesWith(p Owner) bool { return o.Name != p.Name && (o.Shares || p.Shares) }

// String names o: `optimiser "critic"`.
func (o Owner) String() string {
	if o.Name == "" {
		return "optimiser without a name"
	}
	return fmt.Sprintf("optimiser %q", o.Name)
}

// Owned runs f; the updates that it makes are o's.
func (g *Graph) Owned(o Owner, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old *Owner) { g.owner = old }(g.owner)
	g.owner = &o
	f()
}

// Update makes value the next value of leaf. A program compiled for training runs every
// update; each reader of the leaf sees the old value. An error is recorded where leaf is
// no Param or State of g, where the types differ, or where leaf has an update already, unless
// it is a Param that the owners of both updates share.
func (g *Graph) Update(leaf, value *Node) {
	if leaf == nil || value == nil || leaf.g != g || value.g != g {
		g.Reject("Update", errors.New("leaf and value must be nodes of this graph"))
		return
	}
	g.addUpdate(Update{Leaf: leaf, Value: value, Owner: g.owner})
}

func (g *Graph) addUpdate(u Update) {
	if !u.Leaf.Valid() || !u.Value.Valid() {
		return
	}
	if err := g.checkUpdate(u); err != nil {
		g.Reject("Update", err, u.Leaf, u.Value)
		return
	}
	g.updates = append(g.updates, u)
	if u.Use != nil && g.followed(u.Leaf) {
		return
	}
	if g.updated == nil { // of the zero Graph
		g.updated = map[*Node][]Update{}
	}
	g.updated[u.Leaf] = append(g.updated[u.Leaf], u)
}

// followed reports whether leaf has updates that follow each other.
func (g *Graph) followed(leaf *Node) bool {
	return slices.ContainsFunc(g.updated[leaf], func(u Update) bool { return u.Use != nil })
}

func (g *Graph) checkUpdate(u Update) error {
	if k := u.Leaf.Kind(); k != Param && k != State {
		return fmt.Errorf("%v is %v; only a Param or State can be updated", u.Leaf, k)
	}
	if u.Leaf.typ != u.Value.typ {
		return fmt.Errorf("%v is %v, its new value is %v", u.Leaf, u.Leaf.typ, u.Value.typ)
	}
	for _, old := range g.updated[u.Leaf] {
		if !old.beside(u) {
			return fmt.Errorf("%v has an update already, made at %v", u.Leaf, old.Value.pos)
		}
	}
	return nil
}

// beside reports whether later may update u's leaf too.
func (u Update) beside(later Update) bool {
	if u.Use != nil && later.Use != nil {
		return true
	}
	return u.Leaf.Kind() == Param && u.Owner != nil && later.Owner != nil && u.Owner.SharesWith(*later.Owner)
}

// Follow makes next(old) the next value of leaf, where old is what it is until then: the leaf
// itself or, where Follow was called for it before, what the calls before made of it. So each use
// of a layer changes its running statistics in turn, in the order of the calls. A program makes
// the updates whose use it computes, which is a node of this graph. Errors are those of
// [Graph.Update].
func (g *Graph) Follow(leaf, use *Node, next func(old *Node) *Node) {
	if leaf == nil || use == nil || leaf.g != g || use.g != g {
		g.Reject("Update", errors.New("leaf and use must be nodes of this graph"))
		return
	}
	if next == nil {
		g.Reject("Update", errors.New("the function that gives the next value is nil"))
		return
	}
	old := leaf
	if g.followed(leaf) {
		old = g.Apply(Previous{}, leaf)
	}
	g.addUpdate(Update{Leaf: leaf, Value: next(old), Use: use})
}

// Previous is the op of what stands for the value of a leaf, its input, after the updates that
// [Graph.Follow] made before. A compiler puts the last of them that a program makes in its place,
// or the leaf.
type Previous struct{}

// Name is "Previous".
func (Previous) Name() string { return "Previous" }

// Infer returns the type of the leaf.
func (Previous) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 {
		return shape.Type{}, fmt.Errorf("want a leaf, have %d inputs", len(in))
	}
	return in[0], nil
}

// Inferring runs f, which builds a part of the graph in its inference form, as [Inference] would
// make it: for a part that is not trained any more.
func (g *Graph) Inferring(f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old bool) { g.infers = old }(g.infers)
	g.infers = true
	f()
}

// Infers reports whether the part that is being built is in its inference form. What has another
// form in training than a [ModeSwitch], such as an update, heeds it.
func (g *Graph) Infers() bool { return g != nil && g.infers }

// Updates returns the updates in the order they were made.
func (g *Graph) Updates() []Update {
	if g == nil {
		return nil
	}
	return slices.Clip(g.updates)
}
