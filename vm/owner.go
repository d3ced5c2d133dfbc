package vm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
)

// TrainBy is [Train] for a graph with several optimisers: a run makes the updates of the named
// optimisers and leaves parameters that the others train unchanged. Updates without an owner, such
// as those of running statistics and of the random generator, are made if the program reads their
// leaf.
func TrainBy(owners ...string) Option {
	return func(o *options) error {
		if len(owners) == 0 {
			return errors.New("vm: TrainBy: no optimiser is named; Train makes the updates of all")
		}
		o.train, o.owners = true, append(o.owners, owners...)
		return nil
	}
}

// updates returns the updates of g that a program for outs makes.
func (o *options) updates(g *graph.Graph, outs []*graph.Node) ([]graph.Update, error) {
	if !o.train {
		return nil, nil
	}
	all := g.Updates()
	if len(all) == 0 {
		return nil, errors.New("vm: compiled for training, but the graph has no updates: apply an optimiser first, such as optim.SGD's Apply, or leave Train out")
	}
	made := make([]bool, len(all))
	for i, u := range all {
		made[i] = len(o.owners) == 0 || u.Owner != nil && slices.Contains(o.owners, u.Owner.Name)
	}
	for _, name := range o.owners {
		if !slices.ContainsFunc(all, func(u graph.Update) bool { return u.Owner != nil && u.Owner.Name == name }) {
			return nil, fmt.Errorf("vm: TrainBy: the graph has no %v; it has %s", graph.Owner{Name: name}, ownersOf(all))
		}
	}
	addShared(all, made, outs)
	return once(all, made)
}

// ownersOf lists the owners of updates.
func ownersOf(updates []graph.Update) string {
	var names []string
	for _, u := range updates {
		if u.Owner != nil && !slices.Contains(names, u.Owner.String()) {
			names = append(names, u.Owner.String())
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// addShared marks as made the updates without owner whose leaf is read by outs or by updates that
// are made.
func addShared(all []graph.Update, made []bool, outs []*graph.Node) {
	waiting := map[*graph.Node][]int{} // updates to make once this node is computed
	read := slices.Clone(outs)
	for i, u := range all {
		switch {
		case made[i]:
			read = append(read, u.Value)
		case u.Owner == nil:
			needs := cmp.Or(u.Use, u.Leaf)
			waiting[needs] = append(waiting[needs], i)
		}
	}
	reached := map[*graph.Node]bool{}
	for len(waiting) > 0 && len(read) > 0 {
		n := read[len(read)-1]
		read = read[:len(read)-1]
		if reached[n] {
			continue
		}
		reached[n] = true
		read = append(read, n.Ins()...)
		for _, i := range waiting[n] {
			made[i] = true
			read = append(read, all[i].Value)
		}
	}
}

// once returns the updates that are made. It is an error if two of them have the same leaf, unless
// they were made by Follow.
func once(all []graph.Update, made []bool) (updates []graph.Update, err error) {
	by := map[*graph.Node]graph.Update{}
	for i, u := range all {
		if !made[i] {
			continue
		}
		if old, ok := by[u.Leaf]; ok && (u.Use == nil || old.Use == nil) {
			return nil, fmt.Errorf("vm: both the %v and the %v update %v; a run can make only one of these updates: compile a program for each with TrainBy", old.Owner, u.Owner, u.Leaf)
		}
		by[u.Leaf] = u
		updates = append(updates, u)
	}
	return updates, nil
}

// claim lists the leaves that an owner updates. A store records the claims of the programs that run
// on it, because the value of a State, such as a number of steps, is wrong for any other owner.
type claim struct {
	graph.Owner
	leaves map[string]graph.Kind
}

func claimsOf(updates []graph.Update) (claims []*claim) {
	for _, u := range updates {
		if u.Owner == nil {
			continue
		}
		i := slices.IndexFunc(claims, func(c *claim) bool { return c.Name == u.Owner.Name })
		if i < 0 {
			i = len(claims)
			claims = append(claims, &claim{*u.Owner, map[string]graph.Kind{}})
		}
		claims[i].leaves[u.Leaf.Name()] = u.Leaf.Kind()
	}
	return claims
}

func (c *claim) equal(d *claim) bool { return c.Owner == d.Owner && maps.Equal(c.leaves, d.leaves) }

// names lists the leaves of one kind, in alphabetical order.
func (c *claim) names(k graph.Kind) (names []string) {
	for name, kind := range c.leaves {
		if kind == k {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// String returns the owner of c and one of the parameters that it updates.
func (c *claim) String() string {
	params := c.names(graph.Param)
	if len(params) == 0 {
		return c.Owner.String()
	}
	return fmt.Sprintf("%v of %s", c.Owner, plain.Names(params, 1))
}

// conflict returns an error if c and d cannot both be claims of one store.
func (c *claim) conflict(d *claim) error {
	for _, name := range c.names(graph.State) {
		if _, both := d.leaves[name]; both {
			return fmt.Errorf("vm: %q is kept in the store for the %v, which is not the %v; give each a name of its own, or delete the state of the first (%s) to start afresh",
				name, d, c, plain.Names(d.names(graph.State), few))
		}
	}
	for _, name := range c.names(graph.Param) {
		if _, both := d.leaves[name]; both && c.Name != d.Name && !c.SharesWith(d.Owner) {
			return fmt.Errorf("vm: %q is updated by the %v and by the %v; if that is intended, one of them must set Shares", name, d, c)
		}
	}
	return nil
}

// claim records claims, or returns an error if one of them is in conflict.
func (s *Store) claim(claims []*claim) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	news, err := s.claimable(claims)
	s.claims = append(s.claims, news...)
	return err
}

// adopt records the claims of a program, and initialises the values that it needs and s lacks.
func (s *Store) adopt(p *Program) error {
	if s.elsewhere(p.memory) {
		if err := s.acquire(true); err != nil {
			return fmt.Errorf("vm: moving values to the memory of %s: %w", p.memory.Name(), err)
		}
		defer s.release(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory != nil && s.memory != p.memory {
		return fmt.Errorf("vm: the store's values are in the memory of %s, engine %s has that of %s; use a Snapshot of the store",
			s.memory.Name(), p.unit.eng.Name(), p.memory.Name())
	}
	news, err := s.claimable(p.claims)
	if err != nil {
		return err
	}
	if err := s.settle(p); err != nil {
		return err
	}
	s.claims = append(s.claims, news...)
	return nil
}

// Extend prepares s for a training program whose optimisers go on where those of another program of s stopped, and
// train more parameters. It initialises what they keep of these. It is an error if p lacks something that they
// keep already.
func (s *Store) Extend(p *Program) error {
	switch {
	case s == nil:
		return errNoStore
	case p == nil || p.unit == nil:
		return errors.New("vm: extending a store: there is no program")
	}
	if err := s.acquire(true); err != nil {
		return fmt.Errorf("vm: extending a store: %w", err)
	}
	defer s.release(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range p.claims {
		for _, old := range s.claims {
			if lost := c.lacks(old); c.Name == old.Name && len(lost) > 0 {
				return fmt.Errorf("vm: extending a store: the %v has updated %s, which the program leaves as they are", old, plain.Names(lost, few))
			}
		}
	}
	if err := s.initAll(p.leaves); err != nil {
		return err
	}
	s.claims = slices.DeleteFunc(s.claims, func(old *claim) bool {
		return slices.ContainsFunc(p.claims, func(c *claim) bool { return c.Name == old.Name })
	})
	return nil
}

// lacks lists the leaves that d updates and c does not.
func (c *claim) lacks(d *claim) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(d.leaves)) {
		if _, both := c.leaves[name]; !both {
			names = append(names, name)
		}
	}
	return names
}

// settle moves s to the memory of p and creates missing leaves of p there.
func (s *Store) settle(p *Program) error {
	before := s.memory
	s.memory = p.memory
	err := s.initAll(p.leaves)
	if err == nil {
		err = s.move(p.memory)
	}
	if err != nil {
		s.memory = before
		maps.DeleteFunc(s.leaves, func(_ string, l *leaf) bool { return l.buf.Memory() != s.home() }) // those just created
	}
	return err
}

// claimable returns those of claims that s has not recorded yet.
func (s *Store) claimable(claims []*claim) (news []*claim, err error) {
	for _, c := range claims {
		if slices.ContainsFunc(s.claims, c.equal) {
			continue
		}
		for _, old := range s.claims {
			if err := c.conflict(old); err != nil {
				return nil, err
			}
		}
		if err := s.whole(c); err != nil {
			return nil, err
		}
		news = append(news, c)
	}
	return news, nil
}

// few is the number of values of an owner that an error names.
const few = 3

// whole returns an error if s has only some of the values that the owner of c keeps. If they come
// from a file or another program, that shows that they belong to another optimiser.
func (s *Store) whole(c *claim) error {
	var there, missing []string
	for _, name := range c.names(graph.State) {
		if s.leaves[name] != nil {
			there = append(there, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(there) == 0 || len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("vm: the store has %s, but not %s, which the %v keeps too, so it must belong to another optimiser; give each a name of its own, or delete the first to start afresh",
		plain.Names(there, few), plain.Names(missing, few), c)
}

// forget drops the claims of owners none of whose States is left.
func (s *Store) forget() {
	s.claims = slices.DeleteFunc(s.claims, func(c *claim) bool {
		return !slices.ContainsFunc(c.names(graph.State), func(name string) bool { return s.leaves[name] != nil })
	})
}
