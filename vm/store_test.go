package vm_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A machine that held on to a deleted value would read and train what nobody sees.
func TestAMachineFollowsWhatIsDeletedAndMadeAnew(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	g.Update(w, ops.AddScalar(w, 1))
	m, s := machine(t, []*graph.Node{ops.Sum(w)}, vm.Train)
	run := func(want float32) {
		t.Helper()
		out, err := m.Run(ctx)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, floats(out[0]))
	}
	run(2)
	run(4)
	require.NoError(t, s.Delete("w"))
	_, err := m.Run(ctx)
	require.ErrorContains(t, err, `"w" was deleted from the store`)
	require.NoError(t, s.Init(w))
	run(2)
	require.Equal(t, 2.0, first(t, s, "w"))

	require.NoError(t, s.Delete("w"))
	require.NoError(t, s.Set("w", f32([]float32{5, 6}, 2)))
	run(11)
	require.NoError(t, s.Delete("w"))
	require.NoError(t, s.Set("w", f32([]float32{5}, 1)))
	_, err = m.Run(ctx)
	require.ErrorContains(t, err, `holds "w" as float32(1), the program needs float32(2)`)
	require.NoError(t, s.Delete("nothing"))
}

func first(t *testing.T, s *vm.Store, name string) float64 {
	t.Helper()
	d, err := s.Value(name)
	require.NoError(t, err)
	return float64(d.Float32s()[0])
}

func TestTheZeroStoreIsEmpty(t *testing.T) {
	var s vm.Store
	require.Empty(t, s.Names())
	require.NoError(t, s.Set("a", f32([]float32{1}, 1)))
	snap, err := s.Snapshot()
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, snap.Names())
	g := graph.New()
	var other vm.Store
	require.NoError(t, other.Init(g.Param("w", shape.F32(1), graph.Fill(2))))
	require.Equal(t, 2.0, first(t, &other, "w"))
}

func TestOnlyLeavesOfAStoreAreInitialised(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N))
	s := vm.NewStore(1)
	require.ErrorContains(t, s.Init(nil), "nil or invalid")
	require.ErrorContains(t, s.Init(x), "x is Input; a store holds Params and States")
	require.ErrorContains(t, s.Init(ops.Neg(x)), "a store holds Params and States")
	require.ErrorContains(t, s.Init(g.Param("", shape.F32(1), nil)), "nil or invalid")
	require.ErrorContains(t, s.Init(g.State("half", shape.I64(), graph.Fill(.5))), `the initialiser of "half" sets an element to 0.5, which is not a valid int64`)
	require.Empty(t, s.Names())
}

// A float64 cannot tell these numbers from their neighbours.
func TestCountersBeyondTheIntegersOfAFloat64(t *testing.T) {
	const big = 1<<53 + 1
	for _, off := range [][]string{nil, {"fold"}, {"simplify", "fuse", "inplace"}} {
		g := graph.New()
		c := g.State("c", shape.I64(2), nil)
		one := g.Const(shape.I64(), []float64{1})
		g.Update(c, ops.Add(ops.Mul(c, one), ops.Scalar(c, 2)))
		m, s := machine(t, []*graph.Node{c, ops.Sum(c)}, vm.Train, vm.Without(off...))
		require.NoError(t, s.Set("c", tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{big, -big}))))
		out, err := m.Run(ctx)
		require.NoError(t, err)
		require.Equal(t, []int64{big, -big}, out[0].Int64s())
		require.Equal(t, []int64{0}, out[1].Int64s())
		v, err := s.Value("c")
		require.NoError(t, err)
		require.Equal(t, []int64{big + 2, -big + 2}, v.Int64s())
	}
}

func TestIntegersAreNotComputedAsFloats(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.I64(2))
	c := ops.Add(g.Const(shape.I64(2), []float64{1 << 53, 3}), g.Const(shape.I64(2), []float64{1, 1}))
	n := ops.Add(ops.FullLike(x, 1<<53), ops.Scalar(x, 1))
	got := compute(t, []*graph.Node{c, n, ops.Cast(ops.Equal(c, n), shape.Int64), ops.Sub(x, n)}, tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{1<<53 + 2, 0})))
	require.Equal(t, []int64{1<<53 + 1, 4}, got[0].Int64s())
	require.Equal(t, []int64{1<<53 + 1, 1<<53 + 1}, got[1].Int64s())
	require.Equal(t, []int64{1, 0}, got[2].Int64s())
	require.Equal(t, []int64{1, -1<<53 - 1}, got[3].Int64s())
}

// A new value that is made of the old one's other elements cannot be put over it.
func TestUpdatesThatReadTheirLeafElsewhere(t *testing.T) {
	g := graph.New()
	m, tr := g.State("m", shape.F32(2, 2), nil), g.State("t", shape.F32(2, 3), nil)
	g.Update(m, ops.MatMul(m, m))
	g.Update(tr, ops.Reshape(ops.Transpose(tr, 1, 0), 2, 3))
	mach, s := machine(t, []*graph.Node{ops.Sum(m)}, vm.Train)
	require.NoError(t, s.Set("m", f32([]float32{1, 2, 3, 4}, 2, 2)))
	require.NoError(t, s.Set("t", f32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)))
	_, err := mach.Run(ctx)
	require.NoError(t, err)
	for name, want := range map[string][]float32{"m": {7, 10, 15, 22}, "t": {1, 4, 2, 5, 3, 6}} {
		v, err := s.Value(name)
		require.NoError(t, err)
		require.Equal(t, want, floats(v), name)
	}
}

// The message names the output by its place among all of them.
func TestWhatIsNotFiniteIsNamed(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N))
	w := g.Param("w", shape.F32(), nil)
	g.Update(w, ops.Mean(x))
	m, _ := machine(t, []*graph.Node{ops.Neg(x), ops.Sum(w), ops.Log(ops.Sum(x))}, vm.Train)
	_, err := m.Run(ctx, f32([]float32{-1}, 1))
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.ErrorContains(t, err, "output 2, %")
	require.ErrorContains(t, err, "Log built at store_test.go:")
	require.ErrorContains(t, err, "is NaN")
}

func TestOneStoreForTwoPrograms(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	y := ops.Sum(ops.Mul(x, w), 1)
	loss := ops.Mean(y)
	g.Update(w, ops.Sub(w, ops.Mean(x, 0)))
	training, s := machine(t, []*graph.Node{loss}, vm.Train)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	infer, err := p.NewMachine(s)
	require.NoError(t, err)
	in := f32([]float32{1, 2}, 1, 2)
	for i, want := range []float32{3, -2, -7} {
		out, err := infer.Run(ctx, in)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, floats(out[0]))
		_, err = training.Run(ctx, in)
		require.NoError(t, err)
		require.Equal(t, uint64(i+1), s.Writes("w"))
	}
	_, err = infer.Trace(ctx, func(vm.Instruction, []*tensor.Dense) {
		_, err := s.Snapshot() // reading goes on at the same time
		require.NoError(t, err)
		_, err = training.Run(ctx, in)
		require.ErrorIs(t, err, vm.ErrBusy)
		require.ErrorIs(t, s.Set("w", f32([]float32{0, 0}, 2)), vm.ErrBusy)
		require.ErrorIs(t, s.Delete("w"), vm.ErrBusy)
	}, in)
	require.NoError(t, err)
	_, err = training.Trace(ctx, func(vm.Instruction, []*tensor.Dense) {
		_, err := infer.Run(ctx, in)
		require.ErrorIs(t, err, vm.ErrBusy)
		_, err = s.Snapshot()
		require.ErrorIs(t, err, vm.ErrBusy)
	}, in)
	require.NoError(t, err)
}

// A larger batch needs a larger arena, to which all is bound anew.
func TestBatchesThatNeedALargerArena(t *testing.T) {
	_, x := vector()
	m, _ := machine(t, []*graph.Node{ops.MulScalar(x, 2)})
	for n := 1; n < 200; n *= 3 {
		in := make([]float32, n)
		for i := range in {
			in[i] = float32(i)
		}
		out, err := m.Run(ctx, f32(in, n))
		require.NoError(t, err)
		for i, v := range floats(out[0]) {
			require.Equal(t, float32(2*i), v)
		}
	}
}

func TestManyBatchSizes(t *testing.T) {
	_, x := vector()
	m, _ := machine(t, []*graph.Node{ops.Sum(ops.Tanh(x)), ops.Neg(x)})
	for round := range 2 {
		for n := 1; n <= 100; n++ { // more than programs or machines remember
			in := make([]float32, n)
			in[n-1] = float32(math.Inf(1))
			out, err := m.Run(ctx, f32(in, n))
			require.NoError(t, err)
			require.Equal(t, []float32{1}, floats(out[0]), strconv.Itoa(round*1000+n))
			require.Len(t, floats(out[1]), n)
		}
	}
}

func TestAStepOnFourBatchSizesAllocatesNothing(t *testing.T) {
	_, loss := mlp()
	m, _ := machine(t, []*graph.Node{loss}, vm.Train)
	var batches [][]*tensor.Dense
	for _, n := range []int{9, 2, 5, 1} {
		batches = append(batches, images(n))
	}
	views := images(3) // read through a copy
	require.NoError(t, views[0].T(0, 1, 3, 2))
	batches[2] = views
	run := func() {
		for _, in := range batches {
			if _, err := m.Run(ctx, in...); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	require.Zero(t, allocs.PerRun(10, run))
}

// The next value of a leaf comes from wherever.
func TestUpdatesByInputsConstsNumbersAndOutputs(t *testing.T) {
	for _, off := range [][]string{nil, {"inplace"}, {"simplify", "fold", "cse"}, {"fuse", "schedule", "memory"}} {
		g := graph.New()
		x := g.Input("x", shape.F32(2))
		state := func(name string) *graph.Node { return g.State(name, shape.F32(2), graph.Fill(7)) }
		a, b, c, d, e, f, h := state("a"), state("b"), state("c"), state("d"), state("e"), state("f"), state("h")
		sum := ops.Add(x, a)
		flat := ops.Reshape(ops.Reshape(sum, 1, 2), 2)
		g.Update(a, x)
		g.Update(b, g.Const(shape.F32(2), []float64{3, 4}))
		g.Update(c, ops.FullLike(c, 5))
		g.Update(d, sum)
		g.Update(e, flat)
		g.Update(f, f)
		g.Update(h, ops.StopGradient(h))
		m, s := machine(t, []*graph.Node{sum, ops.Reshape(sum, 2, 1), flat, a, h}, vm.Train, vm.Without(off...))
		in := f32([]float32{1, 2}, 2)
		for round := range 2 {
			out, err := m.Run(ctx, in)
			require.NoError(t, err)
			want := [][]float32{{8, 9}, {2, 4}}[round]
			for i := range 3 {
				require.Equal(t, want, floats(out[i]))
			}
			require.Equal(t, [][]float32{{7, 7}, {1, 2}}[round], floats(out[3]))
			require.Equal(t, []float32{7, 7}, floats(out[4]))
			for name, w := range map[string][]float32{"a": {1, 2}, "b": {3, 4}, "c": {5, 5}, "d": want, "e": want, "f": {7, 7}, "h": {7, 7}} {
				v, err := s.Value(name)
				require.NoError(t, err)
				require.Equal(t, w, floats(v), "%s without %v", name, off)
			}
			out[0].Float32s()[0] = 99 // an output is nobody else's memory
			require.Equal(t, []float32{1, 2}, floats(in))
			require.Equal(t, float64(want[0]), first(t, s, "d"))
		}
	}
}
