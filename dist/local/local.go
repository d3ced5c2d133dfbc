package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/internal/rescue"
)

// MaxRanks is the largest size of a group.
const MaxRanks = 4096

// Run calls f once for each of size ranks, each in a goroutine of its own, and returns when all have
// ended: nil if none failed, else the first error. A rank that returns or panics while others wait for
// it, or come to wait, makes their operations fail at once. A panic becomes an error.
func Run(size int, f func(dist.Group) error) error {
	groups, err := New(size)
	if err != nil {
		return err
	}
	if f == nil {
		return errors.New("local: no function to run")
	}
	w := groups[0].(*group).hub.world
	var all sync.WaitGroup
	for _, g := range groups {
		all.Add(1)
		go func() {
			defer all.Done()
			ended := false
			defer func() {
				if !ended { // runtime.Goexit
					w.leave(g.Rank(), errors.New("its goroutine ended"))
				}
			}()
			err := rescue.Do(func() error { return f(g) })
			ended = true
			w.leave(g.Rank(), err)
		}()
	}
	all.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first
}

// New returns the ranks of a group, for goroutines that the caller starts. A rank that will call
// nothing more must Close its Group, so that the others do not wait for it.
func New(size int) ([]dist.Group, error) {
	if size < 1 || size > MaxRanks {
		return nil, fmt.Errorf("local: a group of %d ranks, want 1 to %d", size, MaxRanks)
	}
	w := &world{gone: make([]error, size), failed: make(chan struct{})}
	return newHub(w, size).groups(), nil
}

// world is what a group and its duplicates share: who has left, and why all failed.
type world struct {
	mu     sync.Mutex
	hubs   []*hub
	gone   []error       // by rank; nil while it is there
	first  error         // that a rank returned
	failed chan struct{} // closed when err is set
	err    error
}

// errEnded is why a rank is gone that returned without an error.
var errEnded = errors.New("it has ended")

// leave notes that a rank will call nothing more. Those that wait for it fail.
func (w *world) leave(rank int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.first == nil {
		w.first = err
	}
	if w.gone[rank] == nil {
		w.gone[rank] = cmp.Or(err, errEnded)
	}
	for _, h := range w.hubs {
		if h.arrived > 0 && !h.here[rank] {
			w.fail(gone(rank, w.gone[rank]))
		}
	}
}

func gone(rank int, err error) error { return fmt.Errorf("rank %d is gone: %w", rank, err) }

// fail makes every operation fail, from now on. w.mu is held.
func (w *world) fail(err error) {
	if w.err == nil {
		w.err = err
		close(w.failed)
	}
}

// hub is where the ranks of one group, or of one duplicate, meet. Its fields but world and done belong
// to world.mu until all have arrived; then each rank reads the calls of all, until the last is done.
type hub struct {
	world   *world
	size    int
	here    []bool // by rank, for the operation that is being called
	calls   []call // by rank
	arrived int
	failure error // what was wrong with the calls; all ranks return it
	next    *hub  // the duplicate that is being made
	done    atomic.Int64
	wake    []chan struct{} // by rank, of capacity 1
}

// call is an operation with its arguments.
type call struct {
	op         string
	send, recv [][]byte
	one        []byte // of Gather's send and of Broadcast
	root       int
	v32        []float32
	v64        []float64
}

func newHub(w *world, size int) *hub {
	h := &hub{world: w, size: size, here: make([]bool, size), calls: make([]call, size), wake: make([]chan struct{}, size)}
	for i := range h.wake {
		h.wake[i] = make(chan struct{}, 1)
	}
	w.hubs = append(w.hubs, h)
	return h
}

func (h *hub) groups() []dist.Group {
	all := make([]dist.Group, h.size)
	for i := range all {
		all[i] = &group{hub: h, rank: i, world: true}
	}
	return all
}

// group is a rank.
type group struct {
	hub    *hub
	rank   int
	world  bool // not a duplicate
	closed bool
}

func (g *group) Rank() int { return g.rank }
func (g *group) Size() int { return g.hub.size }

func (g *group) error(op string, start time.Time, missing []int, err error) error {
	e := &dist.Error{Op: op, Rank: g.rank, Size: g.hub.size, Missing: missing, Err: err}
	if !start.IsZero() {
		e.Waited = time.Since(start)
	}
	return e
}

// do meets the other ranks with c, calls work, which may read the calls of all, and meets them again.
func (g *group) do(ctx context.Context, c call, wrong error, work func(*group)) error {
	switch {
	case g.closed:
		return g.error(c.op, time.Time{}, nil, dist.ErrClosed)
	case ctx == nil:
		return g.error(c.op, time.Time{}, nil, dist.ErrNoContext)
	case wrong != nil:
		return g.error(c.op, time.Time{}, nil, wrong)
	}
	if err := g.meet(ctx, c); err != nil {
		return err
	}
	h := g.hub
	if err := h.failure; err != nil {
		g.part()
		return g.error(c.op, time.Time{}, nil, err)
	}
	work(g)
	g.part()
	return nil
}

// meet returns when all ranks have called.
func (g *group) meet(ctx context.Context, c call) error {
	h, w := g.hub, g.hub.world
	w.mu.Lock()
	if err := cmp.Or(w.err, ctx.Err()); err != nil {
		w.fail(err)
		w.mu.Unlock()
		return g.error(c.op, time.Time{}, nil, err)
	}
	if h.here[g.rank] {
		w.mu.Unlock()
		return g.error(c.op, time.Time{}, nil, errors.New("another operation of this rank is still running"))
	}
	h.here[g.rank], h.calls[g.rank] = true, c
	h.arrived++
	if h.arrived == h.size {
		h.complete()
		for r, wake := range h.wake {
			if r != g.rank {
				wake <- struct{}{}
			}
		}
		w.mu.Unlock()
		return nil
	}
	for r, err := range w.gone {
		if err != nil && !h.here[r] {
			w.fail(gone(r, err))
		}
	}
	w.mu.Unlock()
	return g.wait(ctx, c.op)
}

// complete checks the calls of all ranks, and prepares for the next operation. w.mu is held.
func (h *hub) complete() {
	h.failure = h.disagreement()
	h.arrived = 0
	clear(h.here)
	h.done.Store(int64(h.size))
	h.next = nil
	if h.failure == nil && h.calls[0].op == "Dup" {
		h.next = newHub(h.world, h.size)
	}
	if h.failure != nil {
		h.world.fail(h.failure)
	}
}

// wait returns when all ranks have arrived, or when they cannot.
func (g *group) wait(ctx context.Context, op string) error {
	h, w, start := g.hub, g.hub.world, time.Now()
	select {
	case <-h.wake[g.rank]:
		return nil
	case <-w.failed:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-h.wake[g.rank]: // the last one came at the same time: it counts on this rank
		return nil
	default:
	}
	var missing []int
	for r, here := range h.here {
		if !here {
			missing = append(missing, r)
		}
	}
	if w.err == nil {
		w.fail(fmt.Errorf("%s waited for %s: %w", op, dist.Ranks(missing), ctx.Err()))
		return g.error(op, start, missing, ctx.Err())
	}
	return g.error(op, start, missing, w.err)
}

// part returns when all ranks are done with each other's memory, which takes no longer than to copy it.
func (g *group) part() {
	h := g.hub
	if h.done.Add(-1) == 0 {
		clear(h.calls)
		for r, wake := range h.wake {
			if r != g.rank {
				wake <- struct{}{}
			}
		}
		return
	}
	<-h.wake[g.rank]
}

// disagreement returns what is wrong with the calls of all ranks.
func (h *hub) disagreement() error {
	first := &h.calls[0]
	for r := range h.calls {
		c := &h.calls[r]
		switch {
		case c.op != first.op:
			return fmt.Errorf("rank 0 calls %s, and rank %d %s", first.op, r, c.op)
		case c.root != first.root:
			return fmt.Errorf("rank 0 names rank %d as the root, and rank %d rank %d", first.root, r, c.root)
		case len(c.v32) != len(first.v32) || len(c.v64) != len(first.v64):
			return fmt.Errorf("rank 0 sums %d elements, and rank %d %d", len(first.v32)+len(first.v64), r, len(c.v32)+len(c.v64))
		case c.op == "Broadcast" && len(c.one) != len(first.one):
			return fmt.Errorf("rank 0 has %d bytes, and rank %d %d", len(first.one), r, len(c.one))
		}
	}
	for to := range h.calls {
		for from, recv := range h.calls[to].recv {
			if n := len(h.calls[from].sends(to)); n != len(recv) {
				return fmt.Errorf("rank %d sends %d bytes to rank %d, which expects %d", from, n, to, len(recv))
			}
		}
	}
	return nil
}

// sends returns what the call sends to a rank.
func (c *call) sends(to int) []byte {
	if c.op == "Gather" {
		return c.one
	}
	return c.send[to]
}

func (g *group) Exchange(ctx context.Context, send, recv [][]byte) error {
	n := g.hub.size
	wrong := cmp.Or(dist.CheckParts("send", send, n), dist.CheckParts("recv", recv, n))
	return g.do(ctx, call{op: "Exchange", send: send, recv: recv}, wrong, (*group).receive)
}

func (g *group) Gather(ctx context.Context, send []byte, recv [][]byte) error {
	wrong := dist.CheckParts("recv", recv, g.hub.size)
	return g.do(ctx, call{op: "Gather", one: send, recv: recv}, wrong, (*group).receive)
}

// receive copies what the others send to this rank.
func (g *group) receive() {
	for from, part := range g.hub.calls[g.rank].recv {
		sent := g.hub.calls[from].sends(g.rank)
		if unsafe.SliceData(part) != unsafe.SliceData(sent) { // else it is this rank's own, which others may be reading
			copy(part, sent)
		}
	}
}

func (g *group) Broadcast(ctx context.Context, buf []byte, root int) error {
	return g.do(ctx, call{op: "Broadcast", one: buf, root: root}, dist.CheckRoot(root, g.hub.size), (*group).hear)
}

// hear copies what the root has.
func (g *group) hear() {
	c := &g.hub.calls[g.rank]
	if g.rank != c.root {
		copy(c.one, g.hub.calls[c.root].one)
	}
}

func (g *group) Barrier(ctx context.Context) error {
	return g.do(ctx, call{op: "Barrier"}, nil, func(*group) {})
}

func (g *group) SumFloat32(ctx context.Context, v []float32) error {
	return g.do(ctx, call{op: "SumFloat32", v32: v}, nil, func(g *group) { sum(g, func(c *call) []float32 { return c.v32 }) })
}

func (g *group) SumFloat64(ctx context.Context, v []float64) error {
	return g.do(ctx, call{op: "SumFloat64", v64: v}, nil, func(g *group) { sum(g, func(c *call) []float64 { return c.v64 }) })
}

// sum writes the sum of this rank's piece to the vectors of all ranks.
func sum[T dist.Float](g *group, vector func(*call) []T) {
	calls := g.hub.calls
	n, size := len(vector(&calls[0])), len(calls)
	end := n * (g.rank + 1) / size
	var block [512]T
	for lo := n * g.rank / size; lo < end; lo += len(block) {
		total := block[:min(len(block), end-lo)]
		copy(total, vector(&calls[0])[lo:])
		for r := range calls[1:] {
			for i, x := range vector(&calls[r+1])[lo:][:len(total)] {
				total[i] += x
			}
		}
		for r := range calls {
			copy(vector(&calls[r])[lo:], total)
		}
	}
}

func (g *group) Dup(ctx context.Context) (dup dist.Group, err error) {
	err = g.do(ctx, call{op: "Dup"}, nil, func(g *group) { dup = &group{hub: g.hub.next, rank: g.rank} })
	return dup, err
}

func (g *group) Abort(err error) {
	w := g.hub.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(dist.Aborted(g.rank, err))
}

func (g *group) Close() error {
	if g.closed {
		return nil
	}
	g.closed = true
	if g.world {
		g.hub.world.leave(g.rank, nil)
	}
	return nil
}
