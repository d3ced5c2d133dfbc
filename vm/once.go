package vm

import (
	"context"
	"maps"
	"sync"
	"weak"
)

// onceValues are the values that hoist has moved out of a program, for one store. All machines of the
// program over that store share them.
type onceValues struct {
	mu      sync.Mutex
	machine *Machine // computes them
	leaves  []*leaf  // the values, in the memory of machine
	made    uint64   // what version gave when they were computed; 0: not yet
	deleted uint64   // the value of Store.deleted then
}

// onceFor returns the values for s, or nil if nothing was moved out of p.
func (p *Program) onceFor(s *Store) (*onceValues, error) {
	if p.once == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := weak.Make(s)
	if o := p.shared[key].Value(); o != nil {
		return o, nil
	}
	m, err := p.once.NewMachine(s)
	if err != nil {
		return nil, err
	}
	o := &onceValues{machine: m}
	for _, n := range p.once.unit.outs {
		o.leaves = append(o.leaves, &leaf{typ: n.Type()})
	}
	if p.shared == nil {
		p.shared = map[weak.Pointer[Store]]weak.Pointer[onceValues]{}
	}
	maps.DeleteFunc(p.shared, func(_ weak.Pointer[Store], o weak.Pointer[onceValues]) bool { return o.Value() == nil })
	p.shared[key] = weak.Make(o)
	return o, nil
}

// attach gives the values memory. The store must be held.
func (o *onceValues) attach() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	l, err := o.ready()
	if err != nil {
		return err
	}
	for i, b := range l.results {
		if x := o.leaves[i]; !x.buf.Valid() { // it is always the same, and other machines may be reading it
			x.buf = b
		}
	}
	return nil
}

func (o *onceValues) ready() (*prepared, error) {
	if err := o.machine.attach(); err != nil {
		return nil, err
	}
	return o.machine.ready(1)
}

// refresh computes the values if a leaf has changed since. The store must be held, so that the values
// are not in use by a run that began before the change.
func (o *onceValues) refresh(ctx context.Context) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	l, err := o.ready()
	if err != nil {
		return err
	}
	v := o.version()
	if o.made == v && o.deleted == o.machine.deleted {
		return nil
	}
	o.made = 0
	if err := l.packAll(ctx); err != nil {
		return err
	}
	if err := l.run(ctx, false, nil, nil); err != nil {
		return err
	}
	for _, x := range o.leaves {
		x.writes++
	}
	o.made, o.deleted = v, o.machine.deleted
	return nil
}

// version changes with every write to a leaf.
func (o *onceValues) version() uint64 {
	v := uint64(1)
	for _, x := range o.machine.leaves {
		v += x.writes
	}
	return v
}
