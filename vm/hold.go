package vm

import (
	"context"
	"fmt"
)

var (
	errWriting = fmt.Errorf("store %w: a training step is under way", ErrBusy)
	errReading = fmt.Errorf("store %w: inference is under way", ErrBusy)
)

// acquire takes the values for reading, or alone for writing, until release.
func (s *Store) acquire(write bool) error { return s.hold(context.Background(), write, false) }

func (s *Store) release(write bool) { s.letGo(write, false) }

// hold takes the values for reading, or alone for writing, until letGo. A writer waits for those
// that read to end, and keeps new ones out meanwhile; but not for runs that are shown to their
// caller, who may be the one that asks.
func (s *Store) hold(ctx context.Context, write, shown bool) error {
	free, err := s.enter(write, shown)
	if err != nil || free == nil {
		return err
	}
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		s.letGo(write, shown)
		return context.Cause(ctx)
	}
}

// enter notes that the values are held. A channel that it returns is closed once nobody reads
// them any more.
func (s *Store) enter(write, shown bool) (free chan struct{}, err error) {
	if s == nil {
		return nil, errNoStore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writing:
		return nil, errWriting
	case write && s.shown > 0:
		return nil, errReading
	case !write:
		s.readers++
		s.shown += count(shown)
		return nil, nil
	}
	s.writing = true
	if s.readers > 0 {
		s.free = make(chan struct{})
	}
	return s.free, nil
}

// letGo is the end of what hold began, or waits for.
func (s *Store) letGo(write, shown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if write {
		s.writing, s.free = false, nil
		return
	}
	s.readers--
	s.shown -= count(shown)
	if s.readers == 0 && s.free != nil {
		close(s.free)
		s.free = nil
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
