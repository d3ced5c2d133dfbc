package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// An Update gives Leaf, a Param or State, the value of the node Value at the end of a step.
type Update struct {
	Leaf, Value *Node
	// Use is set for a leaf that is updated once per use, see [Graph.Follow]. A program makes this
	// update if it computes Use.
	Use *Node
	// Owner is the optimiser that makes the update. It is nil for an update without an owner, such
	// as that of a running statistic: every program that reads the leaf makes it, one after the
	// other.
	Owner *Owner
}

// An Owner identifies one of the parties that update the leaves of a graph, such as an optimiser.
// The States of an owner change only through its own updates.
type Owner struct {
	Name   string // "" if there is only one
	Shares bool   // other owners may update the same Params, in programs of their own
}

// SharesWith reports whether o and p may both update the same Param.
func (o Owner) SharesWith(p Owner) bool { return o.Name != p.Name && (o.Shares || p.Shares) }

// String returns the name of o as in `optimiser "critic"`.
func (o Owner) String() string {
	if o.Name == "" {
		return "optimiser without a name"
	}
	return fmt.Sprintf("optimiser %q", o.Name)
}

// Owned runs f and makes o the owner of the updates that f adds.
func (g *Graph) Owned(o Owner, f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old *Owner) { g.owner = old }(g.owner)
	g.owner = &o
	f()
}

// Update makes value the next value of leaf. A program compiled for training makes every update;
// each reader of the leaf sees the old value. It is an error if leaf is not a Param or State of g,
// if the types differ, or if leaf already has an update, unless leaf is a Param that the owners of
// both updates share.
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
	if g.updated == nil { // if g is a zero Graph
		g.updated = map[*Node][]Update{}
	}
	g.updated[u.Leaf] = append(g.updated[u.Leaf], u)
}

// followed reports whether leaf has an update made by [Graph.Follow].
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

// beside reports whether u's leaf may have the update later in addition to u.
func (u Update) beside(later Update) bool {
	if u.Use != nil && later.Use != nil {
		return true
	}
	return u.Leaf.Kind() == Param && u.Owner != nil && later.Owner != nil && u.Owner.SharesWith(*later.Owner)
}

// Follow makes next(old) the next value of leaf. The first call for a leaf passes the leaf itself
// as old; each further call passes the value that the calls before it produce. In this way each use
// of a layer changes its running statistics in turn, in the order of the calls. The node use must
// belong to this graph: a program makes the update only if it computes use. Errors are those of
// [Graph.Update].
func (g *Graph) Follow(leaf, use *Node, next func(old *Node) *Node) {
	if leaf == nil || use == nil || leaf.g != g || use.g != g {
		g.Reject("Update", errors.New("leaf and use must be nodes of this graph"))
		return
	}
	if next == nil {
		g.Reject("Update", errors.New("the function next is nil"))
		return
	}
	old := leaf
	if g.followed(leaf) {
		old = g.Apply(Previous{}, leaf)
	}
	g.addUpdate(Update{Leaf: leaf, Value: next(old), Use: use})
}

// Previous stands for the value of its input, a leaf, after the earlier updates by [Graph.Follow].
// A compiler replaces it by the last of those updates that the program makes, or by the leaf if it
// makes none.
type Previous struct{}

// Name returns "Previous".
func (Previous) Name() string { return "Previous" }

// Infer returns the type of the leaf.
func (Previous) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 {
		return shape.Type{}, fmt.Errorf("want a leaf, have %d inputs", len(in))
	}
	return in[0], nil
}

// InTurn returns a function for [Transform] that replays nodes, and replaces each [Previous] by the
// value of the last of updates before it. The IDs of values have the order of their updates.
func InTurn(updates []Update) func(dst *Graph, n *Node, in []*Node) *Node {
	leaves, latest := map[*Node][]*Node{}, map[*Node]*Node{} // by value; by leaf
	for _, up := range updates {
		if up.Use != nil {
			leaves[up.Value] = append(leaves[up.Value], up.Leaf)
		}
	}
	return func(dst *Graph, n *Node, in []*Node) *Node {
		image := dst.Replay
		if n.op == (Previous{}) {
			image = func(n *Node, in ...*Node) *Node { return cmp.Or(latest[n.In(0)], in[0]) }
		}
		y := image(n, in...)
		for _, leaf := range leaves[n] {
			latest[leaf] = y
		}
		return y
	}
}

// LastOfEach returns, for each leaf, the last of its updates.
func LastOfEach(updates []Update) (last []Update) {
	of := map[*Node]int{}
	for i, u := range updates {
		of[u.Leaf] = i
	}
	for i, u := range updates {
		if of[u.Leaf] == i {
			last = append(last, u)
		}
	}
	return last
}

// Inferring runs f and builds the nodes that f adds in their inference form, as [Inference] would.
// It is for a part of a model that is no longer trained.
func (g *Graph) Inferring(f func()) {
	if f == nil {
		return
	}
	g = g.orNew()
	defer func(old bool) { g.infers = old }(g.infers)
	g.infers = true
	f()
}

// Infers reports whether new nodes are built in their inference form. Builders whose training form
// differs in more than a [ModeSwitch], for example by an update, must check it.
func (g *Graph) Infers() bool { return g != nil && g.infers }

// Updates returns the updates in the order in which they were made.
func (g *Graph) Updates() []Update {
	if g == nil {
		return nil
	}
	return slices.Clip(g.updates)
}
