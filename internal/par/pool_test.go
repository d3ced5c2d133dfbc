package par

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/rescue"
)

// withProcs sets GOMAXPROCS for the rest of the test.
func withProcs(t testing.TB, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func newPool(t testing.TB, workers int) *Pool {
	p := NewPool(workers)
	t.Cleanup(p.Close)
	return p
}

// checkCover fails unless a loop over n touches every index once, in the promised chunks.
func checkCover(t require.TestingT, p *Pool, n, grain int) {
	seen := make([]atomic.Int32, max(n, 0))
	p.For(n, grain, func(lo, hi int) {
		g := max(grain, 1)
		require.Zero(t, lo%g)
		require.Equal(t, min(lo+g, n), hi)
		for i := lo; i < hi; i++ {
			seen[i].Add(1)
		}
	})
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load(), "index %d of %d, grain %d", i, n, grain)
	}
}

func TestForCoversEveryIndexOnce(t *testing.T) {
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprint("procs", procs), func(t *testing.T) {
			withProcs(t, procs)
			p := newPool(t, 4)
			rng := rand.New(rand.NewPCG(1, 2))
			for range 300 {
				checkCover(t, p, rng.IntN(2000)-5, rng.IntN(300)-5)
			}
			checkCover(t, p, 10, int(^uint(0)>>1))
			checkCover(t, nil, 100, 7)
		})
	}
}

func TestAPoolHasTheWorkersItWasMadeWith(t *testing.T) {
	withProcs(t, 2*runtime.NumCPU())
	for workers, want := range map[int]int{-1: 2 * runtime.NumCPU(), 0: 2 * runtime.NumCPU(), 1: 1, 2: 2, 5: 5} {
		require.Len(t, newPool(t, workers).crew.workers, want)
	}
}

func TestForFromManyGoroutines(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 3)
	var wg sync.WaitGroup
	for caller := range 12 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(caller)))
			for range 200 {
				checkCover(t, p, rng.IntN(500), 1+rng.IntN(50))
			}
		})
	}
	wg.Wait()
}

func TestForNests(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 4)
	var count atomic.Int64
	for range 50 {
		p.For(20, 1, func(lo, hi int) {
			p.For(10, 2, func(lo, hi int) {
				p.For(3, 1, func(lo, hi int) { count.Add(int64(hi - lo)) })
			})
		})
	}
	require.EqualValues(t, 50*20*5*3, count.Load())
}

func TestForUsesSeveralGoroutines(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 3)
	var wg sync.WaitGroup // a meeting of three is possible only on three goroutines
	wg.Add(3)
	p.For(3, 1, func(lo, hi int) {
		wg.Done()
		wg.Wait()
	})
}

func TestForStaysOnTheCallerWithOneProcessor(t *testing.T) {
	withProcs(t, 1)
	p := newPool(t, 4)
	next := 0 // not atomic: the race detector watches
	p.For(1000, 10, func(lo, hi int) {
		require.Equal(t, next, lo)
		next = hi
	})
	require.Equal(t, 1000, next)
}

func TestForCarriesAPanicToTheCaller(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 4)
	want := errors.New("body failed")
	for at := range 40 {
		err := rescue.Do(func() error {
			p.For(40, 1, func(lo, hi int) {
				if lo == at {
					panic(want)
				}
				runtime.Gosched()
			})
			return nil
		})
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, "body failed at pool_test.go:")
	}
	checkCover(t, p, 1000, 3)
}

// The line of a panic is the body's, on whichever goroutine it ran.
func TestAPanicOfAWorkerKeepsItsLine(t *testing.T) {
	withProcs(t, 2)
	p := newPool(t, 2)
	begun := make(chan struct{})
	err := rescue.Do(func() error {
		p.For(2, 1, func(lo, hi int) {
			if lo == 0 { // the caller's
				<-begun
				return
			}
			close(begun)
			panic("no")
		})
		return nil
	})
	require.ErrorContains(t, err, "panic: no at pool_test.go:")
}

func TestForSurvivesGoexitInABody(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 4)
	for range 20 {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }() // nil where the caller itself met the Goexit
			p.For(40, 1, func(lo, hi int) { runtime.Goexit() })
		}()
		if v := <-done; v != nil {
			require.Equal(t, errGoexit, v)
		}
	}
	checkCover(t, p, 1000, 3)
}

func TestForAllocatesNothing(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 4)
	var sum atomic.Int64
	body := func(lo, hi int) { sum.Add(int64(hi - lo)) }
	require.Zero(t, allocs.PerRun(1000, func() { p.For(64, 4, body) }))
}

// workersOf counts the goroutines that serve crews, by who created them: that stands also
// beside one that has not begun, or that runs and so has no stack to print.
func workersOf() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "created by github.com/plexaura/plexaura/internal/par.(*crew).")
}

func TestCloseEndsTheWorkers(t *testing.T) {
	withProcs(t, 4)
	before := workersOf()
	p := NewPool(4)
	checkCover(t, p, 100, 3)
	require.Greater(t, workersOf(), before)
	p.Close()
	p.Close()
	// Close has waited for their last act; the runtime takes a moment to remove them.
	require.Eventually(t, func() bool { return workersOf() == before }, 30*time.Second, time.Millisecond)
	checkCover(t, p, 100, 3)
}

func TestWorkersOfAnUnreachablePoolEnd(t *testing.T) {
	withProcs(t, 4)
	before := workersOf()
	checkCover(t, NewPool(4), 100, 3)
	require.Eventually(t, func() bool {
		runtime.GC()
		return workersOf() == before
	}, 30*time.Second, 5*time.Millisecond)
}

func TestIdleWorkersSleep(t *testing.T) {
	withProcs(t, 4)
	p := newPool(t, 4)
	checkCover(t, p, 100, 3)
	require.Eventually(t, func() bool {
		for _, w := range p.crew.workers[1:] {
			if !w.asleep.Load() {
				return false
			}
		}
		return true
	}, 30*time.Second, time.Millisecond)
	checkCover(t, p, 100, 3) // and wake again
}

func TestCloseWhileLoopsRun(t *testing.T) {
	withProcs(t, 4)
	for range 100 {
		p := NewPool(4)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { checkCover(t, p, 200, 3) })
		}
		p.Close()
		wg.Wait()
	}
}

func ExamplePool_For() {
	p := NewPool(2)
	defer p.Close()
	squares := make([]int, 10)
	p.For(len(squares), 4, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			squares[i] = i * i
		}
	})
	fmt.Println(squares)
	// Output: [0 1 4 9 16 25 36 49 64 81]
}

// BenchmarkForkJoin is a loop of nothing: what sharing costs.
func BenchmarkForkJoin(b *testing.B) {
	p := newPool(b, 0)
	body := func(lo, hi int) {}
	for b.Loop() {
		p.For(p.Workers(), 1, body)
	}
}

// BenchmarkFor10us shares 10 us of work in chunks of 2.5 us.
func BenchmarkFor10us(b *testing.B) {
	p := newPool(b, 0)
	var sink atomic.Uint64
	body := func(lo, hi int) {
		x := uint64(lo)
		for range (hi - lo) * 2500 {
			x = x*6364136223846793005 + 1
		}
		sink.Store(x)
	}
	b.Run("pool", func(b *testing.B) {
		for b.Loop() {
			p.For(4, 1, body)
		}
	})
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			body(0, 4)
		}
	})
}
