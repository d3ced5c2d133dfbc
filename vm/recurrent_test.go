package vm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// sequences are computations of x (N,T,4) that cut it in parts, as many as there are steps.
var sequences = map[string]func(x *graph.Node) *graph.Node{
	"LSTM": func(x *graph.Node) *graph.Node {
		all, _, _ := ops.LSTM(x, start(x), start(x), recurrence(x, 4))
		return all
	},
	"GRU": func(x *graph.Node) *graph.Node {
		all, _ := ops.GRU(x, start(x), recurrence(x, 3))
		return all
	},
	"a loop over slices": loop(func(x *graph.Node, t int) *graph.Node {
		return ops.Squeeze(ops.Slice(x, ops.Whole(), ops.Range{Start: t, Stop: t + 1}), 1)
	}),
	"a loop over slices of a view": loop(func(x *graph.Node, t int) *graph.Node {
		return ops.Squeeze(ops.Slice(ops.Transpose(x, 1, 0, 2), ops.Range{Start: t, Stop: t + 1}), 0)
	}),
	"a loop over slices of another shape": loop(func(x *graph.Node, t int) *graph.Node {
		return ops.Slice(ops.Flatten(x), ops.Whole(), ops.Range{Start: 4 * t, Stop: 4*t + 4})
	}),
	"a loop over windows": func(x *graph.Node) *graph.Node {
		var all []*graph.Node
		for t := range x.Type().Int(1) - 2 {
			window := ops.Slice(x, ops.Whole(), ops.Range{Start: t, Stop: t + 3})
			all = append(all, ops.SumKeep(ops.Tanh(window), 1))
		}
		return ops.Concat(1, all...)
	},
	"a loop by index": loop(func(x *graph.Node, t int) *graph.Node {
		return ops.Gather(x, 1, x.Graph().Const(shape.I32(), []float64{float64(t)}))
	}),
	"a gradient of a loop": func(x *graph.Node) *graph.Node {
		y := loop(func(x *graph.Node, t int) *graph.Node {
			return ops.Squeeze(ops.Slice(x, ops.Whole(), ops.Range{Start: t, Stop: t + 1}), 1)
		})(x)
		return autodiff.Grad(ops.Sum(y), x)[0]
	},
	"halves of halves": func(x *graph.Node) *graph.Node {
		var halve func(x *graph.Node) *graph.Node
		halve = func(x *graph.Node) *graph.Node {
			n := x.Type().Int(1)
			if n == 1 {
				return ops.Tanh(x)
			}
			return ops.Add(halve(ops.Slice(x, ops.Whole(), ops.Range{Stop: n / 2})), halve(ops.Slice(x, ops.Whole(), ops.Range{Start: n / 2, Stop: n})))
		}
		return halve(x)
	},
	"adaptive means of uneven windows": func(x *graph.Node) *graph.Node {
		return ops.AdaptiveAvgPool1D(ops.Transpose(x, 0, 2, 1), x.Type().Int(1)*2/3+1)
	},
	"adaptive maxima of uneven windows": func(x *graph.Node) *graph.Node {
		return ops.AdaptiveMaxPool1D(ops.Transpose(x, 0, 2, 1), x.Type().Int(1)*2/3+1)
	},
	"a product": func(x *graph.Node) *graph.Node { return ops.Prod(x, 1) },
}

func loop(part func(x *graph.Node, t int) *graph.Node) func(x *graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node {
		h := start(x)
		for t := range x.Type().Int(1) {
			h = ops.Tanh(ops.Add(h, part(x, t)))
		}
		return h
	}
}

// start is a state (N,4) of zeros.
func start(x *graph.Node) *graph.Node { return ops.MulScalar(ops.Sum(x, 1), 0) }

func recurrence(x *graph.Node, gates shape.Dim) ops.Recurrence {
	of := func(name string, dims ...shape.Dim) *graph.Node {
		return x.Graph().Param(name, shape.Make(x.Type().DType, dims...), spread(len(name)))
	}
	return ops.Recurrence{WeightIH: of("ih", gates*4, 4), WeightHH: of("hh", gates*4, 4), BiasIH: of("bi", gates*4), BiasHH: of("bh", gates*4)}
}

// sequenceStep is a training step, whose gradient goes to the input too.
func sequenceStep(steps int, f func(x *graph.Node) *graph.Node) []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, shape.Dim(steps), 4))
	w := g.Param("w", shape.F64(4), graph.Fill(1.5))
	h := ops.Mul(x, w)
	loss := ops.Mean(ops.Square(f(h)))
	by := append(g.Params(), h)
	dxs := autodiff.Grad(loss, by...)
	for i, p := range g.Params() {
		g.Update(p, ops.Sub(p, ops.MulScalar(dxs[i], .1)))
	}
	return []*graph.Node{loss, dxs[len(dxs)-1]}
}

// Four times as many steps take at most five times as much: of memory, of instructions, and of what
// these read and write.
func TestATrainingStepIsLinearInTheLengthOfASequence(t *testing.T) {
	type size struct{ arena, instrs, moved int }
	of := func(t *testing.T, steps int, f func(x *graph.Node) *graph.Node) (s size) {
		p, err := vm.Compile(ref.Engine{}, sequenceStep(steps, f), vm.Train)
		require.NoError(t, err)
		m, err := p.Memory(2)
		require.NoError(t, err)
		list, err := p.Describe(2)
		require.NoError(t, err)
		moved, err := vm.Moved(p, 2)
		require.NoError(t, err)
		return size{m.Arena, len(list), moved}
	}
	for name, f := range sequences {
		t.Run(name, func(t *testing.T) {
			short, long := of(t, 64, f), of(t, 256, f)
			require.LessOrEqual(t, long.arena, 5*short.arena, "bytes of the arena: %v, %v", short, long)
			require.LessOrEqual(t, long.instrs, 5*short.instrs, "instructions: %v, %v", short, long)
			require.LessOrEqual(t, long.moved, 5*short.moved, "bytes read and written: %v, %v", short, long)
		})
	}
}

// A recurrent layer is as many nodes and instructions for any number of steps, with its gradient.
func TestARecurrentLayerIsAsManyNodesForAnyNumberOfSteps(t *testing.T) {
	for _, name := range []string{"LSTM", "GRU"} {
		size := func(steps int) [2]int {
			outs := sequenceStep(steps, sequences[name])
			p, err := vm.Compile(ref.Engine{}, outs, vm.Train)
			require.NoError(t, err)
			list, err := p.Describe(2)
			require.NoError(t, err)
			return [2]int{len(outs[0].Graph().Nodes()), len(list)}
		}
		require.Equal(t, size(2), size(500), name)
		require.Less(t, size(500)[1], 60, name)
	}
}

// The adjoint of what is cut in parts is, element by element, the one of zeros with the parts in
// them.
func TestAdjointsOfPartsAreTheSumsOfTheirEmbeddings(t *testing.T) {
	for name, f := range sequences {
		t.Run(name, func(t *testing.T) {
			run := func(opts ...vm.Option) (got [][]float64) {
				p, err := vm.Compile(newSharingEngine(), sequenceStep(9, f), append(opts, vm.Train, vm.Checked)...)
				require.NoError(t, err)
				m, err := p.NewMachine(vm.NewStore(1))
				require.NoError(t, err)
				for range 2 {
					out, err := m.Run(t.Context(), feedOf(shape.F64(3, 9, 4), 1))
					require.NoError(t, err)
					got = append(got, numbers(out[0]), numbers(out[1]))
				}
				return got
			}
			require.Equal(t, run(vm.Without("absorb", "simplify", "inplace", "group")), run())
		})
	}
}

// BenchmarkSequence is a training step of an LSTM: its time over the steps is to stay the same.
func BenchmarkSequence(b *testing.B) {
	for _, steps := range []int{100, 200, 400, 800, 1600} {
		outs := sequenceStep(steps, sequences["LSTM"])
		p := vm.MustCompile(ref.Engine{}, outs, vm.Train)
		b.Run(fmt.Sprintf("specialise/steps=%d", steps), func(b *testing.B) {
			for b.Loop() {
				p = vm.MustCompile(ref.Engine{}, outs, vm.Train)
				_, err := p.Memory(16)
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("run/steps=%d", steps), func(b *testing.B) {
			m, err := p.NewMachine(vm.NewStore(1))
			require.NoError(b, err)
			x := tensor.New(tensor.WithShape(16, steps, 4), tensor.Of(tensor.Float64))
			for b.Loop() {
				_, err := m.Run(b.Context(), x)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
		})
	}
}
