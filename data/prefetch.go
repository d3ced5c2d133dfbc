package data

import (
	"context"
	"sync"
	"sync/atomic"
)

// prefetch is an epoch whose batches are filled ahead by some goroutines. Batch k goes round
// by its slot: free, filled by whoever took k, ready, used by the loop, free.
type prefetch struct {
	*Loader
	epoch, first int
	untaken      atomic.Int64 // the next batch that nobody fills
	free         []chan struct{}
	ready        []chan filled
	ctx          context.Context
	cancel       context.CancelFunc
	running      sync.WaitGroup
}

type filled struct {
	batch Batch
	err   error
}

// ahead begins to fill the batches of an epoch from the given one on.
func (l *Loader) ahead(ctx context.Context, epoch, first int) *prefetch {
	p := &prefetch{Loader: l, epoch: epoch, first: first}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.untaken.Store(int64(first))
	for range l.slots {
		free := make(chan struct{}, 1)
		free <- struct{}{}
		p.free, p.ready = append(p.free, free), append(p.ready, make(chan filled, 1))
	}
	for range min(l.o.Workers, l.Len()-first) {
		p.running.Go(p.work)
	}
	return p
}

func (p *prefetch) work() {
	for {
		k := int(p.untaken.Add(1) - 1)
		if k >= p.Len() {
			return
		}
		i := k % len(p.slots)
		select {
		case <-p.free[i]:
		case <-p.ctx.Done():
			return
		}
		b, err := p.fill(p.ctx, p.epoch, k)
		p.ready[i] <- filled{b, err} // has room: the slot was free
		if err != nil {
			return
		}
	}
}

// next gives the slot before back and waits for batch k.
func (p *prefetch) next(k int) (Batch, error) {
	if k > p.first {
		p.free[(k-1)%len(p.slots)] <- struct{}{}
	}
	select {
	case f := <-p.ready[k%len(p.slots)]:
		return f.batch, f.err
	case <-p.ctx.Done():
		return Batch{}, context.Cause(p.ctx)
	}
}

// stop ends the goroutines and waits for them.
func (p *prefetch) stop() {
	p.cancel()
	p.running.Wait()
}
