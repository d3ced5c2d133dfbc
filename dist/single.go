package dist

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Single returns a group of one rank. Its operations copy what is sent to itself. Abort makes later
// operations fail, those of duplicates too.
func Single() Group { return &single{fate: new(fate)} }

// single has the state of a Group of one.
type single struct {
	fate   *fate // shared with its duplicates
	closed bool
}

// fate is the error of the first Abort.
type fate struct {
	mu  sync.Mutex
	err error
}

func (f *fate) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (*single) Rank() int { return 0 }
func (*single) Size() int { return 1 }

// begin returns an error if the operation cannot be done.
func (s *single) begin(ctx context.Context, op string, wrong error) error {
	err := s.fate.get()
	switch {
	case s.closed:
		err = ErrClosed
	case err != nil:
	case ctx == nil:
		err = ErrNoContext
	case wrong != nil:
		err = wrong
	default:
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	return &Error{Op: op, Size: 1, Err: err}
}

func (s *single) Exchange(ctx context.Context, send, recv [][]byte) error {
	err := s.begin(ctx, "Exchange", errors.Join(CheckParts("send", send, 1), CheckParts("recv", recv, 1)))
	if err != nil {
		return err
	}
	return s.copy("Exchange", recv[0], send[0])
}

func (s *single) Gather(ctx context.Context, send []byte, recv [][]byte) error {
	if err := s.begin(ctx, "Gather", CheckParts("recv", recv, 1)); err != nil {
		return err
	}
	return s.copy("Gather", recv[0], send)
}

func (s *single) copy(op string, dst, src []byte) error {
	if len(dst) != len(src) {
		return &Error{Op: op, Size: 1, Err: fmt.Errorf("rank 0 sends %d bytes to itself, and expects %d", len(src), len(dst))}
	}
	copy(dst, src)
	return nil
}

func (s *single) Broadcast(ctx context.Context, _ []byte, root int) error {
	return s.begin(ctx, "Broadcast", CheckRoot(root, 1))
}

func (s *single) Barrier(ctx context.Context) error { return s.begin(ctx, "Barrier", nil) }

func (s *single) SumFloat32(ctx context.Context, _ []float32) error {
	return s.begin(ctx, "SumFloat32", nil)
}

func (s *single) SumFloat64(ctx context.Context, _ []float64) error {
	return s.begin(ctx, "SumFloat64", nil)
}

func (s *single) Dup(ctx context.Context) (Group, error) {
	if err := s.begin(ctx, "Dup", nil); err != nil {
		return nil, err
	}
	return &single{fate: s.fate}, nil
}

func (s *single) Abort(err error) {
	s.fate.mu.Lock()
	defer s.fate.mu.Unlock()
	if s.fate.err == nil {
		s.fate.err = Aborted(0, err)
	}
}

func (s *single) Close() error {
	s.closed = true
	return nil
}
