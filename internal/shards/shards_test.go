package shards_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Every example of a batch is in one shard, and shards differ by at most one example.
func TestPartsMakeUpTheBatch(t *testing.T) {
	for _, k := range []int{1, 2, 3, 7, 16} {
		team, err := shards.New(context.Background(), dist.Single(), k, shards.Options{})
		require.NoError(t, err)
		for n := range 40 {
			at := 0
			for s := range k {
				lo, hi := team.Part(s, n)
				require.Equal(t, at, lo)
				require.Contains(t, []int{n / k, (n + k - 1) / k}, hi-lo)
				at = hi
			}
			require.Equal(t, n, at)
		}
	}
}

// sums is a team's program: for a part x (N) of a batch, the sum over all shards of a = sum(x) and of b =
// sum(x*a), and from those a value of three megabytes and a scalar to collect.
type sums struct {
	team     *shards.Team
	program  *vm.Program
	machines map[int]*vm.Machine
}

func newSums(t *testing.T, ctx context.Context, g dist.Group, k int) *sums {
	t.Helper()
	team, err := shards.New(ctx, g, k, shards.Options{})
	require.NoError(t, err)
	gr := graph.New()
	b := team.Build(gr)
	x := gr.Input("x", shape.F32(shape.N))
	all := b.Sum(ops.Sum(x))
	second := b.Sum(ops.Sum(ops.Mul(x, all)))
	big := ops.Add(gr.Const(shape.F32(800_000), make([]float64, 800_000)), ops.Mul(ops.Sum(x), b.Share(x)))
	out := b.Collect([]*graph.Node{big, ops.Cast(ops.Sum(x), shape.Float64), second})
	require.NoError(t, gr.Err())
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{out, second})
	require.NoError(t, err)
	require.NoError(t, team.Prepare(out, second))
	return &sums{team, p, map[int]*vm.Machine{}}
}

func (s *sums) run(ctx context.Context, x []float32) error {
	return s.team.Run(ctx, len(x), func(ctx context.Context, shard int) error {
		m := s.machines[shard]
		if m == nil {
			var err error
			if m, err = s.program.NewMachine(vm.NewStore(1)); err != nil {
				return err
			}
			s.machines[shard] = m
		}
		lo, hi := s.team.Part(shard, len(x))
		args := map[string]*tensor.Dense{
			"x":              tensor.New(tensor.WithShape(hi-lo), tensor.WithBacking(x[lo:hi])),
			"shard":          tensor.New(tensor.FromScalar(int32(shard))),
			"shard.examples": tensor.New(tensor.FromScalar(float64(hi - lo))),
			"batch.examples": tensor.New(tensor.FromScalar(float64(len(x)))),
		}
		var in []*tensor.Dense
		for _, n := range s.program.Inputs() {
			in = append(in, args[n.Name()])
		}
		_, err := m.Run(ctx, in...)
		return err
	})
}

// Whole numbers have one sum, whatever the order.
func TestSumsOverShards(t *testing.T) {
	for _, c := range []struct{ ranks, k, n int }{{1, 1, 3}, {1, 4, 9}, {1, 4, 2}, {2, 2, 5}, {2, 6, 8}, {3, 6, 4}, {4, 8, 3}, {4, 4, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			x := make([]float32, c.n)
			var a float64
			for i := range x {
				x[i] = float32(i*i%7 + 1)
				a += float64(x[i])
			}
			require.NoError(t, local.Run(c.ranks, func(g dist.Group) error {
				s := newSums(t, t.Context(), g, c.k)
				for range 3 {
					if err := s.run(t.Context(), x); err != nil {
						return err
					}
					got := s.team.Sums()
					want := float32(0)
					for i := range c.k {
						lo, hi := s.team.Part(i, c.n)
						for _, v := range x[lo:hi] {
							want += v * float32(float64(hi-lo)/float64(c.n))
						}
					}
					require.InDelta(t, want, got[0].Float32s()[799_999], 1e-5*float64(want))
					require.Equal(t, a, got[1].Float64s()[0])
					active := min(c.k, c.n)
					require.Equal(t, float32(a*a)*float32(active), got[2].Float32s()[0])
				}
				return s.team.Close()
			}))
		})
	}
}

// An error of one shard ends the run, and those that wait for it do not hang.
func TestAShardThatFails(t *testing.T) {
	torn := errors.New("torn")
	for _, at := range []int{0, 1, 2} {
		team, err := shards.New(t.Context(), dist.Single(), 3, shards.Options{})
		require.NoError(t, err)
		err = team.Run(t.Context(), 3, func(_ context.Context, s int) error {
			if s == at {
				return torn
			}
			return nil
		})
		require.ErrorIs(t, err, torn)
	}
	s := newSums(t, t.Context(), dist.Single(), 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(torn)
	require.ErrorIs(t, s.run(ctx, []float32{1, 2, 3}), torn)
}

func TestAProgramOutsideOfARun(t *testing.T) {
	s := newSums(t, t.Context(), dist.Single(), 2)
	m, err := s.program.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	var in []*tensor.Dense
	for _, n := range s.program.Inputs() {
		switch n.Name() {
		case "x":
			in = append(in, tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2})))
		case "shard":
			in = append(in, tensor.New(tensor.FromScalar(int32(1))))
		default:
			in = append(in, tensor.New(tensor.FromScalar(float64(1))))
		}
	}
	_, err = m.Run(t.Context(), in...)
	require.ErrorContains(t, err, "shard 1 computes outside of Team.Run")
}
