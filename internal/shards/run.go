package shards

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/engine"
)

// member is a shard that computes. Of all members, only the one whose turn it is runs.
type member struct {
	shard   int
	turn    chan struct{} // has room for one
	in, out engine.Buffer // of the sum that it waits for
}

// Run computes the own shards of a batch of n examples. For each that has examples it calls compute,
// which runs the program on them, in a goroutine of its own. It returns when [Team.Sums] are those of
// this batch. All ranks must call Run with the same n. If compute fails, or the group does, the error
// is the first one, and the Team cannot be used again.
func (t *Team) Run(ctx context.Context, n int, compute func(ctx context.Context, shard int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.begin(ctx, cancel, n)
	sent := make(chan error, 1)
	go func() { sent <- t.send(ctx) }()
	if err := t.compute(ctx, compute); err != nil {
		cancel(err)
		<-sent
		return err
	}
	return <-sent
}

// begin makes the members of a run.
func (t *Team) begin(ctx context.Context, cancel context.CancelCauseFunc, n int) {
	t.ctx, t.cancel, t.at = ctx, cancel, 0
	t.members = t.members[:0]
	for s := t.lo; s < t.hi; s++ {
		if lo, hi := t.Part(s, n); lo < hi {
			t.members = append(t.members, &t.all[s-t.lo])
		}
	}
}

// compute runs the members, or takes part in the sums of the others.
func (t *Team) compute(ctx context.Context, compute func(ctx context.Context, shard int) error) error {
	switch len(t.members) {
	case 0:
		return t.idle()
	case 1:
		return compute(ctx, t.members[0].shard)
	}
	ended := make(chan error, len(t.members))
	for i, m := range t.members {
		go func() {
			err := t.wait(m)
			if err == nil {
				err = compute(ctx, m.shard)
			}
			if err != nil {
				t.cancel(err) // wakes those that wait
			} else {
				t.pass(i + 1)
			}
			ended <- err
		}()
	}
	t.pass(0)
	for range t.members {
		<-ended
	}
	return context.Cause(ctx)
}

// pass makes it the turn of member i, if there is one.
func (t *Team) pass(i int) {
	if i < len(t.members) {
		t.members[i].turn <- struct{}{}
	}
}

// wait waits for the turn of m.
func (t *Team) wait(m *member) error {
	select {
	case <-m.turn:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// idle takes part in the sums, and adds nothing.
func (t *Team) idle() error {
	for range t.sums {
		if err := t.total(); err != nil {
			return err
		}
	}
	for _, b := range t.buckets {
		if err := b.close(t); err != nil {
			return err
		}
	}
	return nil
}

// sum is the kernel of a sumOp.
func (t *Team) sum(c *engine.Call) error {
	i, err := t.running(c.In[1])
	if err != nil {
		return err
	}
	m := t.members[i]
	m.in, m.out = c.In[0], c.Out[0]
	next := i + 1
	if next == len(t.members) {
		if err := t.total(); err != nil {
			return err
		}
		next = 0
	}
	if len(t.members) == 1 {
		return nil
	}
	t.pass(next)
	return t.wait(m)
}

// running returns the index of the member with the number in b.
func (t *Team) running(b engine.Buffer) (int, error) {
	shard := int(engine.Slice[int32](b)[0])
	for i, m := range t.members {
		if m.shard == shard {
			return i, nil
		}
	}
	return 0, fmt.Errorf("shard %d computes outside of Team.Run", shard)
}

// total computes the next sum, for which all members wait.
func (t *Team) total() error {
	s := t.sums[t.at]
	t.at++
	for _, m := range t.members {
		if err := s.add(m.in); err != nil {
			return err
		}
	}
	if err := s.addZeros(t.absent()); err != nil {
		return err
	}
	if err := s.finish(t.ctx); err != nil {
		return err
	}
	for _, m := range t.members {
		copy(m.out.Bytes(), s.result.Bytes())
	}
	return nil
}

// absent returns the number of own shards without examples.
func (t *Team) absent() int { return t.hi - t.lo - len(t.members) }

// collect is the kernel of a collectOp.
func (t *Team) collect(b *bucket, c *engine.Call) error {
	i, err := t.running(c.In[0])
	if err != nil {
		return err
	}
	for _, v := range c.In[2:] {
		if err := b.add(v); err != nil {
			return err
		}
	}
	engine.Slice[int32](c.Out[0])[0] = 0
	if i+1 == len(t.members) {
		return b.close(t)
	}
	return nil
}

// close adds nothing for the own shards without examples, and has the bucket sent.
func (b *bucket) close(t *Team) error {
	if err := b.addZeros(t.absent()); err != nil {
		return err
	}
	if t.group.Size() == 1 {
		return b.finish(t.ctx)
	}
	b.full <- struct{}{}
	return nil
}

// send adds up each bucket over all ranks as soon as this rank's part of it is there.
func (t *Team) send(ctx context.Context) error {
	if t.group.Size() == 1 {
		return nil
	}
	for _, b := range t.buckets {
		select {
		case <-b.full:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := b.finish(ctx); err != nil {
			t.cancel(err)
			return err
		}
	}
	return nil
}

// Bind implements vm's Bindable.
func (op sumOp) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{Kernel: op.Team.sum, Fails: true, Serial: true, By: "shards"}, nil
}

// Bind implements vm's Bindable.
func (op collectOp) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	b := op.Team.buckets[op.Bucket]
	return engine.Bound{
		Kernel: func(c *engine.Call) error { return op.Team.collect(b, c) },
		Fails:  true, Serial: true, Starts: op.Team.group.Size() > 1, By: "shards", Alg: op.Team.options.Wire.String(),
	}, nil
}
