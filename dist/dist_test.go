package dist_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/disttest"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/internal/allocs"
)

func TestAGroupOfOneConforms(t *testing.T) {
	require.NoError(t, disttest.Check(dist.Single(), disttest.Options{Seed: 1}))
}

func TestAGroupOfOneRefusesMistakes(t *testing.T) {
	ctx, g := context.Background(), dist.Single()
	var e *dist.Error
	require.ErrorAs(t, g.Exchange(ctx, make([][]byte, 2), make([][]byte, 1)), &e)
	require.Equal(t, "Exchange", e.Op)
	require.ErrorContains(t, g.Exchange(ctx, [][]byte{{1}}, [][]byte{{1, 2}}), "rank 0 sends 1 bytes to itself, and expects 2")
	require.ErrorContains(t, g.Broadcast(ctx, nil, 1), "root 1 is none of the ranks 0 to 0")
	var none context.Context
	require.ErrorIs(t, g.Barrier(none), dist.ErrNoContext)
	d, err := g.Dup(ctx)
	require.NoError(t, err)
	cause := errors.New("disk full")
	g.Abort(cause)
	require.ErrorIs(t, d.Barrier(ctx), cause)
	require.ErrorContains(t, g.Barrier(ctx), "rank 0 of 1: Barrier: rank 0 aborted: disk full")
	require.NoError(t, g.Close())
	require.ErrorIs(t, g.Barrier(ctx), dist.ErrClosed)
}

// The shards are the same on 1 to 12 ranks, and so are the bits of their sum.
func TestBitsDoNotDependOnTheNumberOfRanks(t *testing.T) {
	const number, n = 12, 1003
	rng := rand.New(rand.NewPCG(1, 2))
	shards := make([][]float32, number)
	for i := range shards {
		shards[i] = make([]float32, n)
		for j := range shards[i] {
			shards[i][j] = float32(rng.NormFloat64() * math.Pow(10, float64(rng.IntN(9)-4)))
		}
	}
	sumOn := func(ranks int) []float32 {
		sums := make([][]float32, ranks)
		require.NoError(t, local.Run(ranks, func(g dist.Group) error {
			each := number / ranks
			sums[g.Rank()] = make([]float32, n)
			return dist.SumShards(context.Background(), g, number, shards[g.Rank()*each:(g.Rank()+1)*each], sums[g.Rank()])
		}))
		for _, s := range sums {
			require.Equal(t, sums[0], s)
		}
		return sums[0]
	}
	want := sumOn(1)
	for _, ranks := range []int{2, 3, 4, 6, 12} {
		require.Equal(t, want, sumOn(ranks), "%d ranks", ranks)
	}
	naive := make([]float32, n)
	for _, s := range shards {
		for i, x := range s {
			naive[i] += x
		}
	}
	require.NotEqual(t, want, naive, "these numbers do not show the order of additions")
}

func TestAReducerRefusesMistakes(t *testing.T) {
	require.NoError(t, local.Run(2, func(g dist.Group) error {
		for _, c := range []struct {
			cfg  dist.ReducerConfig
			says string
		}{
			{dist.ReducerConfig{Shards: 3, Length: 1}, "dist: 3 shards cannot be shared equally by 2 ranks; want a multiple of 2"},
			{dist.ReducerConfig{Shards: -2, Length: 1}, "dist: -2 shards"},
			{dist.ReducerConfig{Shards: 1 << 30, Length: 1}, "want 1 to 1048576"},
			{dist.ReducerConfig{Length: -1}, "dist: a sum of -1 elements"},
			{dist.ReducerConfig{Wire: 3}, "dist: wire(3) is none of exact, bfloat16 and library"},
			{dist.ReducerConfig{Wire: dist.BFloat16}, "dist: sums of float64 do not travel as bfloat16"},
		} {
			_, err := dist.NewReducer[float64](g, c.cfg)
			require.ErrorContains(t, err, c.says)
		}
		r, err := dist.NewReducer[float64](g, dist.ReducerConfig{Shards: 4, Length: 3})
		require.NoError(t, err)
		ctx := context.Background()
		require.NoError(t, r.Add([]float64{1, 2}))
		require.ErrorContains(t, r.Add([]float64{1, 2}), "dist: 2 elements for a shard of 3 that lacks 1")
		require.ErrorContains(t, r.Finish(ctx, make([]float64, 3)), "has added 0 of its 2 shards")
		require.NoError(t, r.Add([]float64{3}))
		require.ErrorContains(t, r.Finish(ctx, make([]float64, 3)), "has added 1 of its 2 shards")
		require.NoError(t, r.Add([]float64{1, 2, 3}))
		require.ErrorContains(t, r.Add([]float64{1}), "Finish comes next")
		require.ErrorContains(t, r.Finish(ctx, make([]float64, 4)), "dist: 4 elements for a sum of 3")
		sum := make([]float64, 3)
		require.NoError(t, r.Finish(ctx, sum))
		require.Equal(t, []float64{4, 8, 12}, sum)
		return nil
	}))
}

func TestASumAllocatesNothing(t *testing.T) {
	for _, wire := range []dist.Wire{dist.Exact, dist.BFloat16, dist.Library} {
		t.Run(wire.String(), func(t *testing.T) {
			require.NoError(t, local.Run(2, func(g dist.Group) error {
				r, err := dist.NewReducer[float32](g, dist.ReducerConfig{Shards: 6, Length: 1000, Wire: wire})
				require.NoError(t, err)
				v := make([]float32, 1000)
				ctx := context.Background()
				step := func() error {
					for range 3 {
						if err := r.Add(v); err != nil {
							return err
						}
					}
					return r.Finish(ctx, v)
				}
				if g.Rank() == 0 {
					require.NoError(t, step())
					require.Zero(t, allocs.PerRun(20, func() { _ = step() }))
					return step()
				}
				for step() == nil { // until rank 0 has ended
				}
				return nil
			}))
		})
	}
}

// Of rounded sums every rank has the same, in each piece.
func TestARoundedTotalIsThatOfAllRanks(t *testing.T) {
	const n = 100
	for _, ranks := range []int{1, 2, 4} {
		require.NoError(t, local.Run(ranks, func(g dist.Group) error {
			shards, sum := [][]float32{}, make([]float32, n)
			for s := g.Rank() * 4 / ranks; s < (g.Rank()+1)*4/ranks; s++ {
				shard := make([]float32, n)
				for i := range shard {
					shard[i] = float32(i + s) // small integers, of which a bfloat16 has each sum up to 256
				}
				shards = append(shards, shard)
			}
			r, err := dist.NewReducer[float32](g, dist.ReducerConfig{Shards: 4, Length: n, Wire: dist.BFloat16})
			require.NoError(t, err)
			for _, shard := range shards {
				require.NoError(t, r.Add(shard))
			}
			require.NoError(t, r.Finish(context.Background(), sum))
			for i, v := range sum[:60] {
				require.Equal(t, float32(4*i+6), v, "element %d, %d ranks", i, ranks)
			}
			return nil
		}))
	}
}

// A group of one sends itself as much as it expects.
func TestLengthsOfAGroupOfOne(t *testing.T) {
	g, ctx := dist.Single(), context.Background()
	for _, n := range []int{2, 4} {
		require.ErrorContains(t, g.Gather(ctx, make([]byte, 3), [][]byte{make([]byte, n)}), fmt.Sprintf("rank 0 sends 3 bytes to itself, and expects %d", n))
		require.ErrorContains(t, g.Exchange(ctx, [][]byte{make([]byte, 3)}, [][]byte{make([]byte, n)}), fmt.Sprintf("rank 0 sends 3 bytes to itself, and expects %d", n))
	}
}

func TestARoundedTotalIsTheNearestBFloat16(t *testing.T) {
	r, err := dist.NewReducer[float32](dist.Single(), dist.ReducerConfig{Length: 1, Wire: dist.BFloat16})
	require.NoError(t, err)
	nearest := func(x float32) float32 { // by definition: the nearer of its neighbours, the even one of a tie
		below := math.Float32frombits(math.Float32bits(x) &^ 0xffff)
		above := math.Float32frombits(math.Float32bits(below) + 0x10000)
		a, b := math.Abs(float64(x)-float64(below)), math.Abs(float64(above)-float64(x))
		if a < b || a == b && math.Float32bits(below)&0x10000 == 0 {
			return below
		}
		return above
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		bits := rng.Uint32()
		if rng.IntN(3) == 0 {
			bits = bits&^0xffff | 0x8000 // a tie
		}
		x := math.Float32frombits(bits)
		if math.Abs(float64(x)) > 3e38 || math.Abs(float64(x)) < 1e-37 || x != x {
			continue
		}
		v := []float32{0}
		require.NoError(t, r.Add([]float32{x}))
		require.NoError(t, r.Finish(context.Background(), v))
		require.Equal(t, nearest(x), v[0], "%x", bits)
	}
	for _, x := range []float32{float32(math.Inf(1)), float32(math.Inf(-1)), 0, math.Float32frombits(0x7f80_0001)} {
		v := []float32{0}
		require.NoError(t, r.Add([]float32{x}))
		require.NoError(t, r.Finish(context.Background(), v))
		require.True(t, v[0] == x || v[0] != v[0] && x != x, "%v becomes %v", x, v[0])
	}
}

func TestAnErrorSaysWhatIsKnown(t *testing.T) {
	e := &dist.Error{Op: "Exchange", Rank: 1, Size: 4, Waited: 1500 * time.Millisecond, Missing: []int{0, 3}, Err: context.DeadlineExceeded}
	require.EqualError(t, e, "rank 1 of 4: Exchange waited 1.5s for ranks 0, 3: context deadline exceeded")
	require.ErrorIs(t, e, context.DeadlineExceeded)
	require.EqualError(t, &dist.Error{Op: "Sum", Size: 2, Missing: []int{1}}, "rank 0 of 2: Sum: rank 1 missing")
	require.Equal(t, "no rank", dist.Ranks(nil))
	require.Equal(t, "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 2 more", dist.Ranks([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}))
}

func TestWhatRanksMustAgreeOnIsBounded(t *testing.T) {
	require.NoError(t, local.Run(2, func(g dist.Group) error {
		_, err := dist.Collect(context.Background(), g, make([]byte, 60*g.Rank()), 50)
		require.ErrorContains(t, err, "the ranks send more than 50 bytes")
		err = dist.Agree(context.Background(), g, dist.Fact{Name: "flags", Value: strings.Repeat("x", 100+g.Rank())})
		require.ErrorContains(t, err, "ranks 0 and 1 differ in flags")
		require.Less(t, len(err.Error()), 300)
		facts := []dist.Fact{{Name: "a"}, {Name: "b"}}
		err = dist.Agree(context.Background(), g, facts[g.Rank():]...)
		require.ErrorContains(t, err, `differ in what they compare: "a" and "b"`)
		return nil
	}))
}

func TestADocumentedSum(t *testing.T) {
	ctx, group, loss := context.Background(), dist.Single(), 2.5
	mean := []float64{loss}
	err := dist.Sum(ctx, group, mean)
	mean[0] /= float64(group.Size())
	require.NoError(t, err)
	require.Equal(t, 2.5, mean[0])

	shards, sum := [][]float32{{1, 2}}, make([]float32, 2)
	reducer, err := dist.NewReducer[float32](group, dist.ReducerConfig{Length: 2})
	require.NoError(t, err)
	for _, shard := range shards {
		require.NoError(t, reducer.Add(shard))
	}
	require.NoError(t, reducer.Finish(ctx, sum))
	require.Equal(t, shards[0], sum)
}
