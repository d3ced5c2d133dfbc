package vm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

var ctx = context.Background()

// f32 returns a tensor of the given shape.
func f32(v []float32, dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
}

// floats returns the elements of a tensor in memory order.
func floats(d *tensor.Dense) []float32 { return append([]float32(nil), d.Float32s()...) }

// machine compiles outs with every check on.
func machine(t testing.TB, outs []*graph.Node, opts ...vm.Option) (*vm.Machine, *vm.Store) {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Checked)...)
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	return m, s
}

// compute runs the program of outs once.
func compute(t testing.TB, outs []*graph.Node, in ...*tensor.Dense) []*tensor.Dense {
	t.Helper()
	m, _ := machine(t, outs)
	got, err := m.Run(ctx, in...)
	require.NoError(t, err)
	return got
}

func vector() (*graph.Graph, *graph.Node) {
	g := graph.New()
	return g, g.Input("x", shape.F32(shape.N))
}

// gorgonia#576: an intermediate that was read held a later value.
func TestReadIntermediate(t *testing.T) {
	_, x := vector()
	a := ops.Neg(x)
	b := ops.Exp(a)
	c := ops.AddScalar(b, 1)
	got := compute(t, []*graph.Node{c, a, b}, f32([]float32{0, 1}, 2))
	require.Equal(t, []float32{0, -1}, floats(got[1]))
	require.InDelta(t, math.Exp(-1), float64(floats(got[2])[1]), 1e-7)
	require.InDelta(t, 1+math.Exp(-1), float64(floats(got[0])[1]), 1e-7)
}

// born#45: x op x in place destroyed x.
func TestSameOperandTwice(t *testing.T) {
	for _, c := range []struct {
		name string
		op   func(a, b *graph.Node) *graph.Node
		want []float32
	}{
		{"Mul", ops.Mul, []float32{4, 9}},
		{"Add", ops.Add, []float32{4, -6}},
		{"Sub", ops.Sub, []float32{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, x := vector()
			in := f32([]float32{2, -3}, 2)
			a := ops.Neg(ops.Neg(ops.Abs(x))) // an intermediate that may be overwritten
			got := compute(t, []*graph.Node{c.op(x, x), c.op(a, a)}, in)
			require.Equal(t, c.want, floats(got[0]))
			require.Equal(t, float32(math.Abs(float64(c.want[0]))), floats(got[1])[0])
			require.Equal(t, []float32{2, -3}, floats(in), "what is fed is not written")
		})
	}
}

// gorgonia PR#464: fetching one node twice failed.
func TestReadTwice(t *testing.T) {
	_, x := vector()
	y := ops.MulScalar(x, 2)
	got := compute(t, []*graph.Node{y, y, x, x}, f32([]float32{1, 2}, 2))
	require.Equal(t, []float32{2, 4}, floats(got[0]))
	require.Equal(t, []float32{2, 4}, floats(got[1]))
	require.Equal(t, []float32{1, 2}, floats(got[2]))
}

// tinygrad#7020: results of one program were those of another.
func TestTwoPrograms(t *testing.T) {
	_, x := vector()
	double, _ := machine(t, []*graph.Node{ops.MulScalar(x, 2)})
	negate, _ := machine(t, []*graph.Node{ops.Neg(x)})
	again, _ := machine(t, []*graph.Node{ops.MulScalar(x, 2)})
	in := f32([]float32{1, 2}, 2)
	a, err := double.Run(ctx, in)
	require.NoError(t, err)
	b, err := negate.Run(ctx, in)
	require.NoError(t, err)
	c, err := again.Run(ctx, f32([]float32{5, 6}, 2))
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4}, floats(a[0]))
	require.Equal(t, []float32{-1, -2}, floats(b[0]))
	require.Equal(t, []float32{10, 12}, floats(c[0]))
}

func TestOutputThatIsAReshapedInputIsACopy(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2, 3))
	in := f32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	got := compute(t, []*graph.Node{ops.Reshape(x, 3, 2)}, in)
	got[0].Float32s()[0] = 99
	require.Equal(t, float32(1), in.Float32s()[0])
}

// tensor#144, tinygrad#13361: views were read as if they were contiguous.
func TestViews(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2))
	m, _ := machine(t, []*graph.Node{ops.MulScalar(x, 10)})
	run := func(in *tensor.Dense) []float32 {
		out, err := m.Run(ctx, in)
		require.NoError(t, err)
		return floats(out[0])
	}
	base := func() *tensor.Dense { return f32([]float32{1, 2, 3, 4, 5, 6}, 2, 3) }

	sliced, err := base().Slice(nil, tensor.S(1, 3))
	require.NoError(t, err)
	require.Equal(t, []float32{20, 30, 50, 60}, run(sliced.(*tensor.Dense)))

	transposed := base()
	require.NoError(t, transposed.T())
	require.Equal(t, []float32{10, 40, 20, 50, 30, 60}, run(transposed))

	colMajor := tensor.New(tensor.WithShape(2, 2), tensor.AsFortran([]float32{1, 2, 3, 4}))
	require.Equal(t, []float32{1, 3, 2, 4}, floats(colMajor), "what the library stores")
	require.Equal(t, []float32{10, 20, 30, 40}, run(colMajor))
	require.Equal(t, []float32{10, 20, 30, 40, 50, 60}, run(f32([]float32{1, 2, 3, 4, 5, 6}, 3, 2)))
}

func TestMistakesOfARunAreErrors(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 2)), g.Input("y", shape.F32(shape.N))
	m, _ := machine(t, []*graph.Node{ops.Add(ops.Sum(x, 1), y)})
	two := func(rows int) *tensor.Dense { return f32(make([]float32, 2*rows), rows, 2) }
	for _, c := range []struct {
		want string
		in   []*tensor.Dense
	}{
		{"2 inputs, 1 were given", []*tensor.Dense{two(1)}},
		{`"y" is nil`, []*tensor.Dense{two(1), nil}},
		{`"x" is float32(N,2), the tensor given has shape (3)`, []*tensor.Dense{f32(make([]float32, 3), 3), f32(make([]float32, 3), 3)}},
		{`"x" is float32(N,2), the tensor given has shape (2, 3)`, []*tensor.Dense{f32(make([]float32, 6), 2, 3), f32(make([]float32, 3), 3)}},
		{"the tensor given holds float64", []*tensor.Dense{tensor.New(tensor.WithShape(1, 2), tensor.Of(tensor.Float64)), f32(make([]float32, 1), 1)}},
		{"so N = 2, but an input before it has N = 3", []*tensor.Dense{two(3), f32(make([]float32, 2), 2)}},
		{"the batch is empty", []*tensor.Dense{f32([]float32{}, 0, 2), f32([]float32{}, 0)}},
	} {
		_, err := m.Run(ctx, c.in...)
		require.ErrorContains(t, err, c.want)
	}
	_, err := m.Run(ctx, two(3), f32(make([]float32, 3), 3))
	require.NoError(t, err)
}

func TestCompileReportsEveryMistake(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", shape.F32(2)), g.Input("b", shape.F32(3))
	bad := ops.Add(a, b)
	worse := ops.MatMul(a, b)
	_, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(bad), ops.Sum(worse)})
	var list graph.ErrorList
	require.ErrorAs(t, err, &list)
	require.Len(t, list, 2)

	_, err = vm.Compile(ref.Engine{}, nil)
	require.ErrorContains(t, err, "no outputs")
	_, err = vm.Compile(nil, []*graph.Node{a})
	require.Error(t, err)
	g = graph.New()
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{graph.Apply(bare{}, g.Input("x", shape.F32()))})
	require.ErrorContains(t, err, "cannot run")
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{g.Input("y", shape.F32())}, vm.Without("validate"))
	require.ErrorContains(t, err, "cannot be switched off")
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{g.Input("z", shape.F32())}, vm.Without("nonsense"))
	require.ErrorContains(t, err, `no pass "nonsense"`)
}

// bare is an op that nothing is known of.
type bare struct{}

func (bare) Name() string                              { return "Bare" }
func (bare) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

// counter is a model with state: count <- count + 1, w <- w - mean(x).
func counter() (g *graph.Graph, loss *graph.Node) {
	g = graph.New()
	x := g.Input("x", shape.F32(shape.N))
	w := g.Param("w", shape.F32(), graph.Fill(10))
	count := g.State("count", shape.F32(), nil)
	loss = ops.Mul(ops.Mean(x), ops.BroadcastTo(w, shape.Of()))
	g.Update(w, ops.Sub(w, ops.Mean(x)))
	g.Update(count, ops.AddScalar(count, 1))
	return g, loss
}

func number(t testing.TB, s *vm.Store, name string) float64 {
	t.Helper()
	d, err := s.Value(name)
	require.NoError(t, err)
	v, err := vm.Number(d)
	require.NoError(t, err)
	return v
}

func TestATrainingRunIsAWholeStep(t *testing.T) {
	_, loss := counter()
	m, s := machine(t, []*graph.Node{loss}, vm.Train)
	out, err := m.Run(ctx, f32([]float32{1, 3}, 2))
	require.NoError(t, err)
	require.Equal(t, []float32{20}, floats(out[0]), "the loss sees the old value")
	require.Equal(t, 8.0, number(t, s, "w"))
	require.Equal(t, 1.0, number(t, s, "count"))
	require.Equal(t, uint64(1), s.Writes("w"))

	_, err = m.Run(ctx, f32([]float32{float32(math.Inf(1)), 1}, 2))
	require.ErrorIs(t, err, vm.ErrNotFinite)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.Run(cancelled, f32([]float32{1}, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 8.0, number(t, s, "w"), "a refused step changes nothing")
	require.Equal(t, 1.0, number(t, s, "count"))
	require.Equal(t, uint64(1), s.Writes("w"))
}

func TestWithoutTrainNothingIsWritten(t *testing.T) {
	_, loss := counter()
	m, s := machine(t, []*graph.Node{loss})
	_, err := m.Run(ctx, f32([]float32{1}, 1))
	require.NoError(t, err)
	require.Equal(t, 10.0, number(t, s, "w"))
	require.NotContains(t, s.Names(), "count", "a leaf that the outputs do not need")
}

func TestEveryReaderOfALeafComesBeforeItsWrite(t *testing.T) {
	g := graph.New()
	a := g.State("a", shape.F32(2), graph.Fill(1))
	b := g.State("b", shape.F32(2), graph.Fill(2))
	c := g.State("c", shape.F32(2), graph.Fill(3))
	d := g.State("d", shape.F32(2), graph.Fill(4))
	g.Update(a, b) // a swap
	g.Update(b, a)
	g.Update(c, ops.Add(c, d)) // updates that read each other
	g.Update(d, ops.Mul(c, d))
	for _, off := range [][]string{nil, {"fuse"}, {"inplace"}, {"fuse", "inplace", "schedule", "memory", "cse", "simplify", "fold"}} {
		m, s := machine(t, []*graph.Node{ops.Sum(ops.Add(a, c)), a, ops.Reshape(d, 1, 2)}, vm.Train, vm.Without(off...))
		out, err := m.Run(ctx)
		require.NoError(t, err)
		require.Equal(t, []float32{8}, floats(out[0]))
		require.Equal(t, []float32{1, 1}, floats(out[1]), "an output is the old value")
		require.Equal(t, []float32{4, 4}, floats(out[2]))
		for name, want := range map[string]float32{"a": 2, "b": 1, "c": 7, "d": 12} {
			v, err := s.Value(name)
			require.NoError(t, err)
			require.Equal(t, []float32{want, want}, floats(v), name)
		}
	}
}

func TestUpdatesAreComputedInPlace(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(100), graph.Fill(1))
	x := g.Input("x", shape.F32(100))
	v := g.State("v", shape.F32(100), nil)
	next := ops.Add(ops.MulScalar(v, .9), x)
	g.Update(v, next)
	g.Update(w, ops.Sub(w, ops.MulScalar(next, .1)))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(x)}, vm.Train, vm.Checked)
	require.NoError(t, err)
	list, err := p.Describe(1)
	require.NoError(t, err)
	var text []string
	for _, in := range list {
		require.NotEqual(t, "Write", in.Name, in.Text)
		text = append(text, in.Text)
	}
	all := strings.Join(text, "\n")
	require.Contains(t, all, "in w")
	require.Contains(t, all, "in v")
	require.Len(t, list, 2, "one pass over memory for both, and the sum:\n%s", all)
}

// What may fail, and what is checked, comes before the first write, though no write needs it.
func TestAFailingKernelLeavesTheStepUndone(t *testing.T) {
	for _, off := range [][]string{nil, {"schedule"}, {"inplace", "fuse"}} {
		g := graph.New()
		x, y := g.Input("x", shape.F32(2)), g.Input("y", shape.I32(2))
		w, ids := g.Param("w", shape.F32(2), graph.Fill(1)), g.State("ids", shape.F32(2, 3), nil)
		g.Update(w, ops.Add(w, x))
		g.Update(ids, ops.OneHot(y, 3, w)) // which fails itself
		m, s := machine(t, []*graph.Node{ops.Sum(w), ops.Sum(ops.OneHot(y, 4, w))}, vm.Train, vm.Without(off...))
		run := func(a, b int32) error {
			_, err := m.Run(ctx, f32([]float32{1, 2}, 2), tensor.New(tensor.WithShape(2), tensor.WithBacking([]int32{a, b})))
			return err
		}
		holds := func(w, ids []float32) {
			t.Helper()
			for name, want := range map[string][]float32{"w": w, "ids": ids} {
				v, err := s.Value(name)
				require.NoError(t, err)
				require.Equal(t, want, floats(v), name)
			}
		}
		require.Error(t, run(0, 5))
		holds([]float32{1, 1}, make([]float32, 6))
		require.Error(t, run(2, 3)) // good for one of the two
		holds([]float32{1, 1}, make([]float32, 6))
		require.NoError(t, run(2, 0))
		holds([]float32{2, 3}, []float32{0, 0, 1, 1, 0, 0})
	}
}

// A checked number is not fused with what could be written in place.
func TestAScalarParamIsUpdatedInPlaceBesideTheLoss(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32())
	w := g.Param("w", shape.F32(), graph.Fill(2))
	loss := ops.Mul(ops.Sub(w, x), w)
	g.Update(w, ops.Sub(w, ops.Tanh(loss)))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train, vm.Checked)
	require.NoError(t, err)
	list, err := p.Describe(1)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Contains(t, list[1].Text, "in w")
}

func TestAChainInPlaceTakesOnePlace(t *testing.T) {
	g := graph.New()
	y := g.Input("x", shape.F32(100))
	for range 10 {
		y = ops.Tanh(y)
	}
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Checked, vm.Without("fuse"))
	require.NoError(t, err)
	m, err := p.Memory(1)
	require.NoError(t, err)
	list, err := p.Describe(1)
	require.NoError(t, err)
	require.Equal(t, 448+list[0].Scratch, m.Arena) // 400 bytes, in lines of 64
}

func TestOpsOfManyInputsThatDifferInTheLast(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(1))
	n := func(v float64) *graph.Node { return ops.AddScalar(x, v) }
	a, b, c, d, e := n(1), n(2), n(3), n(4), n(5)
	got := compute(t, []*graph.Node{ops.Concat(0, a, b, c, d), ops.Concat(0, a, b, c, e), ops.Concat(0, a, b, c)}, f32([]float32{0}, 1))
	require.Equal(t, []float32{1, 2, 3, 4}, floats(got[0]))
	require.Equal(t, []float32{1, 2, 3, 5}, floats(got[1]))
	require.Equal(t, []float32{1, 2, 3}, floats(got[2]))
}

func TestAStoreInUseIsAnError(t *testing.T) {
	_, loss := counter()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	var busy error
	_, err = m.Trace(ctx, func(vm.Instruction, []*tensor.Dense) {
		_, err := s.Value("w")
		busy = errors.Join(busy, err)
		_, err = m.Run(ctx, f32([]float32{1}, 1))
		busy = errors.Join(busy, err)
	}, f32([]float32{1}, 1))
	require.NoError(t, err)
	require.ErrorIs(t, busy, vm.ErrBusy)
	require.ErrorContains(t, busy, "a training step is under way")
	require.ErrorContains(t, busy, "machine in use")
}

func TestStoreKeepsTypes(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	s := vm.NewStore(1)
	require.NoError(t, s.Init(w))
	require.ErrorContains(t, s.Set("w", f32([]float32{1}, 1)), `"w" is float32(2), the new value is float32(1)`)
	require.NoError(t, s.Set("w", f32([]float32{5, 6}, 2)))
	snap, err := s.Snapshot()
	require.NoError(t, err)
	require.NoError(t, s.Set("w", f32([]float32{7, 8}, 2)))
	v, err := snap.Value("w")
	require.NoError(t, err)
	require.Equal(t, []float32{5, 6}, floats(v))
	wide := graph.WithDType(shape.Float64, ops.Sum(w))[0]
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{wide})
	require.NoError(t, err)
	_, err = p.NewMachine(s)
	require.ErrorContains(t, err, `holds "w" as float32(2), the program needs float64(2)`)
	require.NoError(t, s.Delete("w"))
	_, err = s.Value("w")
	require.ErrorContains(t, err, `holds no "w"`)
}

// gomlx#197: concurrent runs raced.
func TestConcurrentRun(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 8))
	w := g.Param("w", shape.F32(8, 8), graph.Fill(.5))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Tanh(ops.MatMul(x, w))})
	require.NoError(t, err)
	s := vm.NewStore(1)
	var wg sync.WaitGroup
	wg.Go(func() { // the program is looked at, and the store copied, meanwhile
		for n := range 20 {
			if _, err := p.Describe(n + 1); err != nil {
				t.Error(err)
			}
			if _, err := s.Snapshot(); err != nil {
				t.Error(err)
			}
		}
	})
	for id := range 8 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		wg.Go(func() {
			for k := range 50 {
				n := 1 + (id+k)%5
				v := make([]float32, 8*n)
				for i := range v {
					v[i] = float32(id) / 100
				}
				out, err := m.Run(ctx, f32(v, n, 8))
				if err != nil {
					t.Error(err)
					return
				}
				want := float32(math.Tanh(float64(id) / 100 * 4))
				for _, y := range out[0].Float32s() {
					if math.Abs(float64(y-want)) > 1e-6 {
						t.Errorf("got %v, want %v", y, want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// mlp is a small model with all that a training step has.
func mlp() (*graph.Graph, *graph.Node) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 8, 8))
	y := g.Input("y", shape.I32(shape.N))
	h := ops.Conv2D(x, g.Param("w1", shape.F32(3, 1, 3, 3), graph.Fill(.1)), ops.Conv2DOp{})
	h = ops.ReLU(ops.AddBias(h, g.Param("b1", shape.F32(3), graph.Fill(.1))))
	h = ops.Flatten(ops.MaxPool2D(h, ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}}))
	h = ops.AddBias(ops.MatMul(h, g.Param("w2", shape.F32(27, 4), graph.Fill(.01))), g.Param("b2", shape.F32(4), nil))
	loss := ops.CrossEntropy(h, y)
	for i, d := range autodiff.Grad(loss, g.Params()...) {
		w := g.Params()[i]
		v := g.State(w.Name()+".v", w.Type(), nil)
		next := ops.Add(ops.MulScalar(v, .9), d)
		g.Update(v, next)
		g.Update(w, ops.Sub(w, ops.MulScalar(next, .1)))
	}
	return g, loss
}

func images(n int) []*tensor.Dense {
	v, y := make([]float32, 64*n), make([]int32, n)
	for i := range v {
		v[i] = float32(i*7919%1009)/504.5 - 1
	}
	for i := range y {
		y[i] = int32(37 * i % 4)
	}
	return []*tensor.Dense{f32(v, n, 1, 8, 8), tensor.New(tensor.WithShape(n), tensor.WithBacking(y))}
}

func TestATrainingStepAllocatesNothing(t *testing.T) {
	_, loss := mlp()
	m, _ := machine(t, []*graph.Node{loss}, vm.Train)
	five, three := images(5), images(3)
	run := func() {
		for _, in := range [][]*tensor.Dense{five, three} {
			if _, err := m.Run(ctx, in...); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	require.Zero(t, allocs.PerRun(20, run))
}

func TestTheLossFallsAndEveryPassOffGivesTheSame(t *testing.T) {
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
	losses := func(opts ...vm.Option) (all []float64) {
		_, loss := mlp()
		m, _ := machine(t, []*graph.Node{loss}, append(opts, vm.Train)...)
		for range 30 {
			out, err := m.Run(ctx, images(7)...)
			require.NoError(t, err)
			v, err := vm.Number(out[0])
			require.NoError(t, err)
			all = append(all, v)
		}
		return all
	}
	want := losses()
	require.Less(t, want[29], .5*want[0])
	require.InDeltaSlice(t, want, losses(vm.Without(optional...)), 1e-4)
	for _, name := range optional {
		require.InDeltaSlice(t, want, losses(vm.Without(name)), 1e-4, "without %s", name)
	}
}

func TestSameBitsForAnyGOMAXPROCS(t *testing.T) {
	weights := func(procs int) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		_, loss := mlp()
		m, s := machine(t, []*graph.Node{loss}, vm.Train)
		for range 5 {
			_, err := m.Run(ctx, images(9)...)
			require.NoError(t, err)
		}
		v, err := s.Value("w1")
		require.NoError(t, err)
		return floats(v)
	}
	one := weights(1)
	require.Equal(t, one, weights(2))
	require.Equal(t, one, weights(8))
}

func TestMemoryIsKnownBeforeTheFirstRun(t *testing.T) {
	_, loss := mlp()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	small, err := p.Memory(1)
	require.NoError(t, err)
	large, err := p.Memory(64)
	require.NoError(t, err)
	require.Less(t, small.Arena, large.Arena)
	require.Less(t, large.Arena, large.Unshared)
	require.Equal(t, 2*4*(27+3+108+4), large.Leaves)
	_, err = p.Memory(0)
	require.ErrorContains(t, err, "at least 1")
}

func TestAKernelsErrorNamesLineAndLayer(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 3)), g.Input("y", shape.I32(shape.N))
	var loss *graph.Node
	g.Within("head", func() { loss = ops.CrossEntropy(x, y) })
	m, _ := machine(t, []*graph.Node{loss})
	_, err := m.Run(ctx, f32(make([]float32, 6), 2, 3), tensor.New(tensor.WithShape(2), tensor.WithBacking([]int32{0, 3})))
	require.ErrorContains(t, err, "vm_test.go:")
	require.ErrorContains(t, err, "layer head")
	require.ErrorContains(t, err, "3")
}

func TestDumpAndDot(t *testing.T) {
	_, loss := mlp()
	var b bytes.Buffer
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train, vm.Dump("cse", &b), vm.Dump("memory", &b))
	require.NoError(t, err)
	require.Contains(t, b.String(), "after cse:")
	require.NotContains(t, b.String(), "after memory:")
	_, err = p.Memory(2)
	require.NoError(t, err)
	require.Contains(t, b.String(), "after memory:")
	require.Regexp(t, `float32\(2,3,6,6\) @\d+ = `, b.String())
	b.Reset()
	require.NoError(t, p.WriteDot(&b, 2))
	require.True(t, strings.HasPrefix(b.String(), "digraph program {"))
	require.Contains(t, b.String(), "Conv2D")
}

// A gradient is consumed by its update as soon as it is there: a deep network's gradients do not
// all live at once.
func TestGradientsDieInTheirUpdates(t *testing.T) {
	const layers, width = 12, 64
	g := graph.New()
	h := g.Input("x", shape.F32(shape.N, width))
	for i := range layers {
		h = ops.Tanh(ops.MatMul(h, g.Param(fmt.Sprint("w", i), shape.F32(width, width), spread(i))))
	}
	loss := ops.Mean(ops.Square(h))
	params := g.Params()
	for i, dw := range autodiff.Grad(loss, params...) {
		v := g.State(params[i].Name()+".momentum", params[i].Type(), nil)
		next := ops.Add(ops.MulScalar(v, .9), dw)
		g.Update(v, next)
		g.Update(params[i], ops.Sub(params[i], ops.MulScalar(next, .1)))
	}
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	m, err := p.Memory(1)
	require.NoError(t, err)
	require.Less(t, m.Arena, 3*width*width*4)
	require.Greater(t, m.Unshared, layers*width*width*4)
}

// Batches of any size do not fill the memory with plans.
func TestAProgramForgetsBatchSizes(t *testing.T) {
	_, x := vector()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Neg(x)})
	require.NoError(t, err)
	for n := 1; n <= 200; n++ {
		list, err := p.Describe(n)
		require.NoError(t, err)
		require.Contains(t, list[0].Text, fmt.Sprintf("float32(%d)", n))
		require.LessOrEqual(t, vm.Plans(p), 64)
	}
}

// A map has up to 64 steps.
func TestAChainIsCutIntoMapsThatAreFull(t *testing.T) {
	_, x := vector()
	for range 128 {
		x = ops.Sin(x)
	}
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{x}, vm.Checked)
	require.NoError(t, err)
	list, err := p.Describe(3)
	require.NoError(t, err)
	require.Len(t, list, 2)
}

// Numbers of any type are read, those of a loss without an allocation.
func TestTheOneElementOfATensorIsItsNumber(t *testing.T) {
	for want, d := range map[float64]*tensor.Dense{
		-1.5: tensor.New(tensor.FromScalar(float32(-1.5))), 2.25: tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{2.25})),
		7: tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{7})), 1: tensor.New(tensor.WithShape(1), tensor.WithBacking([]bool{true})),
	} {
		have, err := vm.Number(d)
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
	loss := tensor.New(tensor.FromScalar(float32(0.5)))
	require.Zero(t, allocs.PerRun(100, func() { _, _ = vm.Number(loss) }))
	_, err := vm.Number(tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2})))
	require.ErrorContains(t, err, "vm: a tensor of shape (2) is not one number")
	_, err = vm.Number(nil)
	require.ErrorContains(t, err, "vm: no tensor")
}
