package vm

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/shape"
)

// ErrBusy is returned if another goroutine uses a Store or Machine in a way that does not allow the
// call.
var ErrBusy = errors.New("in use by another goroutine")

var errNoStore = errors.New("vm: no store; make one by NewStore")

// A Store holds the values of Params and States by name. The Machines of a model share one Store.
// Runs that only read may run at the same time. Writers, such as training, hold the store
// exclusively: a writer waits for current readers to finish, and until it has finished itself all
// other uses fail with [ErrBusy]. A reader therefore never waits, and never stops a training. The
// zero Store is empty and has seed 0.
//
// A Store belongs to the memory of the first [Machine] made for it. If that is the memory of a
// device, the values move there, and machines of an engine with another memory are rejected. A
// [Store.Snapshot] belongs to no memory yet.
//
// State that an optimiser keeps in a store, such as its number of steps, belongs to that optimiser:
// a program in which another one would change it is rejected; see [Program.NewMachine].
type Store struct {
	seed    uint64
	mu      sync.Mutex // protects the fields below, but not the elements of the values
	readers int
	shown   int // number of readers whose instructions are shown to the caller, see hold
	writing bool
	free    chan struct{} // closed when there are no readers; nil if no writer waits
	deleted uint64        // number of deletions; changed only while the store is held exclusively
	leaves  map[string]*leaf
	claims  []*claim
	memory  engine.Memory // nil: no machine has been made, and values are on the host
}

// leaf is a value in a store.
type leaf struct {
	typ    shape.Type
	buf    engine.Buffer
	writes uint64 // number of writes
	forms  formSet
}

// NewStore returns an empty store. Values that a program needs are made by their initialisers; they
// depend only on seed and the name of the leaf.
func NewStore(seed uint64) *Store { return &Store{seed: seed} }

// Seed returns the seed of initialisation.
func (s *Store) Seed() uint64 {
	if s == nil {
		return 0
	}
	return s.seed
}

// Init initialises the Params and States in leaves that the store does not have yet. It is an error
// if the store has one with another type.
func (s *Store) Init(leaves ...*graph.Node) error {
	if s == nil {
		return errNoStore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initAll(leaves)
}

// initAll is Init with s.mu held.
func (s *Store) initAll(leaves []*graph.Node) error {
	var missing []*graph.Node
	var sizes []shape.Type
	for _, n := range leaves {
		if err := s.checkLeaf(n); err != nil {
			return err
		}
		if s.leaves[n.Name()] == nil {
			missing, sizes = append(missing, n), append(sizes, n.Type())
		}
	}
	if err := s.affordLeaves(sizes); err != nil {
		return err
	}
	for _, n := range missing {
		if err := s.init(n); err != nil {
			return err
		}
	}
	return nil
}

// checkLeaf returns an error if the store cannot hold n, or holds it with another type.
func (s *Store) checkLeaf(n *graph.Node) error {
	switch {
	case n == nil || !n.Valid():
		return errors.New("vm: a leaf to initialise is nil or invalid")
	case n.Kind() != graph.Param && n.Kind() != graph.State:
		return fmt.Errorf("vm: %v is %v; a store holds Params and States", n, n.Kind())
	}
	if old := s.leaves[n.Name()]; old != nil {
		return old.suits(n)
	}
	if err := fits(n.Type()); err != nil {
		return fmt.Errorf("vm: %q: %w", n.Name(), err)
	}
	return nil
}

// init initialises a leaf that the store does not have.
func (s *Store) init(n *graph.Node) error {
	if old := s.leaves[n.Name()]; old != nil { // the leaf is listed twice
		return old.suits(n)
	}
	buf, err := reserve(n.Type(), n.Name())
	if err != nil {
		return err
	}
	l := &leaf{typ: n.Type(), buf: buf}
	if n.Init() != nil {
		v := make([]float64, n.Type().Len())
		err := rescue.Do(func() error {
			n.Init().Fill(v, n.Type(), philox.Stream{Seed: s.seed, ID: philox.ID(n.Name())}.Rand())
			return nil
		})
		if err != nil {
			return fmt.Errorf("vm: the initialiser of %q, %T: %w", n.Name(), n.Init(), err)
		}
		if i := slices.IndexFunc(v, func(x float64) bool { return n.Type().DType != shape.Bool && !n.Type().Holds(x) }); i >= 0 {
			return fmt.Errorf("vm: the initialiser of %q sets an element to %v, which is not a valid %v", n.Name(), v[i], n.Type().DType)
		}
		engine.Load(l.buf, v)
	}
	if l.buf, err = moved(s.home(), l.buf, n.Name()); err != nil {
		return err
	}
	s.put(n.Name(), l)
	return nil
}

// suits returns an error if l does not have the type of n.
func (l *leaf) suits(n *graph.Node) error {
	switch {
	case l.typ == n.Type():
		return nil
	case l.typ.Shape == n.Type().Shape && l.typ.IsStorage():
		return fmt.Errorf("vm: the store holds %q as %v, the program needs %v; make the leaf %v and Cast it in the graph, or convert the value: Store.Widen does of bfloat16 and float16",
			n.Name(), l.typ, n.Type(), l.typ.DType)
	}
	return fmt.Errorf("vm: the store holds %q as %v, the program needs %v", n.Name(), l.typ, n.Type())
}

func (s *Store) put(name string, l *leaf) {
	if s.leaves == nil {
		s.leaves = map[string]*leaf{}
	}
	s.leaves[name] = l
}

// Names returns the names of the values in alphabetical order.
func (s *Store) Names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.leaves))
	for name := range s.leaves {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Value returns a copy of the named value, of its own type: see [Store.Set] and, to compute with
// what is only stored, [engine.Converted].
func (s *Store) Value(name string) (*tensor.Dense, error) {
	if err := s.acquire(false); err != nil {
		return nil, fmt.Errorf("vm: reading %q: %w", name, err)
	}
	defer s.release(false)
	l := s.get(name)
	if l == nil {
		return nil, fmt.Errorf("vm: the store holds no %q", name)
	}
	buf, err := copied(l.buf, l.typ, fmt.Sprintf("a copy of %q", name))
	if err != nil {
		return nil, err
	}
	return engine.DenseOf(l.typ.Shape, buf), nil
}

// Set copies the elements of v to the named value. If the store has the value already, v must have
// its type.
// Values of bfloat16 and float16 are tensors of [shape.Brain] and [shape.Half], which
// [engine.Converted] makes of float32.
func (s *Store) Set(name string, v *tensor.Dense) error {
	t, err := typeOf(v)
	if err != nil {
		return fmt.Errorf("vm: setting %q: %w", name, err)
	}
	if err := s.acquire(true); err != nil {
		return fmt.Errorf("vm: setting %q: %w", name, err)
	}
	defer s.release(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leaves[name]
	if l == nil {
		buf, err := reserveIn(s.home(), t, name)
		if err != nil {
			return err
		}
		l = &leaf{typ: t, buf: buf}
	}
	if l.typ != t {
		return fmt.Errorf("vm: %q is %v, the new value is %v", name, l.typ, t)
	}
	err = fill(l.buf, t, v)
	if err == nil {
		err = failureOf(l.buf.Memory(), l.buf.Memory().Sync())
	}
	if err != nil {
		return fmt.Errorf("vm: setting %q: %w", name, err)
	}
	l.writes++
	s.put(name, l)
	return nil
}

// Delete removes the named value, if there is one. A Machine that needs it looks up the name again
// at its next run.
func (s *Store) Delete(name string) error {
	if err := s.acquire(true); err != nil {
		return fmt.Errorf("vm: deleting %q: %w", name, err)
	}
	defer s.release(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaves[name] != nil {
		delete(s.leaves, name)
		s.deleted++
		s.forget()
	}
	return nil
}

// Snapshot returns a store with copies of all values, on the host; or, without the state of optimisers, of those
// among the given names that s has. They can be read while training continues, also by an engine with another memory.
func (s *Store) Snapshot(names ...string) (*Store, error) {
	if err := s.acquire(false); err != nil {
		return nil, fmt.Errorf("vm: snapshot: %w", err)
	}
	defer s.release(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := NewStore(s.seed)
	if names == nil {
		c.claims = slices.Clone(s.claims)
	}
	for name, l := range s.leaves {
		if names != nil && !slices.Contains(names, name) {
			continue
		}
		buf, err := copied(l.buf, l.typ, fmt.Sprintf("a copy of %q", name))
		if err != nil {
			return nil, err
		}
		c.put(name, &leaf{typ: l.typ, buf: buf, writes: l.writes})
	}
	return c, nil
}

// Writes returns how often the named value was written: by Set, and by runs that update it, even if
// they do not change it, as with accumulated gradients. While the number stays the same, so does
// the value.
func (s *Store) Writes(name string) uint64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leaves[name]; l != nil {
		return l.writes
	}
	return 0
}

// home returns the memory in which values are made. s.mu must be held.
func (s *Store) home() engine.Memory {
	if s.memory == nil {
		return engine.Host{}
	}
	return s.memory
}

// elsewhere reports whether some value is not in m, so that adopting a program of m must move it.
func (s *Store) elsewhere(m engine.Memory) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leaves {
		if l.buf.Memory() != m {
			return s.memory == nil
		}
	}
	return false
}

// move moves all values to m. The store and s.mu are held; no machine uses the store yet.
func (s *Store) move(m engine.Memory) error {
	there := map[*leaf]engine.Buffer{}
	for name, l := range s.leaves {
		if l.buf.Memory() == m {
			continue
		}
		b, err := l.onHost(name)
		if err != nil {
			return err
		}
		if there[l], err = moved(m, b, name); err != nil {
			return err
		}
	}
	for l, b := range there {
		l.buf = b
	}
	return nil
}

// onHost returns the value in memory that the host can read.
func (l *leaf) onHost(name string) (engine.Buffer, error) {
	if onHost(l.buf.Memory()) {
		return l.buf, nil
	}
	return copied(l.buf, l.typ, fmt.Sprintf("a copy of %q", name))
}

func (s *Store) get(name string) *leaf {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaves[name]
}
