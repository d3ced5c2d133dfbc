package par

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAtMost(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	require.Same(t, p, p.AtMost(0))
	require.Same(t, p, p.AtMost(4))
	require.Same(t, p, p.AtMost(9))
	require.Nil(t, p.AtMost(1))
	require.Same(t, p.AtMost(2), p.AtMost(2), "engines with equal limits are equal")
	require.Same(t, p.AtMost(2), p.AtMost(2).AtMost(3), "a limit stays")
	require.Equal(t, 2, p.AtMost(2).Workers())
	require.Equal(t, 4, p.AtMost(2).Crew())
	require.Equal(t, 1, p.AtMost(1).Workers())
	require.Equal(t, 3, p.Watched(nil).AtMost(3).Workers())
	require.Nil(t, (*Pool)(nil).AtMost(3))
	require.Equal(t, 1, (*Pool)(nil).Crew())
}

// Each of several callers at a time has no more goroutines than its limit, and all indices are done.
func TestLoopsOfLimitedPoolsKeepTheirLimit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	p := NewPool(5)
	defer p.Close()
	var callers sync.WaitGroup
	for limit := 1; limit <= 3; limit++ {
		for range 2 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				few := p.AtMost(limit)
				for range 300 {
					var now, most, done atomic.Int64
					few.For(64, 1, func(lo, hi int) {
						n := now.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
						runtime.Gosched()
						done.Add(int64(hi - lo))
						now.Add(-1)
					})
					if done.Load() != 64 || most.Load() > int64(limit) {
						t.Errorf("limit %d: %d goroutines did %d of 64", limit, most.Load(), done.Load())
						return
					}
				}
			}()
		}
	}
	callers.Wait()
}

// Two limited loops at a time find different helpers.
func TestLimitedLoopsGoToDifferentWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	p := NewPool(5)
	defer p.Close()
	few := p.AtMost(2)
	var inside sync.WaitGroup // all four bodies at the same time, or the test hangs
	inside.Add(4)
	body := func(lo, hi int) {
		inside.Done()
		inside.Wait()
	}
	var callers sync.WaitGroup
	for range 2 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			few.For(2, 1, body)
		}()
	}
	callers.Wait()
}
