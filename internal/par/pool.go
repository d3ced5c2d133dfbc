package par

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

// Pool divides the loops of its callers among worker goroutines. It is safe for concurrent use. A
// nil Pool is valid and runs every loop on the calling goroutine.
//
// Workers start with the first loop worth sharing. An idle worker polls for work for spinTime and
// then sleeps until it is woken. Workers end on Close, or when the garbage collector finds the Pool
// unreachable.
type Pool struct {
	// The workers refer to the crew but never to the Pool, so that the Pool can become garbage.
	crew  *crew
	watch Watcher // may be nil
	of    *Pool   // the pool whose workers a watched or limited Pool uses; keeps them alive
	limit int     // goroutines that may share a loop; as many as there are workers at most
	fewer []*Pool // by limit less 2, those limited to fewer
}

// Watcher observes the work of workers.
type Watcher interface {
	// Part calls body(lo, hi), a chunk of a loop, on the goroutine of a worker; workers are
	// numbered from 1. Chunks that the caller of the loop runs itself are not shown.
	Part(worker, lo, hi int, body func(lo, hi int))
}

// Watched returns a Pool with the workers of p whose loops are shown to w. Loops of p are not
// shown. For a nil p it returns p.
func (p *Pool) Watched(w Watcher) *Pool {
	if p == nil {
		return nil
	}
	return &Pool{crew: p.crew, watch: w, of: p, limit: p.limit}
}

// AtMost returns a Pool with the workers of p in which up to n goroutines, including the caller,
// share a loop; for n below 1 or above p's own limit, p. Loops of several callers go to different
// workers, while there are enough.
func (p *Pool) AtMost(n int) *Pool {
	switch {
	case p == nil || n < 1 || n >= p.limit:
		return p
	case n == 1:
		return nil
	case p.fewer != nil:
		return p.fewer[n-2]
	}
	return &Pool{crew: p.crew, watch: p.watch, of: p, limit: n}
}

// NewPool returns a pool in which up to workers goroutines, including the caller of a loop, share
// its chunks. Values below 1 mean one worker per processor.
func NewPool(workers int) *Pool {
	if workers < 1 {
		workers = max(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	}
	p := &Pool{crew: newCrew(workers), limit: workers}
	for n := 2; n < workers; n++ { // made once, so that they can be compared
		p.fewer = append(p.fewer, &Pool{crew: p.crew, of: p, limit: n})
	}
	runtime.AddCleanup(p, (*crew).stop, p.crew)
	return p
}

// Default returns the pool of the process: one worker per processor, never closed. Its workers
// sleep while no loop runs.
var Default = sync.OnceValue(func() *Pool { return NewPool(0) })

// For calls body(lo, hi) for the chunks [0,grain), [grain,2*grain), ... of [0,n), each exactly
// once, and returns when all calls have returned. A grain below 1 means 1.
//
// Up to min(GOMAXPROCS, Workers()) goroutines call body at the same time, in no particular order. The
// same chunks run one by one in ascending order if GOMAXPROCS is 1, if the pool is closed, or if
// every worker is busy: with other callers, or because For was called inside a body. For does not
// allocate; to avoid allocating a closure in each call, create a body that captures variables once
// and keep it.
//
// If body panics, the caller panics after the chunks that are already running; the remaining chunks
// are dropped. The panic value is that of body or, if a worker ran it, a [rescue.Panic] of that,
// since the caller's stack does not show the line.
func (p *Pool) For(n, grain int, body func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = min(max(grain, 1), n)
	chunks := (n-1)/grain + 1
	if p == nil || chunks == 1 {
		serial(n, grain, body)
		return
	}
	defer runtime.KeepAlive(p)
	j := p.crew.post(n, grain, chunks, p.limit, body, p.watch)
	if j == nil {
		serial(n, grain, body)
		return
	}
	if failure := p.crew.lead(j); failure != nil {
		panic(failure)
	}
}

// Workers returns the largest number of goroutines that can share a loop, including the caller's.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return p.limit
}

// Crew returns the number of goroutines that compute in all loops of the pool, including a caller.
func (p *Pool) Crew() int {
	if p == nil {
		return 1
	}
	return len(p.crew.workers)
}

// Close ends the workers and waits for them. Running loops are completed; later loops run on their
// caller. Close may be called twice, but not from inside a body.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.crew.stop()
	p.crew.running.Wait()
}

// serial runs the same chunks as a shared loop would.
func serial(n, grain int, body func(lo, hi int)) {
	for lo := 0; lo < n; {
		hi := lo + min(grain, n-lo)
		body(lo, hi)
		lo = hi
	}
}

const (
	// spinTime is how long an idle worker polls for work before it sleeps. Waking a sleeping worker
	// takes about 30 us, longer than most kernels of a small network.
	spinTime = 100 * time.Microsecond

	// patience is how long an idle worker keeps its processor. The goroutine that it waits for may be on a
	// thread that waits for the same one, which the kernel leaves there until a time slice ends: 2 ms.
	patience = 20 * time.Microsecond

	// spinLoads is the number of reads of a word between two yields to other goroutines: one or two
	// microseconds.
	spinLoads = 2048
)

// crew is the state that the workers and the callers share.
type crew struct {
	posted atomic.Uint32 // number of jobs posted; idle workers poll it
	_      [60]byte

	busy    atomic.Int32 // workers inside a job
	closed  atomic.Bool
	workers []*worker // worker 0 is the caller of a loop and has no goroutine
	jobs    []*job    // as many as can be in use at the same time; each knows its place
	start   sync.Once
	running sync.WaitGroup
}

type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

func newCrew(workers int) *crew {
	c := &crew{workers: make([]*worker, workers), jobs: make([]*job, workers)}
	for i := range workers {
		c.workers[i] = &worker{wake: make(chan struct{}, 1)}
		c.jobs[i] = newJob(i, workers)
	}
	return c
}

// post publishes a loop to up to limit-1 workers, or returns nil if no worker can help.
func (c *crew) post(n, grain, chunks, limit int, body func(lo, hi int), w Watcher) *job {
	all := min(runtime.GOMAXPROCS(0), len(c.workers))
	if int(c.busy.Load()) >= all-1 || c.closed.Load() {
		return nil
	}
	team := min(all, limit)
	j := c.claim()
	if j == nil {
		return nil
	}
	c.start.Do(c.hire)
	j.watch = w
	j.first, j.helpers = 0, all-1
	if team < all {
		j.first = j.place * (team - 1) % j.helpers
	}
	j.open(n, grain, chunks, team, body)
	c.posted.Add(1)
	for member := 1; member < min(team, chunks); member++ {
		c.workers[1+(j.first+member-1)%j.helpers].rouse()
	}
	return j
}

// claim takes a job that no caller uses.
func (c *crew) claim() *job {
	for _, j := range c.jobs {
		if !j.taken.Load() && j.taken.CompareAndSwap(false, true) {
			return j
		}
	}
	return nil
}

// lead works on j as its caller, waits for the helpers and releases j. It returns the panic value
// of a helper; a panic of the caller itself is not recovered.
func (c *crew) lead(j *job) (failure any) {
	returned := false
	defer func() {
		if !returned {
			j.failed.Store(true)
		}
		j.join()
		failure = j.failure
		j.body, j.watch, j.failure = nil, nil, nil
		j.taken.Store(false)
	}()
	j.work(0, 0)
	returned = true
	return nil
}

func (c *crew) hire() {
	for id := 1; id < len(c.workers); id++ {
		c.running.Add(1)
		go c.serve(id)
	}
}

// serve is the main loop of worker id.
func (c *crew) serve(id int) {
	defer func() {
		if !c.closed.Load() { // a body called runtime.Goexit: replace this goroutine
			c.running.Add(1)
			go c.serve(id)
		}
		c.running.Done()
	}()
	pprof.SetGoroutineLabels(context.Background()) // not those of the goroutine that started it
	for !c.closed.Load() {
		seen := c.posted.Load()
		if !c.help(id) {
			c.idle(c.workers[id], seen)
		}
	}
}

// help looks once for a job to take part in.
func (c *crew) help(id int) bool {
	for i := range c.jobs {
		j := c.jobs[(id+i)%len(c.jobs)]
		member, ok := j.enter(id)
		if !ok {
			continue
		}
		c.busy.Add(1)
		j.help(id, member, &c.busy)
		return true
	}
	return false
}

// idle returns when a job has been posted since seen was read, or the crew is closed.
func (c *crew) idle(w *worker, seen uint32) {
	start := time.Now()
	for waited := time.Duration(0); waited < spinTime; waited = time.Since(start) {
		for range spinLoads {
			if c.posted.Load() != seen {
				return
			}
		}
		runtime.Gosched()
		if waited > patience {
			yieldThread()
		}
	}
	w.asleep.Store(true)
	if c.posted.Load() != seen && w.asleep.CompareAndSwap(true, false) {
		return
	}
	<-w.wake
}

// rouse wakes w if it sleeps. Whoever clears asleep owns the one token of the channel.
func (w *worker) rouse() {
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

func (c *crew) stop() {
	c.start.Do(func() {}) // no worker is started from here on
	c.closed.Store(true)
	c.posted.Add(1)
	for _, w := range c.workers {
		w.rouse()
	}
}
