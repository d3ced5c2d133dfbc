package cpu

import (
	"sync/atomic"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
)

// chunkWork is about how much work is worth handing to another worker, in units of a
// nanosecond on one processor.
const chunkWork = 8000

// loop is the parallel part of a kernel: body does items lo to hi of n, for one chunk at a time
// on each of several workers. Chunks depend only on n and grain.
type loop struct {
	pool     *par.Pool
	n, grain int
	body     func(c *engine.Call, slot, lo, hi int)

	slots int // how many bodies can run at once; each has the number of its own slot
	turns par.Free[turn]
}

// newLoop returns the loop of n items that take about the given time each, in nanoseconds.
func (e Engine) newLoop(n, cost int, body func(c *engine.Call, slot, lo, hi int)) *loop {
	grain := max(1, chunkWork/max(cost, 1))
	chunks := (n + grain - 1) / grain
	l := &loop{pool: e.pool, n: n, grain: grain, body: body, slots: max(1, min(e.pool.Workers(), chunks))}
	l.turns = par.NewFree(16, func() *turn {
		t := &turn{loop: l, busy: make([]atomic.Bool, l.slots)}
		t.part = t.work
		return t
	})
	return l
}

// serial reports whether the loop is one chunk, and so runs on one processor.
func (l *loop) serial() bool { return l.n <= l.grain }

// turn is one run of a loop.
type turn struct {
	loop *loop
	call *engine.Call
	busy []atomic.Bool // by slot
	part func(lo, hi int)
}

// run does the whole loop.
func (l *loop) run(c *engine.Call) {
	if l.n <= l.grain {
		if l.n > 0 {
			l.body(c, 0, 0, l.n)
		}
		return
	}
	t := l.turns.Take()
	t.call = c
	l.pool.For(l.n, l.grain, t.part)
	t.call = nil
	l.turns.Give(t)
}

// kernel returns the kernel that is this loop and no more.
func (l *loop) kernel() engine.Kernel {
	return func(c *engine.Call) error {
		l.run(c)
		return nil
	}
}

func (t *turn) work(lo, hi int) {
	slot := 0
	for !t.busy[slot].CompareAndSwap(false, true) { // no more bodies run at once than there are slots
		slot = (slot + 1) % len(t.busy)
	}
	t.loop.body(t.call, slot, lo, hi)
	t.busy[slot].Store(false)
}
