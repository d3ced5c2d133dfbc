package vm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Widen makes float32 of the values that the store holds as bfloat16 or float16 and the leaves,
// Params and States, want as float32: such as those of a file that was loaded without
// [LoadOptions].For. No number changes. Where there is none to widen it does nothing, and waits
// for nobody; otherwise it writes, as [Store.Set] does. A [Machine] takes the new value when it
// runs next.
func (s *Store) Widen(leaves ...*graph.Node) error {
	if s == nil {
		return errNoStore
	}
	if slices.ContainsFunc(leaves, func(n *graph.Node) bool { return n == nil || !n.Valid() }) {
		return errors.New("vm: a leaf to widen for is nil or invalid")
	}
	if len(s.narrow(leaves)) == 0 {
		return nil
	}
	if err := s.acquire(true); err != nil {
		return fmt.Errorf("vm: widening: %w", err)
	}
	defer s.release(true)
	wide := map[string]*leaf{}
	for name, l := range s.narrow(leaves) {
		w, err := l.widened(name)
		if err != nil {
			return err
		}
		wide[name] = w
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, w := range wide {
		var err error
		if w.buf, err = moved(s.home(), w.buf, name); err != nil {
			return err
		}
	}
	for name, w := range wide {
		s.put(name, w)
		s.deleted++ // so that machines ask for it
	}
	return nil
}

// narrow are the values that Widen has to do with, by name.
func (s *Store) narrow(leaves []*graph.Node) map[string]*leaf {
	s.mu.Lock()
	defer s.mu.Unlock()
	narrow := map[string]*leaf{}
	for _, n := range leaves {
		if n.Type().DType != shape.Float32 {
			continue
		}
		l := s.leaves[n.Name()]
		if l != nil && l.typ.Shape == n.Type().Shape && l.typ.IsStorage() && l.typ.HasGradient() {
			narrow[n.Name()] = l
		}
	}
	return narrow
}

// widened is l as float32, on the host.
func (l *leaf) widened(name string) (*leaf, error) {
	from, err := l.onHost(name)
	if err != nil {
		return nil, err
	}
	w := &leaf{typ: l.typ.As(shape.Float32), writes: l.writes + 1}
	if w.buf, err = reserve(w.typ, name); err != nil {
		return nil, err
	}
	const part = 1 << 16 // of the numbers on their way
	for at, n := 0, from.Len(); at < n; at += part {
		count := min(part, n-at)
		v := engine.Floats(from.At(at*from.DType().Width(), from.DType(), count))
		engine.Load(w.buf.At(at*w.buf.DType().Width(), w.buf.DType(), count), v)
	}
	return w, nil
}
