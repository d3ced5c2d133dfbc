package ops_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A Joiner whose other parts are copies of this one leaves the moments, and doubles the sums and the
// number of values: results and gradients are those of the part alone, for a loss that is half of it.
func TestBatchNormOverEqualParts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, dims := range [][]shape.Dim{{7, 3}, {4, 5, 6}, {3, 2, 5, 4}, {2, 17, 3, 3}, {2, 3, 2, 3, 2}, {1, 1}} {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			build := func(j *ops.Joiner) []*graph.Node {
				g := graph.New()
				x := g.Input("x", shape.F64(dims...))
				gamma, beta := g.Input("gamma", shape.F64(dims[1])), g.Input("beta", shape.F64(dims[1]))
				mean, variance := g.State("mean", shape.F64(dims[1]), nil), g.State("variance", shape.F64(dims[1]), nil)
				var y *graph.Node
				ops.JoinMoments(g, j, func() { y = ops.BatchNorm(x, gamma, beta, mean, variance, ops.BatchNormOptions{}) })
				loss := ops.Mean(ops.Mul(ops.Sin(y), x))
				require.NoError(t, g.Err())
				return append([]*graph.Node{y}, autodiff.Grad(loss, x, gamma, beta)...)
			}
			double := &ops.Joiner{
				Name: "two",
				Moments: func(m ops.Moments) ops.Moments {
					return ops.Moments{Mean: m.Mean, Variance: m.Variance, Count: ops.MulScalar(m.Count, 2)}
				},
				Count: func(n *graph.Node) *graph.Node { return ops.MulScalar(n, 2) },
				Sum:   func(x *graph.Node) *graph.Node { return ops.MulScalar(x, 2) },
			}
			args := []*tensor.Dense{random64(r, dims...), random64(r, dims[1]), random64(r, dims[1])}
			run := func(outs []*graph.Node) (all [][]float64) {
				p, err := vm.Compile(e, outs)
				require.NoError(t, err)
				m, err := p.NewMachine(vm.NewStore(1))
				require.NoError(t, err)
				values, err := m.Run(t.Context(), args...)
				require.NoError(t, err)
				for _, v := range values {
					all = append(all, append([]float64(nil), v.Float64s()...))
				}
				return all
			}
			want, have := run(build(nil)), run(build(double))
			for i := range want {
				for k := range want[i] {
					require.InDelta(t, want[i][k], have[i][k], 1e-9*(1+math.Abs(want[i][k])), "%v, result %d", dims, i)
				}
			}
		}
	}
}

func random64(r *rand.Rand, dims ...shape.Dim) *tensor.Dense {
	s := shape.Of(dims...).Ints()
	v := make([]float64, shape.Of(dims...).Len())
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(v))
}
