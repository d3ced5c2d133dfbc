package shards

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// The names of the Inputs that a [Builder] adds.
const (
	shardName = "shard"
	partName  = "shard.examples"
	wholeName = "batch.examples"
)

// A Builder adds to a graph what a shard has to do with the whole batch. There is one for a graph.
type Builder struct {
	Shard *graph.Node // an Input, Int32(): the number of the shard, from 0
	Part  *graph.Node // an Input, Float64(): the number of examples in the shard
	Whole *graph.Node // an Input, Float64(): the number of examples in the batch

	team  *Team
	after *graph.Node // the last sum: all shards compute sums in one order
}

// Build returns the Builder of a graph, and adds its Inputs.
func (t *Team) Build(g *graph.Graph) *Builder {
	return g.Memo(builderKey{t}, func() any {
		shard := g.Input(shardName, shape.I32())
		return &Builder{
			Shard: shard, after: shard, team: t,
			Part: g.Input(partName, shape.F64()), Whole: g.Input(wholeName, shape.F64()),
		}
	}).(*Builder)
}

type builderKey struct{ *Team }

// Share returns the part of the batch that the shard is, as a scalar of the type of like.
func (b *Builder) Share(like *graph.Node) *graph.Node {
	return b.as(like, ops.Div(b.Part, b.Whole))
}

func (b *Builder) as(like, n *graph.Node) *graph.Node {
	if n.Type().DType == like.Type().DType {
		return n
	}
	return ops.Cast(n, like.Type().DType)
}

// Sum returns the sum of x over all shards. Its gradient is the sum of the gradients. Shards without
// examples count as zeros.
func (b *Builder) Sum(x *graph.Node) *graph.Node {
	s := graph.Apply(sumOp{b.team}, x, b.Shard, b.after)
	if s.Valid() {
		b.after = s
	}
	return s
}

// Joiner joins the moments of all shards. There is one for a Builder.
func (b *Builder) Joiner() *ops.Joiner {
	return &ops.Joiner{Name: b.team.String(), Moments: b.moments, Count: b.count, Sum: b.Sum}
}

// moments returns the moments of all shards. With m_s, v_s and the share w_s of
// shard s, the mean is that of w_s*m_s, and the variance that of w_s*(v_s + (m_s-mean)^2).
func (b *Builder) moments(m ops.Moments) ops.Moments {
	w := b.Share(m.Mean)
	mean := b.Sum(ops.Mul(m.Mean, w))
	variance := b.Sum(ops.Mul(ops.Add(m.Variance, ops.Square(ops.Sub(m.Mean, mean))), w))
	return ops.Moments{Mean: mean, Variance: variance, Count: b.count(m.Count)}
}

// count returns the number of values in the whole batch, given that in the shard.
func (b *Builder) count(n *graph.Node) *graph.Node {
	return b.as(n, ops.Mul(ops.Div(b.as(b.Part, n), b.Part), b.Whole))
}

// rands returns the state of the random generator for a shard, given that of the batch: each shard
// has a seed of its own.
func rands(rng, shard *graph.Node) *graph.Node {
	apart := rng.Graph().Const(rng.Type(), []float64{1 << 53, 0}) // seeds are below
	return ops.Add(rng, ops.Mul(ops.Cast(shard, shape.Int64), apart))
}

// sumOp adds its first input over all shards. The second one is the number of the shard, and the third
// what must be computed before.
type sumOp struct{ Team *Team }

func (sumOp) Name() string { return "SumOverShards" }

func (sumOp) Infer(in []shape.Type) (t shape.Type, err error) {
	switch {
	case len(in) != 3 || in[1] != shape.I32():
		return t, errors.New("want a value, the number of the shard, and a value before")
	case !in[0].IsFloat() || !in[0].Shape.Concrete():
		return t, fmt.Errorf("want floating-point numbers, as many in each shard, have %v", in[0])
	}
	return in[0], nil
}

// Grad implements autodiff's Differentiable.
func (op sumOp) Grad(n, dy *graph.Node) []*graph.Node {
	return []*graph.Node{op.Team.Build(n.Graph()).Sum(dy), nil, nil}
}

// maxBucket is the size in bytes of a bucket that takes no further value.
const maxBucket = 4 << 20

// Transform rebuilds roots of g in a new graph, where updates follow each other as in a program, and
// each shard has random numbers of its own; see [graph.Transform]. Shard must be among the roots.
func (b *Builder) Transform(g *graph.Graph, roots []*graph.Node) []*graph.Node {
	inTurn, rng := graph.InTurn(g.Updates()), g.Leaf("rng")
	var shard *graph.Node
	return graph.Transform(roots, func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		y := inTurn(dst, n, in)
		switch {
		case n == b.Shard:
			shard = y
		case n == rng && rng.Kind() == graph.State && rng.Type() == shape.I64(2):
			return rands(y, shard)
		}
		return y
	})
}

// Moved returns the Builder of the graph to which Shard, Part and Whole were moved.
func (b *Builder) Moved(shard, part, whole *graph.Node) *Builder {
	return &Builder{Shard: shard, Part: part, Whole: whole, team: b.team, after: shard}
}

// Collect adds values, of which each shard has one of the same type, over all shards. It returns the
// node that a program has to compute for that. [Team.Sums] are the sums, once all shards are computed.
// Values are put into buckets in the order in which they were made: that in which a backward pass
// computes them.
func (b *Builder) Collect(values []*graph.Node) *graph.Node {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[i].ID(), values[j].ID()) })
	b.team.collected = make([]place, len(values))
	last := b.Shard
	for len(order) > 0 {
		n, err := b.team.fill(order, values)
		if err != nil {
			return b.Shard.Graph().Reject("Collect", err, values...)
		}
		in := []*graph.Node{b.Shard, last}
		for _, i := range order[:n] {
			in = append(in, values[i])
		}
		last = graph.Apply(collectOp{b.team, len(b.team.buckets) - 1}, in...)
		order = order[n:]
	}
	return last
}

// collectOp gives its inputs, behind the number of the shard and the bucket before, to a bucket.
type collectOp struct {
	Team   *Team
	Bucket int
}

func (collectOp) Name() string { return "Collect" }

func (op collectOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if len(in) < 3 || in[0] != shape.I32() || in[1] != shape.I32() {
		return t, errors.New("want the number of the shard, the bucket before, and values")
	}
	for _, v := range in[2:] {
		if v.DType != in[2].DType || !v.IsFloat() || !v.Shape.Concrete() {
			return t, fmt.Errorf("want floating-point numbers of one type, as many in each shard, have %v", v)
		}
	}
	return shape.I32(), nil
}
