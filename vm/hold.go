package vm

import (
	"context"
	"fmt"
)

// hold takes the values for a run. A training step waits for those that read to end, which it
// keeps new ones from doing meanwhile; but not for runs that are shown to their caller, who may
// be who asks.
func (s *Store) hold(ctx context.Context, write, shown bool) error {
	if !write {
		if err := s.acquire(false); err != nil {
			return err
		}
		s.show(shown, 1)
		return nil
	}
	free, err := s.reserve()
	if err != nil || free == nil {
		return err
	}
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		s.release(true)
		return context.Cause(ctx)
	}
}

// letGo is the end of what hold began.
func (s *Store) letGo(write, shown bool) {
	if !write {
		s.show(shown, -1)
	}
	s.release(write)
}

// show counts the runs that are shown to their caller.
func (s *Store) show(shown bool, n int) {
	if !shown {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown += n
}

// reserve takes the values for writing. Where others read, they are taken once the channel
// returned is closed.
func (s *Store) reserve() (free chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writing:
		return nil, errWriting
	case s.shown > 0:
		return nil, errReading
	}
	s.writing = true
	if s.readers > 0 {
		s.free = make(chan struct{})
	}
	return s.free, nil
}

var (
	errWriting = fmt.Errorf("store %w: a training step is under way", ErrBusy)
	errReading = fmt.Errorf("store %w: inference is under way", ErrBusy)
)
