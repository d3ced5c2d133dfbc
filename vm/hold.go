package vm

import (
	"context"
	"fmt"
)

var (
	errWriting = fmt.Errorf("store %w: a training step is under way", ErrBusy)
	errReading = fmt.Errorf("store %w: inference is under way", ErrBusy)
)

// acquire holds the values until release: shared for reading, exclusively for writing.
func (s *Store) acquire(write bool) error { return s.hold(context.Background(), write, false) }

func (s *Store) release(write bool) { s.letGo(write, false) }

// hold holds the values until letGo: shared for reading, exclusively for writing. A writer waits
// for the current readers and blocks new ones. It does not wait for runs whose instructions are
// shown to the caller (shown), since that caller may be the one that wants to write.
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

// enter records that the values are held. If it returns a channel, the caller must wait until it is
// closed, when there are no readers any more.
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

// letGo ends what hold began, or what it waits for.
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
