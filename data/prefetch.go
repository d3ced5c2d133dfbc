package data

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// prefetch fills the batches of an epoch in several goroutines. The index of a batch is handed out
// only when its slot is free, so the goroutine that takes the index has the slot: batch k is always
// in slot k%len(slots), and each slot holds one batch at a time. Who has the turn takes an index and, from
// the source, the examples of that batch; reading or decoding them needs no turn.
type prefetch struct {
	epoch, first, batches int
	source                source
	slots                 []*slot
	turn                  chan struct{} // full while somebody has the turn
	todo                  chan int      // indices of batches whose slots are free, in order
	ready                 []chan filled // one for each slot
	outer, ctx            context.Context
	cancel                context.CancelFunc
	working               atomic.Int32
	done                  chan struct{} // closed when all workers have ended
}

// source says which examples are in the batches of an epoch.
type source interface {
	// take puts the examples of batch k into s. It is called in the order of the batches, and not by
	// two goroutines at once. After the last batch its error is errEnd.
	take(ctx context.Context, s *slot, k int) error
	// close ends the source. It is called once, when nobody uses it.
	close()
}

// errEnd is not seen by users.
var errEnd = errors.New("no further batch")

// arranged is the source of a dataset: its examples in an order.
type arranged struct {
	order []int
	size  int
}

func (a *arranged) take(_ context.Context, s *slot, k int) error {
	s.examples = a.order[k*a.size : min((k+1)*a.size, len(a.order))]
	return nil
}

func (a *arranged) close() {}

type filled struct {
	batch Batch
	err   error
}

// ahead starts to fill the batches of an epoch from the given one on.
func (l *Loader) ahead(ctx context.Context, epoch, first int) *prefetch {
	p := &prefetch{
		epoch: epoch, first: first, batches: l.batches(), source: l.source(epoch, first),
		slots: l.slots, turn: make(chan struct{}, 1), todo: make(chan int, len(l.slots)),
		outer: ctx, done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	if l.stream != nil { // a Next may wait for what never comes
		p.outer = p.ctx
	}
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
			defer close(p.done)
			p.source.close()
		}
	}()
	for p.one() {
	}
}

// errExit is the error of a batch if reading it called runtime.Goexit.
var errExit = errors.New("data: reading a batch ended its goroutine")

// one fills the next batch and makes it ready, whatever the user's code does. It returns false if there
// are no more.
func (p *prefetch) one() bool {
	select {
	case p.turn <- struct{}{}:
	case <-p.ctx.Done():
		return false
	}
	mine := true
	defer func() {
		if mine {
			<-p.turn
		}
	}()
	var k int
	select {
	case k = <-p.todo:
	case <-p.ctx.Done():
		return false
	}
	s, f := p.slots[k%len(p.slots)], filled{err: errExit}
	defer func() { p.ready[k%len(p.slots)] <- f }() // has room, since the slot was free
	if err := p.source.take(p.ctx, s, k); err != nil {
		f.err = err
		return false
	}
	<-p.turn
	mine = false
	f.batch, f.err = s.fill(p.ctx, p.epoch, k)
	return f.err == nil
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

// patience is how long a Read may continue after the loop's context was cancelled, and a Next after the
// loop ended.
const patience = time.Second

// stop ends the goroutines and waits for them. It returns false if one is still reading after
// the time that it may take.
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
