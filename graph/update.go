package graph

import (
	"errors"
	"fmt"
	"slices"
)

// An Update says that Leaf, a Param or State, takes the value of Value at the end of a step.
type Update struct {
	Leaf, Value *Node
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
	if !leaf.Valid() || !value.Valid() {
		return
	}
	if err := g.checkUpdate(leaf, value); err != nil {
		g.Reject("Update", err, leaf, value)
		return
	}
	g.updates = append(g.updates, Update{leaf, value, g.owner})
}

func (g *Graph) checkUpdate(leaf, value *Node) error {
	if k := leaf.Kind(); k != Param && k != State {
		return fmt.Errorf("%v is %v; only a Param or State can be updated", leaf, k)
	}
	if leaf.typ != value.typ {
		return fmt.Errorf("%v is %v, its new value is %v", leaf, leaf.typ, value.typ)
	}
	for _, u := range g.updates {
		if u.Leaf == leaf && !u.beside(g.owner) {
			return fmt.Errorf("%v has an update already, made at %v", leaf, u.Value.pos)
		}
	}
	return nil
}

// beside reports whether o may update u's leaf too.
func (u Update) beside(o *Owner) bool {
	return u.Leaf.Kind() == Param && u.Owner != nil && o != nil && u.Owner.SharesWith(*o)
}

// Updates returns the updates in the order they were made.
func (g *Graph) Updates() []Update { return slices.Clip(g.updates) }
