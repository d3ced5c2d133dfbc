package vm_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// wide are training steps with n of something. Each adds to g what it computes from x (N,8), and
// returns the outputs, of which the first is the loss.
var wide = map[string]func(g *graph.Graph, x *graph.Node, n int) []*graph.Node{
	"many layers": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		for i := range n {
			x = ops.Softmax(ops.MatMul(x, g.Param(fmt.Sprint("w", i), shape.F32(8, 8), nil)), 1)
		}
		return []*graph.Node{ops.Mean(x)}
	},
	"a weight that all steps share": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		w := ops.Tanh(g.Param("w", shape.F32(8), nil))
		for range n {
			x = ops.Softmax(ops.Mul(x, w), 1)
		}
		return []*graph.Node{ops.Mean(x)}
	},
	"many parts put together, each read elsewhere": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		w := g.Param("w", shape.F32(8, 8), nil)
		parts := make([]*graph.Node, n)
		for i := range parts {
			parts[i] = ops.MatMul(ops.MulScalar(x, float64(i+1)), w)
		}
		y := parts[0]
		for _, part := range parts[1:] {
			y = ops.Softmax(ops.Add(y, part), 1)
		}
		return []*graph.Node{ops.Add(ops.Mean(ops.Concat(1, parts...)), ops.Mean(y))}
	},
	"many products put together": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		parts := make([]*graph.Node, n)
		for i := range parts {
			parts[i] = ops.MatMul(x, g.Param(fmt.Sprint("w", i), shape.F32(8, 2), nil))
		}
		return []*graph.Node{ops.Mean(ops.Concat(1, parts...))}
	},
	"many outputs": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		outs := make([]*graph.Node, n)
		for i := range outs {
			outs[i] = ops.Mean(ops.Tanh(ops.Mul(x, g.Param(fmt.Sprint("w", i), shape.F32(8), nil))))
		}
		loss := outs[0]
		for _, o := range outs[1:] {
			loss = ops.Add(loss, o)
		}
		return append([]*graph.Node{loss}, outs...)
	},
	"many random masks": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		x = ops.Mul(x, g.Param("w", shape.F32(8), nil))
		for range n {
			x = ops.Dropout(x, .5)
		}
		return []*graph.Node{ops.Mean(x)}
	},
	"many uses of one statistic": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		s := g.State("mean", shape.F32(8), nil)
		x = ops.Mul(x, g.Param("w", shape.F32(8), nil))
		for range n {
			x = ops.Softmax(x, 1)
			g.Follow(s, x, func(old *graph.Node) *graph.Node { return ops.Add(ops.MulScalar(old, .9), ops.Mean(x, 0)) })
		}
		return []*graph.Node{ops.Mean(x)}
	},
	"a line of states, each the one before a step later": func(g *graph.Graph, x *graph.Node, n int) []*graph.Node {
		states := make([]*graph.Node, n)
		for i := range states {
			states[i] = g.State(fmt.Sprint("s", i), shape.F32(8), nil)
		}
		g.Update(states[0], ops.Mean(x, 0))
		for i, s := range states[1:] {
			g.Update(s, ops.Tanh(states[i]))
		}
		return []*graph.Node{ops.Mean(ops.Mul(states[n-1], g.Param("w", shape.F32(8), nil)))}
	},
}

// wideStep is the whole graph, with an optimiser.
func wideStep(n int, f func(g *graph.Graph, x *graph.Node, n int) []*graph.Node) []*graph.Node {
	g := graph.New()
	outs := f(g, g.Input("x", shape.F32(shape.N, 8)), n)
	rule := optim.Recipe{Name: "sgd", Rule: optim.SGD{LR: .1}}
	rule.Apply(g, autodiff.Grad(outs[0], rule.Params(g)...))
	return outs
}

// Four times as much of something takes at most five times the memory to make a graph of, to
// differentiate, to compile and to specialise: what is quadratic in it mostly shows there.
func TestCompilingIsLinearInTheSizeOfTheGraph(t *testing.T) {
	allocated := func(t *testing.T, f func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	for name, f := range wide {
		t.Run(name, func(t *testing.T) {
			made := func(n int) (bytes int) {
				return allocated(t, func() {
					p, err := vm.Compile(cpu.New(), wideStep(n, f), vm.TrainBy("sgd"))
					require.NoError(t, err)
					_, err = p.Memory(4)
					require.NoError(t, err)
				})
			}
			made(50) // what is made once
			short, long := made(400), made(1600)
			require.LessOrEqual(t, long, 5*short, "bytes: %d, %d", short, long)
		})
	}
}

// BenchmarkWide is the time of all that comes before the first run: over n it is to stay the same.
func BenchmarkWide(b *testing.B) {
	for name, f := range wide {
		for _, n := range []int{1000, 4000} {
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					p, err := vm.Compile(cpu.New(), wideStep(n, f), vm.TrainBy("sgd"))
					require.NoError(b, err)
					_, err = p.Memory(4)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/each")
			})
		}
	}
}
