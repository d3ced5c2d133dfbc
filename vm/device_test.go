package vm_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// What a kernel of the host packs of a parameter that a device has stays on the host.
func TestAKernelOfTheHostIsGivenItsPackedFormOnADevice(t *testing.T) {
	d := enginetest.NewDevice(1 << 20)
	defer d.Close()
	log := &packLog{form: "reversed"}
	_, _, y := reversed(log)
	p, err := vm.Compile(d, []*graph.Node{y})
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	require.NoError(t, s.Set("w", f32([]float32{10, 1}, 1, 2)))
	for range 3 {
		runs(t, m, []float32{1, 20}, 1, 2)
	}
	require.EqualValues(t, 1, log.packings.Load())
	require.Zero(t, log.unpacked.Load())
	require.NoError(t, s.Set("w", f32([]float32{3, 2}, 1, 2)))
	runs(t, m, []float32{2, 6}, 1, 2)
	require.EqualValues(t, 2, log.packings.Load(), "the value has changed")
}

// What is known when a program is compiled is computed by the device's kernels too; where a result
// is written over an input, the copies of a kernel of the host are one memory as well.
func TestADeviceComputesWhatIsKnownBefore(t *testing.T) {
	want := []float32{}
	for _, own := range [][]string{{"none"}, nil, {"Map"}, {"MatMul"}} {
		d := enginetest.NewDevice(1<<20, own...)
		defer d.Close()
		g := graph.New()
		a := g.Const(shape.F32(2, 2), []float64{1, 2, 3, 4})
		x := g.Input("x", shape.F32(shape.N, 2))
		y := ops.Add(ops.MatMul(x, ops.MatMul(a, a)), ops.Mul(ops.Tanh(ops.MatMul(x, a)), ops.Scalar(x, 2)))
		y = ops.Softmax(ops.Tanh(ops.Neg(y)), -1)
		p, err := vm.Compile(d, []*graph.Node{y}, vm.Checked)
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		out, err := m.Run(ctx, f32([]float32{.1, .2, .3, .4, .5, .6}, 3, 2))
		require.NoError(t, err)
		if len(want) == 0 {
			want = append(want, floats(out[0])...)
		}
		require.Equal(t, want, floats(out[0]))
	}
}

// strayed is bound to a kernel for the memory of another engine.
type strayed struct{ of engine.Device }

func (strayed) Name() string                              { return "Strayed" }
func (strayed) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (o strayed) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{By: "stray", Memory: o.of.Memory(), Kernel: func(c *engine.Call) error {
		copy(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]))
		return nil
	}}, nil
}

func TestAKernelForAnotherMemoryIsAnError(t *testing.T) {
	d := enginetest.NewDevice(1 << 20)
	defer d.Close()
	g := graph.New()
	y := graph.Apply(strayed{d}, g.Input("x", shape.F32(2)))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y})
	require.NoError(t, err)
	_, err = p.Memory(1)
	require.ErrorContains(t, err, "bound to a kernel for the memory of a device; that of engine ref is host's")

	p, err = vm.Compile(d, []*graph.Node{y})
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	_, err = m.Run(ctx, f32([]float32{1, 2}, 2))
	require.ErrorContains(t, err, "a float32 buffer in the memory of a device was read by the host", "it says that it is the device's, and is not")
	require.ErrorContains(t, err, "device_test.go:")
}

// sharing has processors that may not share out what only begins.
type sharing struct{ *enginetest.Device }

func (sharing) Share(int, func(lo, hi int)) {
	panic("kernels of a device are begun one after the other")
}

func (s sharing) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := s.Device.BindMap(m, in, out)
	b.Serial = true
	return b, err
}

func TestStepsOfADeviceAreNotSharedOut(t *testing.T) {
	d := enginetest.NewDevice(1 << 20)
	defer d.Close()
	g := graph.New()
	x, z := g.Input("x", shape.F32(shape.N, 2)), g.Input("z", shape.F32(shape.N, 3))
	p, err := vm.Compile(sharing{d}, []*graph.Node{ops.Tanh(x), ops.Exp(z)}, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	out, err := m.Run(ctx, f32([]float32{0, 0}, 1, 2), f32([]float32{0, 0, 0}, 1, 3))
	require.NoError(t, err)
	require.Equal(t, []float32{0, 0}, floats(out[0]))
	require.Equal(t, []float32{1, 1, 1}, floats(out[1]))
}

// packless fails to pack, after the call has returned.
type packless struct{ *enginetest.Device }

func (e packless) BindMatMul(m engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Device.BindMatMul(m, in, out)
	b.Packing.Kernel = func(c *engine.Call) error {
		c.Fail(errors.New("no room"))
		return nil
	}
	return b, err
}

func TestALateErrorOfPackingIsToldAtItsNode(t *testing.T) {
	d := enginetest.NewDevice(1 << 20)
	defer d.Close()
	g := graph.New()
	y := ops.MatMul(g.Input("x", shape.F32(shape.N, 2)), g.Param("w", shape.F32(2, 2), graph.Fill(3)))
	p, err := vm.Compile(packless{d}, []*graph.Node{y})
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	_, err = m.Run(ctx, f32([]float32{0, 0}, 1, 2))
	require.ErrorContains(t, err, "packing input 1: no room")
	require.ErrorContains(t, err, "device_test.go:")
}
