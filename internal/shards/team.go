package shards

import (
	"context"
	"fmt"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// A Team computes the shards that one rank owns.
type Team struct {
	group   dist.Group // for sums that shards wait for
	traffic dist.Group // for buckets
	k       int
	lo, hi  int // the own shards
	options Options

	buckets   []*bucket
	collected []place // of each collected value
	sums      []*sum  // by their order in the program
	all       []member

	// During a run:
	ctx     context.Context
	cancel  context.CancelCauseFunc
	members []*member // the shards that compute, in turn
	at      int       // the next of sums
}

// Options are options of a [Team].
type Options struct {
	// Wire is how gradients travel between ranks; see [dist.Wire].
	Wire dist.Wire
	// Timeout is how long an operation of the group may wait for other ranks, which also compute in the
	// meantime; 0 is forever.
	Timeout time.Duration
}

// New returns the Team of a rank of g that computes batches in k shards, a multiple of the number of
// ranks. It may duplicate g; Close frees that.
func New(ctx context.Context, g dist.Group, k int, o Options) (*Team, error) {
	if k < 1 || k%g.Size() != 0 {
		return nil, fmt.Errorf("%d shards on %d ranks; want a multiple of the number of ranks", k, g.Size())
	}
	traffic, err := g.Dup(ctx)
	if err != nil {
		return nil, err
	}
	each := k / g.Size()
	t := &Team{group: g, traffic: traffic, k: k, lo: g.Rank() * each, hi: (g.Rank() + 1) * each, options: o, all: make([]member, each)}
	for i := range t.all {
		t.all[i] = member{shard: t.lo + i, turn: make(chan struct{}, 1)}
	}
	return t, nil
}

// Close frees what the Team made of its group.
func (t *Team) Close() error { return t.traffic.Close() }

// String returns the number of shards, as in "4 shards": the same on every rank.
func (t *Team) String() string { return fmt.Sprintf("%d shards", t.k) }

// Shards returns the number of shards, and the range of those that this rank owns.
func (t *Team) Shards() (k, lo, hi int) { return t.k, t.lo, t.hi }

// Part returns the range of the examples of shard s in a batch of n. The first n%K shards have one
// example more than the others; in a small batch the last shards have none.
func (t *Team) Part(s, n int) (lo, hi int) {
	return s*(n/t.k) + min(s, n%t.k), (s+1)*(n/t.k) + min(s+1, n%t.k)
}

// Own returns the range of the examples of this rank in a batch of n.
func (t *Team) Own(n int) (lo, hi int) {
	lo, _ = t.Part(t.lo, n)
	_, hi = t.Part(t.hi-1, n)
	return lo, hi
}

// A place is where a collected value lies.
type place struct {
	typ        shape.Type
	bucket, at int // at: in elements
}

// bucket is a number of values that are added up together. The inputs of its collectOp are they.
type bucket struct {
	*sum
	full chan struct{} // has room for one; this rank's shards are there
}

// A sum adds up vectors over all shards.
type sum struct {
	add    func(part engine.Buffer) error // of the next shard; it may come in parts
	finish func(ctx context.Context) error
	result engine.Buffer
	zeros  engine.Buffer
}

// newSum returns a sum of n numbers of type d over the shards of g.
func (t *Team) newSum(g dist.Group, d shape.DType, n int, wire dist.Wire) (*sum, error) {
	c := dist.ReducerConfig{Shards: t.k, Length: n, Wire: wire}
	if d == shape.Float64 {
		if c.Wire == dist.BFloat16 {
			c.Wire = dist.Exact
		}
		return sumOf[float64](t, g, d, c)
	}
	return sumOf[float32](t, g, d, c)
}

func sumOf[T float32 | float64](t *Team, g dist.Group, d shape.DType, c dist.ReducerConfig) (*sum, error) {
	r, err := dist.NewReducer[T](g, c)
	if err != nil {
		return nil, err
	}
	s := &sum{result: memory(d, c.Length), zeros: memory(d, c.Length)}
	dst := engine.Slice[T](s.result)
	s.add = func(part engine.Buffer) error { return r.Add(engine.Slice[T](part)) }
	s.finish = func(ctx context.Context) error {
		if t.options.Timeout > 0 && g.Size() > 1 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, t.options.Timeout)
			defer cancel()
		}
		return r.Finish(ctx, dst)
	}
	return s, nil
}

func memory(d shape.DType, n int) engine.Buffer {
	return engine.HostRegion(engine.Aligned(n*d.Width())).At(0, d, n)
}

// addZeros adds nothing for n shards.
func (s *sum) addZeros(n int) error {
	for range n {
		if err := s.add(s.zeros); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a bucket of the first values in order, and returns their number.
func (t *Team) fill(order []int, values []*graph.Node) (n int, err error) {
	size, d := 0, values[order[0]].Type().DType
	for _, i := range order {
		typ := values[i].Type()
		if typ.DType != d || size*d.Width() >= maxBucket {
			break
		}
		t.collected[i] = place{typ, len(t.buckets), size}
		size += typ.Len()
		n++
	}
	s, err := t.newSum(t.traffic, d, size, t.options.Wire)
	if err != nil {
		return 0, err
	}
	t.buckets = append(t.buckets, &bucket{s, make(chan struct{}, 1)})
	return n, nil
}

// Prepare prepares the Team for a program that computes outs, of a graph for which Collect was called.
// It must be called before the first run.
func (t *Team) Prepare(outs ...*graph.Node) error {
	t.sums = nil
	for _, n := range graph.Reachable(outs...) {
		op, ok := n.Op().(sumOp)
		if !ok || op.Team != t {
			continue
		}
		s, err := t.newSum(t.group, n.Type().DType, n.Type().Len(), dist.Exact)
		if err != nil {
			return err
		}
		t.sums = append(t.sums, s)
	}
	return nil
}

// Sums returns the sums of the collected values, in their order. Each run changes them.
func (t *Team) Sums() []*tensor.Dense {
	out := make([]*tensor.Dense, len(t.collected))
	for i, p := range t.collected {
		out[i] = engine.DenseOf(p.typ.Shape, t.buckets[p.bucket].result.At(p.at*p.typ.Width(), p.typ.DType, p.typ.Len()))
	}
	return out
}

// Bytes returns the memory of the sums: what a Team needs besides its programs.
func (t *Team) Bytes() (n int) {
	for _, b := range t.buckets {
		n += 3 * b.result.Size()
	}
	return n
}
