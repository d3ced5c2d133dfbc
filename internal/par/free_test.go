package par

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
)

// Nobody else has a value that is taken, and the steady state creates none.
func TestAFreeValueHasOneUser(t *testing.T) {
	made := 0
	var mu sync.Mutex
	f := NewFree(8, func() *atomic.Int32 {
		mu.Lock()
		defer mu.Unlock()
		made++
		return new(atomic.Int32)
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				v := f.Take()
				if v.Add(1) != 1 {
					t.Error("two have the same value")
				}
				v.Add(-1)
				f.Give(v)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, made, 8)
	require.Zero(t, allocs.PerRun(100, func() { f.Give(f.Take()) }))
}

func TestFreeKeepsNoMoreThanItWasAskedTo(t *testing.T) {
	made := 0
	f := NewFree(1, func() *int { made++; return new(int) })
	a, b := f.Take(), f.Take()
	f.Give(a)
	f.Give(b)
	require.Same(t, a, f.Take())
	f.Take()
	require.Equal(t, 3, made)
}
