package vm_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

var smallTypes = []shape.DType{shape.BFloat16, shape.Int8}

// weighted is a convolution and two products with weights, one as stored and one transposed,
// followed by maps, and a product of two values and by a constant.
func weighted() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2, 6, 6))
	leaf := func(name string, dims ...shape.Dim) *graph.Node {
		return g.Param(name, shape.F32(dims...), aroundOne{})
	}
	y := ops.Clip(ops.AddBias(ops.Conv2D(x, leaf("w", 5, 2, 3, 3), ops.Conv2DOp{}), leaf("b", 5)), -3, 3)
	y = ops.ReLU(ops.AddBias(ops.MatMul(ops.Reshape(y, shape.N, 80), leaf("u", 80, 70)), leaf("c", 70)))
	y = ops.MatMul(y, leaf("v", 9, 70), ops.MatMulOp{TransB: true})
	y = ops.MatMul(y, g.Const(shape.F32(9, 2), []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8}))
	return []*graph.Node{ops.MatMul(y, ops.Reshape(y, shape.N, 2, 1))}
}

// axes are those of output channels of the weights of weighted.
var axes = map[string]int{"w": 0, "u": 1, "v": 0}

// rounded is a copy of s with its weights rounded by hand.
func rounded(t *testing.T, s *vm.Store, as shape.DType, axes map[string]int) *vm.Store {
	t.Helper()
	r := vm.NewStore(1)
	for _, name := range s.Names() {
		d, err := s.Value(name)
		require.NoError(t, err)
		d = d.Clone().(*tensor.Dense)
		if axis, ok := axes[name]; ok {
			v := d.Float32s()
			engine.Round(v, append([]float32(nil), v...), shape.Type{DType: shape.Float32, Shape: shape.OfInts(d.Shape()...)}, axis, as)
		}
		require.NoError(t, r.Set(name, d))
	}
	return r
}

// relative requires that no element is further from want than so much of the largest.
func relative(t *testing.T, want, got []float32, limit float64) {
	t.Helper()
	most := 0.0
	for _, x := range want {
		most = max(most, math.Abs(float64(x)))
	}
	require.InDeltaSlice(t, want, got, limit*most)
}

// A program with small weights computes what one without does with rounded weights, on every
// engine, and keeps on doing so when weights change.
func TestSmallWeightsAreRoundedWeights(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, std.New(tensor.StdEng{}), cpu.New(), cpu.New(cpu.ExactConv), enginetest.Followed{}} {
		for _, as := range smallTypes {
			t.Run(fmt.Sprint(e.Name(), "/", as), func(t *testing.T) {
				s, outs := vm.NewStore(1), weighted()
				small, full := hoisting(t, e, s, outs, vm.WithWeights(as)), hoisting(t, e, s, outs)
				unpacked := hoisting(t, e, s, outs, vm.WithWeights(as), vm.Without("pack"))
				for turn := range 2 {
					for _, n := range []int{1, 3, 20} {
						x := pixels(n, .25)
						run(t, full, x) // sets the values of the store
						want := run(t, hoisting(t, ref.Engine{}, rounded(t, s, as, axes), outs), x)
						got := run(t, small, x)
						relative(t, want, got, 2e-5)
						require.Equal(t, got, run(t, unpacked, x))
						require.NotEqual(t, run(t, full, x), got, "nothing is rounded")
					}
					for name := range axes {
						d, err := s.Value(name)
						require.NoError(t, err)
						d = d.Clone().(*tensor.Dense)
						for i := range d.Float32s() {
							d.Float32s()[i] *= 1.1 + float32(turn+i%3)
						}
						require.NoError(t, s.Set(name, d))
					}
				}
			})
		}
	}
}

// What a normalisation scales is rounded after it is scaled, and made anew with the leaves.
func TestSmallWeightsAreRoundedAfterTheyAreComputed(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		for as, limit := range map[shape.DType]float64{shape.BFloat16: .02, shape.Int8: .04} {
			s, outs := vm.NewStore(1), normalised()
			small, full := hoisting(t, e, s, outs, vm.WithWeights(as)), hoisting(t, e, s, outs)
			for range 2 {
				x := pixels(3, .25)
				want, got := run(t, full, x), run(t, small, x)
				relative(t, want, got, limit)
				require.NotEqual(t, want, got)
				d, err := s.Value("gamma")
				require.NoError(t, err)
				d = d.Clone().(*tensor.Dense)
				for i := range d.Float32s() {
					d.Float32s()[i] *= 5
				}
				require.NoError(t, s.Set("gamma", d))
			}
		}
	}
}

// A model that is kept in bfloat16 loses nothing.
func TestWeightsInBFloat16StayAsTheyAre(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 40))
	w := g.Param("w", shape.Make(shape.BFloat16, 40, 70), aroundOne{})
	outs := []*graph.Node{ops.MatMul(x, ops.Cast(w, shape.Float32))}
	in := tensor.New(tensor.WithShape(2, 40), tensor.WithBacking(pixels(2, .25).Float32s()[:80]))
	s := vm.NewStore(1)
	require.Equal(t, run(t, hoisting(t, ref.Engine{}, s, outs), in), run(t, hoisting(t, ref.Engine{}, s, outs, vm.WithWeights(shape.BFloat16)), in))
	relative(t, run(t, hoisting(t, ref.Engine{}, s, outs), in), run(t, hoisting(t, cpu.New(), s, outs, vm.WithWeights(shape.BFloat16)), in), 1e-6)
}

// Machines share the packed weights of their store, at several batch sizes and at once.
func TestMachinesShareSmallWeights(t *testing.T) {
	s, outs := vm.NewStore(1), weighted()
	p := vm.MustCompile(cpu.New(), outs, vm.WithWeights(shape.Int8))
	first, err := p.NewMachine(s)
	require.NoError(t, err)
	want := [][]float32{run(t, first, pixels(1, .25)), run(t, first, pixels(30, .25))}
	var wg sync.WaitGroup
	for range 4 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		wg.Go(func() {
			for i, n := range []int{1, 30, 1, 30} {
				out, err := m.Run(context.Background(), pixels(n, .25))
				if err != nil || fmt.Sprint(out[0].Float32s()) != fmt.Sprint(want[i%2]) {
					t.Errorf("batch of %d: %v, or other bits", n, err)
				}
			}
		})
	}
	wg.Wait()
	in := pixels(1, .25)
	require.Zero(t, allocs.PerRun(5, func() { _, _ = first.Run(context.Background(), in) }))
}

// The packed forms of a product take half and a quarter of its weights, at any batch size.
func TestSmallWeightsAreSmall(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(300, 256), aroundOne{})
	outs := []*graph.Node{ops.MatMul(g.Input("x", shape.F32(shape.N, 300)), w)}
	for as, want := range map[shape.DType]int{shape.BFloat16: 2 * 300 * 256, shape.Int8: 300*256 + 4*256} {
		for _, n := range []int{1, 12, 64} {
			m, err := vm.MustCompile(cpu.New(), outs, vm.WithWeights(as)).Memory(n)
			require.NoError(t, err)
			require.Equal(t, want, m.Packed, "%v at batch %d", as, n)
			require.Equal(t, 4*300*256, m.Leaves)
		}
	}
}

// In int8 a channel with a weight that is not finite is NaN, and no other one.
func TestAWeightThatIsNotFiniteIsSeenInItsChannel(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		for _, as := range smallTypes {
			for _, bad := range []float64{math.NaN(), math.Inf(1)} {
				g := graph.New()
				w := make([]float32, 5*40)
				w[17*5+2], w[3] = float32(bad), 1e-42 // column 3 is denormal
				outs := []*graph.Node{ops.MatMul(g.Input("x", shape.F32(shape.N, 40)), g.Param("w", shape.F32(40, 5), nil))}
				s := vm.NewStore(1)
				require.NoError(t, s.Set("w", f32(w, 40, 5)))
				got := run(t, hoisting(t, e, s, outs, vm.WithWeights(as)), f32(make([]float32, 2*40), 2, 40))
				for i, x := range got {
					require.Equal(t, i%5 == 2, x != x, "element %d is %v", i, x)
				}
			}
		}
	}
}

func TestSmallWeightsAreRefusedWhereThereCanBeNone(t *testing.T) {
	outs := weighted()
	d := enginetest.NewDevice(1 << 20)
	defer d.Close()
	for _, c := range []struct {
		e    engine.Engine
		opts []vm.Option
		want string
	}{
		{ref.Engine{}, []vm.Option{vm.WithWeights(shape.Float64)}, "vm: WithWeights: float64; want float32, bfloat16 or int8"},
		{ref.Engine{}, []vm.Option{vm.Train, vm.WithWeights(shape.Int8)}, "vm: WithWeights: weights that are trained stay in float32; compile the inference program with it"},
		{d, []vm.Option{vm.WithWeights(shape.Int8)}, "vm: WithWeights: the values of engine " + d.Name() + " are on " + d.Memory().Name() + ", whose kernels have weights in float32; compile without it"},
	} {
		_, err := vm.Compile(c.e, outs, c.opts...)
		require.EqualError(t, err, c.want)
	}
	_, err := vm.Compile(ref.Engine{}, outs, vm.WithWeights(shape.Int8), vm.WithWeights(shape.Float32))
	require.NoError(t, err)
}

// A watched machine, whose kernels are bound again, computes with the same weights, and with what
// is computed once.
func TestWatchedMachinesHaveSmallWeights(t *testing.T) {
	for _, as := range []shape.DType{shape.Float32, shape.Int8} {
		for _, outs := range [][]*graph.Node{weighted(), normalised()} {
			m := hoisting(t, cpu.New(), vm.NewStore(1), outs, vm.WithWeights(as))
			want, spans := run(t, m, pixels(3, .25)), 0
			require.NoError(t, m.Observe(vm.Observer{Span: func(vm.Span) { spans++ }}))
			require.Equal(t, want, run(t, m, pixels(3, .25)))
			require.Positive(t, spans)
		}
	}
}
