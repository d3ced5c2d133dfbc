package data

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// prefetch fills the batches of an epoch in several goroutines. The index of a batch is handed out
// only when its slot is free, so the goroutine that takes the index has the slot: batch k is always
// in slot k%len(slots), and each slot holds one batch at a time.
type prefetch struct {
	epochOf
	slots      []*slot
	todo       chan int      // indices of batches whose slots are free, in order
	ready      []chan filled // one for each slot
	outer, ctx context.Context
	cancel     context.CancelFunc
	working    atomic.Int32
	done       chan struct{} // closed when all workers have ended
}

// epochOf describes the batches to fill.
type epochOf struct {
	epoch, first, batches int
	size                  int
	order                 []int
}

// examples returns the indices of the examples of batch k.
func (e *epochOf) examples(k int) []int {
	return e.order[k*e.size : min((k+1)*e.size, len(e.order))]
}

type filled struct {
	batch Batch
	err   error
}

// ahead starts to fill the batches of an epoch from the given one on.
func (l *Loader) ahead(ctx context.Context, epoch, first int) *prefetch {
	p := &prefetch{
		epochOf: epochOf{epoch, first, l.Len(), l.o.Size, l.order},
		slots:   l.slots, todo: make(chan int, len(l.slots)),
		outer: ctx, done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	for i := range l.slots {
		p.ready = append(p.ready, make(chan filled, 1))
		p.hand(first + i)
	}
	workers := min(max(l.o.Workers, 1), p.batches-first)
	p.working.Store(int32(workers))
	for range workers {
		go p.work()
	}
	return p
}

// hand hands out the index of a batch whose slot is free. The channel has room, since there are
// never more indices than slots.
func (p *prefetch) hand(k int) {
	if k < p.batches {
		p.todo <- k
	}
}

func (p *prefetch) work() {
	defer func() {
		if p.working.Add(-1) == 0 {
			close(p.done)
		}
	}()
	for {
		select {
		case k := <-p.todo:
			if p.fill(k) != nil {
				return
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// errExit is the error of a batch if reading it called runtime.Goexit.
var errExit = errors.New("data: reading a batch ended its goroutine")

// fill fills batch k and makes it ready, whatever the user's code does.
func (p *prefetch) fill(k int) error {
	i := k % len(p.slots)
	f := filled{err: errExit}
	defer func() { p.ready[i] <- f }() // has room, since the slot was free
	f.batch, f.err = p.slots[i].fill(p.ctx, p.epoch, k, p.examples(k))
	return f.err
}

// next frees the slot of the previous batch and waits for batch k.
func (p *prefetch) next(k int) (Batch, error) {
	if k > p.first {
		p.hand(k - 1 + len(p.slots))
	}
	select {
	case f := <-p.ready[k%len(p.slots)]:
		return f.batch, f.err
	case <-p.ctx.Done():
		return Batch{}, context.Cause(p.ctx)
	}
}

// patience is how long a Read may continue after the loop's context was cancelled.
const patience = time.Second

// stop ends the goroutines and waits for them. It returns false if one is still reading long after
// the loop's context was cancelled.
func (p *prefetch) stop() bool {
	p.cancel()
	select {
	case <-p.done:
		return true
	case <-p.outer.Done():
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.done:
		return true
	case <-late.C:
		return false
	}
}
