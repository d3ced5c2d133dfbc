package vm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestScalarsAreFedAndRead(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32())
	got := compute(t, []*graph.Node{ops.Neg(x), x}, tensor.New(tensor.FromScalar(float32(3))))
	for i, want := range []float64{-3, 3} {
		v, err := vm.Number(got[i])
		require.NoError(t, err)
		require.Equal(t, want, v)
	}
}

func TestValuesWithoutElements(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 0))
	w := g.Param("w", shape.F32(0, 3), graph.Fill(1))
	got := compute(t, []*graph.Node{ops.Neg(x), ops.Sum(x, 1), ops.Sum(w)}, f32([]float32{}, 3, 0))
	require.Equal(t, tensor.Shape{3, 0}, got[0].Shape())
	require.Equal(t, []float32{0, 0, 0}, floats(got[1]))
	require.Equal(t, []float32{0}, floats(got[2]))
}

// An output of the run before lies in memory that the run writes.
func TestAnOutputIsFedToTheNextRun(t *testing.T) {
	_, x := vector()
	outs := []*graph.Node{ops.Add(ops.Softmax(x, 0), x), ops.Sum(x)}
	run := func(feed func(*tensor.Dense) *tensor.Dense) (all []float32) {
		m, _ := machine(t, outs)
		state := f32([]float32{1, 2}, 2)
		for range 4 {
			got, err := m.Run(ctx, state)
			require.NoError(t, err)
			all = append(append(all, floats(got[0])...), floats(got[1])...)
			state = feed(got[0])
		}
		return all
	}
	want := run(func(d *tensor.Dense) *tensor.Dense { return d.Clone().(*tensor.Dense) })
	require.Equal(t, want, run(func(d *tensor.Dense) *tensor.Dense { return d }))

	m, _ := machine(t, outs)
	state, err := m.Run(ctx, f32([]float32{1, 2}, 2))
	require.NoError(t, err)
	step := func() { state, err = m.Run(ctx, state[0]) }
	step()
	require.Zero(t, allocs.PerRun(10, step))
	require.NoError(t, err)
}

// What a user does to an output's shape does not show in the next run.
func TestAnOutputThatIsReshapedOrTransposed(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))
	m, _ := machine(t, []*graph.Node{ops.Neg(x), ops.Neg(x)})
	in := f32([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 2, 4)
	for range 3 {
		out, err := m.Run(ctx, in)
		require.NoError(t, err)
		for _, d := range out {
			require.Equal(t, tensor.Shape{2, 4}, d.Shape())
			require.Equal(t, []int{4, 1}, d.Strides())
			require.Equal(t, []float32{-1, -2, -3, -4, -5, -6, -7, -8}, floats(d))
		}
		require.NoError(t, out[0].Reshape(8))
		require.NoError(t, out[1].T())
		out[1] = nil
	}
}

func TestNumbersAreRoundedToTheTypeTheyAreUsedIn(t *testing.T) {
	_, x := vector()
	c := x.Graph().Const(shape.F32(2), []float64{.1, .1})
	v := ops.Slice(c, ops.Range{Start: 0, Stop: 1}) // not known to be one number before it is folded
	outs := []*graph.Node{ops.MulScalar(x, .1), ops.Mul(x, v), ops.Add(ops.FullLike(x, .1), ops.MulScalar(x, 0)), ops.Cast(ops.Scalar(x, .1), shape.Float64)}
	for _, off := range [][]string{nil, {"fold", "simplify", "fuse"}} {
		m, _ := machine(t, outs, vm.Without(off...))
		got, err := m.Run(ctx, f32([]float32{3, 1e10}, 2))
		require.NoError(t, err)
		tenth, three := float32(.1), float32(3)
		require.Equal(t, []float32{three * tenth, 1e10 * tenth}, floats(got[0]))
		require.Equal(t, floats(got[0]), floats(got[1]))
		require.Equal(t, []float32{tenth, tenth}, floats(got[2]))
		require.Equal(t, []float64{float64(tenth)}, got[3].Float64s())
	}
}

func TestOneTensorForTwoInputs(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N)), g.Input("y", shape.F32(shape.N))
	in := f32([]float32{1, 2}, 2)
	got := compute(t, []*graph.Node{ops.Add(ops.Neg(x), ops.MulScalar(y, 3)), x, y}, in, in)
	require.Equal(t, []float32{2, 4}, floats(got[0]))
	got[1].Float32s()[0] = 9
	require.Equal(t, []float32{1, 2}, floats(got[2]))
	require.Equal(t, []float32{1, 2}, floats(in))
}

// N comes from an input whose elements nobody reads.
func TestAnInputThatLendsItsShapeAlone(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	w := g.Param("w", shape.F32(), graph.Fill(2))
	got := compute(t, []*graph.Node{ops.Mul(w, ops.Count(x)), ops.OnesLike(x)}, f32(make([]float32, 12), 4, 3))
	require.Equal(t, []float32{24}, floats(got[0]))
	require.Len(t, floats(got[1]), 12)
}

// lengths is an op whose kernel notes how long its input is.
type lengths struct{ seen *int }

func (lengths) Name() string                              { return "Lengths" }
func (lengths) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (l lengths) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{By: "test", Kernel: func(c *engine.Call) error {
		*l.seen = c.In[0].Len()
		return nil
	}}, nil
}

// The library makes a scalar of a slice of one element, but keeps the elements behind it.
func TestAKernelSeesNoMoreThanItsInput(t *testing.T) {
	g := graph.New()
	var n int
	m, _ := machine(t, []*graph.Node{graph.Apply(lengths{&n}, g.Input("x", shape.F32()))})
	one, err := f32([]float32{1, 2, 3, 4, 5, 6}, 3, 2).Slice(tensor.S(0, 3, 2), tensor.S(1))
	require.NoError(t, err)
	require.Equal(t, 0, one.Shape().Dims())
	_, err = m.Run(ctx, one.(*tensor.Dense))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// remote is an engine whose memory only it can read.
type remote struct{ tensor.StdEng }

func (remote) AllocAccessible() bool                   { return false }
func (remote) Alloc(size int64) (tensor.Memory, error) { return device(size), nil }
func (remote) NonStdAlloc()                            {}
func (remote) WorksWith(tensor.DataOrder) bool         { return true }

type device int64

func (d device) Uintptr() uintptr { return 0x1000 }
func (d device) MemSize() uintptr { return uintptr(d) }

func TestTensorsThatCannotBeFed(t *testing.T) {
	_, x := vector()
	m, s := machine(t, []*graph.Node{ops.Neg(x)})
	for _, c := range []struct {
		want string
		in   *tensor.Dense
	}{
		{"nil", nil},
		{"it has no element type", new(tensor.Dense)},
		{"masked tensors are not supported", tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}, []bool{true, false}))},
		{"element type complex64 is not supported", tensor.New(tensor.Of(tensor.Complex64), tensor.WithShape(2))},
		{"cannot be read by Go", tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2), tensor.WithEngine(remote{}))},
	} {
		_, err := m.Run(ctx, c.in)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, `"x"`)
		require.NotContains(t, err.Error(), "PANIC")
		if c.in != nil {
			require.ErrorContains(t, s.Set("w", c.in), c.want)
		}
		_, err = vm.Number(c.in)
		require.Error(t, err)
	}
	require.Empty(t, s.Names())
}

func TestNilContextOptionAndTracer(t *testing.T) {
	_, x := vector()
	m, _ := machine(t, []*graph.Node{ops.Neg(x)})
	var none context.Context
	_, err := m.Run(none, f32([]float32{1}, 1))
	require.ErrorContains(t, err, "context is nil")
	out, err := m.Trace(ctx, nil, f32([]float32{1}, 1))
	require.NoError(t, err)
	require.Equal(t, []float32{-1}, floats(out[0]))
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{x}, nil)
	require.ErrorContains(t, err, "option is nil")
}

func TestSizesBeyondMemory(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1<<20, 1<<10))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Neg(x)})
	require.NoError(t, err)
	for _, n := range []int{1 << 20, 1 << 31, 1 << 40, 1 << 62} {
		_, err = p.Memory(n)
		require.ErrorContains(t, err, "float32(", "N = %d", n)
	}
	m, err := p.Memory(64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, m.Arena, 4<<36)

	many := x // no value is too large, but all together are
	var outs []*graph.Node
	for range 5 {
		many = ops.Neg(ops.Tanh(many))
		outs = append(outs, many)
	}
	p, err = vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	_, err = p.Memory(1 << 14)
	require.ErrorContains(t, err, "more than memory can hold")

	g = graph.New()
	w := g.Param("w", shape.F32(1<<30, 1<<20), nil)
	p, err = vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(w)})
	require.NoError(t, err)
	_, err = p.NewMachine(vm.NewStore(1))
	require.ErrorContains(t, err, `"w"`)
	require.ErrorContains(t, err, "more than memory can hold")
}
