package local_test

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/disttest"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/internal/allocs"
)

func TestLocalGroupsConform(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 7} {
		require.NoError(t, local.Run(size, func(g dist.Group) error {
			return disttest.Check(g, disttest.Options{Seed: uint64(size), Rounds: 10})
		}), "%d ranks", size)
	}
}

func TestARunInTheDocumentation(t *testing.T) {
	err := local.Run(4, func(g dist.Group) error {
		return g.Barrier(context.Background())
	})
	require.NoError(t, err)
}

// waitAll is a rank that waits for all others, and keeps what it is told.
func waitAll(g dist.Group, told []error) error {
	told[g.Rank()] = g.Barrier(context.Background())
	return told[g.Rank()]
}

func TestWhoWaitsForARankThatEndsIsToldAtOnce(t *testing.T) {
	cause := errors.New("no space left")
	for _, c := range []struct {
		name string
		ends func() error
		says string
	}{
		{"return", func() error { return nil }, "rank 1 is gone: it has ended"},
		{"error", func() error { return cause }, "rank 1 is gone: no space left"},
		{"panic", func() error { panic("out of cheese") }, "rank 1 is gone: panic: out of cheese"},
		{"Goexit", func() error { runtime.Goexit(); return nil }, "rank 1 is gone: its goroutine ended"},
	} {
		for _, late := range []bool{false, true} {
			told := make([]error, 3)
			err := local.Run(3, func(g dist.Group) error {
				if g.Rank() != 1 {
					return waitAll(g, told)
				}
				if late {
					time.Sleep(10 * time.Millisecond)
				}
				return c.ends()
			})
			require.Error(t, err, c.name)
			for _, r := range []int{0, 2} {
				require.ErrorContains(t, told[r], c.says, c.name)
			}
			if c.name == "error" {
				require.Equal(t, cause, err, "the first error is the cause of the others")
			}
		}
	}
}

func TestARankThatHangsIsNamed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	hang := make(chan struct{})
	told := make([]error, 3)
	require.Error(t, local.Run(3, func(g dist.Group) error {
		if g.Rank() == 2 {
			<-hang
			return g.Barrier(context.Background())
		}
		told[g.Rank()] = g.Barrier(ctx)
		if g.Rank() == 0 {
			close(hang)
		}
		return told[g.Rank()]
	}))
	first, second := told[0], told[1]
	require.True(t, errors.Is(first, context.DeadlineExceeded) && errors.Is(second, context.DeadlineExceeded))
	for _, err := range told[:2] {
		var e *dist.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []int{2}, e.Missing)
		require.Positive(t, e.Waited)
	}
}

func TestAbortEndsOperationsOfDuplicatesToo(t *testing.T) {
	cause := errors.New("diverged")
	err := local.Run(3, func(g dist.Group) error {
		d, err := g.Dup(context.Background())
		if err != nil {
			return err
		}
		if g.Rank() == 1 {
			g.Abort(cause)
			g.Abort(errors.New("a later one"))
			return nil
		}
		return d.Barrier(context.Background())
	})
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "rank 1 aborted: diverged")
}

func TestRanksThatDisagreeAreToldHow(t *testing.T) {
	ctx := context.Background()
	two := func(n int) [][]byte { return [][]byte{make([]byte, n), make([]byte, n)} }
	for _, c := range []struct {
		says string
		f    func(g dist.Group) error
	}{
		{"rank 0 calls Barrier, and rank 1 Broadcast", func(g dist.Group) error {
			if g.Rank() == 0 {
				return g.Barrier(ctx)
			}
			return g.Broadcast(ctx, nil, 0)
		}},
		{"rank 0 names rank 0 as the root, and rank 1 rank 1", func(g dist.Group) error { return g.Broadcast(ctx, nil, g.Rank()) }},
		{"rank 0 has 0 bytes, and rank 1 1", func(g dist.Group) error { return g.Broadcast(ctx, make([]byte, g.Rank()), 0) }},
		{"rank 0 sums 0 elements, and rank 1 1", func(g dist.Group) error { return g.SumFloat64(ctx, make([]float64, g.Rank())) }},
		{"rank 0 sums 2 elements, and rank 1 1", func(g dist.Group) error { return g.SumFloat32(ctx, make([]float32, 2-g.Rank())) }},
		{"rank 1 sends 5 bytes to rank 0, which expects 4", func(g dist.Group) error { return g.Exchange(ctx, two(4+g.Rank()), two(4+g.Rank())) }},
		{"rank 1 sends 5 bytes to rank 0, which expects 4", func(g dist.Group) error { return g.Gather(ctx, make([]byte, 4+g.Rank()), two(4)) }},
	} {
		told := make([]error, 2)
		require.Error(t, local.Run(2, func(g dist.Group) error {
			told[g.Rank()] = c.f(g)
			return told[g.Rank()]
		}))
		for _, err := range told {
			require.ErrorContains(t, err, c.says)
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	_, err := local.New(0)
	require.ErrorContains(t, err, "local: a group of 0 ranks, want 1 to 4096")
	require.ErrorContains(t, local.Run(1, nil), "no function")
	groups, err := local.New(1)
	require.NoError(t, err)
	g, ctx := groups[0], context.Background()
	require.ErrorContains(t, g.Exchange(ctx, nil, make([][]byte, 1)), "send has 0 parts, want one for each of 1 ranks")
	require.ErrorContains(t, g.Gather(ctx, nil, nil), "recv has 0 parts")
	require.ErrorContains(t, g.Broadcast(ctx, nil, -1), "root -1 is none of the ranks 0 to 0")
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	require.ErrorIs(t, g.Barrier(ctx), dist.ErrClosed)
}

func TestOperationsAllocateNothing(t *testing.T) {
	require.NoError(t, local.Run(2, func(g dist.Group) error {
		ctx := context.Background()
		send, recv, v := [][]byte{{1}, {2}}, [][]byte{{0}, {0}}, []float32{1, 2, 3}
		all := func() error {
			return cmp.Or(g.Exchange(ctx, send, recv), g.Gather(ctx, send[0], recv), g.SumFloat32(ctx, v),
				g.Broadcast(ctx, send[0], 0), g.Barrier(ctx))
		}
		if g.Rank() == 0 {
			require.Zero(t, allocs.PerRun(50, func() { _ = all() }))
			return all()
		}
		for all() == nil { // until rank 0 has ended
		}
		return nil
	}))
}
