package enginetest_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

const room = 256 << 20

func newDevice(t testing.TB, own ...string) *enginetest.Device {
	d := enginetest.NewDevice(room, own...)
	t.Cleanup(d.Close)
	return d
}

func TestDeviceConforms(t *testing.T) {
	enginetest.Run(t, newDevice(t), enginetest.Options{Brief: true})
}

func TestTheHostCannotReachADevice(t *testing.T) {
	m := newDevice(t).Memory()
	r, err := m.Alloc(16)
	require.NoError(t, err)
	b := r.At(8, shape.Float32, 2)
	require.PanicsWithValue(t, "engine: a float32 buffer in the memory of a device was read by the host; see engine.Device", func() { b.Bytes() })
	require.Panics(t, func() { engine.Slice[float32](b) })
	require.Panics(t, func() { r.Bytes() })
	require.Panics(t, func() { r.At(12, shape.Float32, 2) })
	require.Panics(t, func() { r.At(2, shape.Float32, 1) })
	require.False(t, b.Overlaps(make([]byte, 1)))

	require.NoError(t, m.Load(b, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	require.NoError(t, m.Sync())
	require.NoError(t, m.Copy(r.At(0, shape.Float32, 1), b.At(4, shape.Float32, 1)))
	got := make([]byte, 16)
	require.NoError(t, m.Store(got, r.At(0, shape.Uint8, 16)))
	require.Equal(t, []byte{5, 6, 7, 8}, got[:4])
	require.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8}, got[8:])

	r.Free()
	r.Free()
	require.NoError(t, m.Load(b, make([]byte, 8)), "it is told later")
	require.ErrorContains(t, m.Sync(), "freed")
	require.NoError(t, m.Sync())
}

// What nobody can reach any more is given back, once.
func TestTheCollectorFreesMemoryOfADevice(t *testing.T) {
	d := newDevice(t)
	r, err := d.Memory().Alloc(100)
	require.NoError(t, err)
	b := r.At(0, shape.Uint8, 100)
	runtime.GC()
	require.Zero(t, d.Freed())
	require.Equal(t, 100, b.Len())
	for d.Freed() == 0 {
		runtime.GC()
		runtime.Gosched()
	}
	require.Equal(t, 100, d.Freed())
}

// trainer is LeNet on some engine.
type trainer struct {
	*vm.Machine
	store *vm.Store
}

// compileLeNet compiles LeNet with Adam.
func compileLeNet(t testing.TB, e engine.Engine, options ...vm.Option) *vm.Program {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
	logits := lenet.Model.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(logits, y)
	optim.Adam{LR: 1e-3}.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(e, []*graph.Node{loss, logits}, options...)
	require.NoError(t, err)
	return p
}

func newTrainer(t testing.TB, e engine.Engine) trainer {
	s := vm.NewStore(7)
	m, err := compileLeNet(t, e, vm.Train, vm.Checked).NewMachine(s)
	require.NoError(t, err)
	return trainer{m, s}
}

// digits is n images and their labels, others for each seed.
func digits(n, seed int) (x, y *tensor.Dense) {
	v, labels := make([]float32, n*28*28), make([]int32, n)
	for i := range v {
		v[i] = float32((7919*i+seed*104729)%1009)/504.5 - 1
	}
	for i := range labels {
		labels[i] = int32((37*i + seed) % 10)
	}
	return tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.WithBacking(v)), tensor.New(tensor.WithShape(n), tensor.WithBacking(labels))
}

// bits are those of all values of a store.
func bits(t testing.TB, s *vm.Store) []byte {
	var b bytes.Buffer
	for _, name := range s.Names() {
		v, err := s.Value(name)
		require.NoError(t, err)
		fmt.Fprintln(&b, name, v.Shape())
		switch v := v.Data().(type) {
		case []float32:
			for _, x := range v {
				fmt.Fprintf(&b, "%08x ", math.Float32bits(x))
			}
		default:
			fmt.Fprintln(&b, v)
		}
	}
	return b.Bytes()
}

// trained makes steps, and goes on from a file in the middle. It returns the losses and the bits.
func trained(t testing.TB, e engine.Engine, steps int) (losses []float32, values []byte) {
	tr := newTrainer(t, e)
	for i := range steps {
		if i == steps/2 {
			path := filepath.Join(t.TempDir(), "half.safetensors")
			require.NoError(t, tr.store.Save(path, nil))
			tr = newTrainer(t, e)
			_, err := tr.store.Load(path, vm.LoadOptions{})
			require.NoError(t, err)
		}
		x, y := digits(8, i)
		outs, err := tr.Run(context.Background(), x, y)
		require.NoError(t, err)
		losses = append(losses, outs[0].Data().(float32))
		losses = append(losses, outs[1].Float32s()...)
	}
	return losses, bits(t, tr.store)
}

func TestADeviceTrainsLeNetToTheBitsOfRef(t *testing.T) {
	const steps = 10
	losses, values := trained(t, ref.Engine{}, steps)
	kernels := [][]string{nil, {"MatMul"}, {"Map", "Conv2DFilterGrad", "Softmax"}, {"none"}}
	if testing.Short() {
		kernels = kernels[:2]
	}
	for _, own := range kernels {
		t.Run(fmt.Sprint(own), func(t *testing.T) {
			d := newDevice(t, own...)
			l, v := trained(t, d, steps)
			require.Equal(t, losses, l)
			require.Equal(t, string(values), string(v))
			require.Positive(t, d.Allocated())
		})
	}
}

// Fit, and a Predictor of what it gives, work on a device as they do elsewhere.
func TestFitTrainsOnADevice(t *testing.T) {
	pixels, labels := make([]float32, 40*16), make([]int32, 40)
	for i := range pixels {
		pixels[i] = float32((i*7919)%101)/50 - 1
	}
	for i := range labels {
		labels[i] = int32(i % 3)
	}
	set, err := data.New(pixels, labels, data.Info{Input: shape.F32(1, 4, 4), Classes: []string{"a", "b", "c"}})
	require.NoError(t, err)
	model := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm"}, nn.ReLU{},
		nn.Flatten{}, nn.Dropout{P: .5}, nn.Linear{Name: "fc", Out: 3},
	}
	fit := func(e engine.Engine) (values []byte, probabilities []float32) {
		result, err := train.Fit(context.Background(), train.Config{
			Model: model, Train: set, Validation: set, Engine: e, Optimizer: optim.Adam{}, Epochs: 3, Batch: 16, Seed: 4,
		})
		require.NoError(t, err)
		p, err := train.NewPredictor(model, result.Checkpoint, e)
		require.NoError(t, err)
		v, err := p.Predict(context.Background(), pixels[:16])
		require.NoError(t, err)
		s, err := result.Checkpoint.Store.Snapshot()
		require.NoError(t, err)
		return bits(t, s), v
	}
	values, probabilities := fit(ref.Engine{})
	for _, own := range [][]string{nil, {"Map", "Random", "MatMul"}} {
		v, p := fit(newDevice(t, own...))
		require.Equal(t, string(values), string(v))
		require.Equal(t, probabilities, p)
	}
}

// What a program has on the host is told apart from what is the device's.
func TestKernelsThatADeviceLacksAreOfTheHost(t *testing.T) {
	p := compileLeNet(t, newDevice(t, "MatMul"), vm.Train)
	by := map[string]int{}
	list, err := p.Describe(4)
	require.NoError(t, err)
	for _, in := range list {
		by[in.Engine]++
	}
	require.Equal(t, 9, by["device"], "three layers, each with two adjoints: %v", by)
	require.Positive(t, by["ref"])
}

// Inference packs what does not change, on the device and, for kernels of the host, there.
func TestADeviceInfersWithAnyBatchSize(t *testing.T) {
	sizes := []int{3, 1, 9, 2, 5, 33, 4, 3, 9}
	run := func(t *testing.T, e engine.Engine) (all []float32) {
		m, err := compileLeNet(t, e, vm.Checked).NewMachine(vm.NewStore(7))
		require.NoError(t, err)
		for i, n := range sizes {
			x, y := digits(n, i)
			outs, err := m.Run(context.Background(), x, y)
			require.NoError(t, err)
			all = append(all, outs[1].Float32s()...)
		}
		return all
	}
	want := run(t, ref.Engine{})
	for _, own := range [][]string{nil, {"MatMul"}, {"Conv2D"}} {
		require.Equal(t, want, run(t, newDevice(t, own...)), own)
	}
}

// A machine that needs a larger arena gives the old one back, and so the inputs of batch sizes
// that it has forgotten.
func TestALargerArenaFreesTheOld(t *testing.T) {
	d := newDevice(t, "Conv2DMaxPool", "Map")
	p := compileLeNet(t, d)
	m, err := p.NewMachine(vm.NewStore(7))
	require.NoError(t, err)
	others := d.Allocated() // constants, parameters
	require.Zero(t, d.Freed())
	inputs := func(n int) int { return n * (28*28*4 + 4) }
	held := func(n int) int {
		x, y := digits(n, 0)
		_, err := m.Run(context.Background(), x, y)
		require.NoError(t, err)
		return d.Allocated() - d.Freed() - others
	}
	for _, n := range []int{2, 64} {
		memory, err := p.Memory(n)
		require.NoError(t, err)
		require.Equal(t, memory.Arena+inputs(n), held(n))
	}
	for n := 3; n < 20; n++ {
		held(n)
	}
	memory, err := p.Memory(64)
	require.NoError(t, err)
	require.Equal(t, memory.Arena+inputs(16+17+18+19), held(19), "four batch sizes are kept")
}

func TestADeviceRefusesAStepThatIsNotFinite(t *testing.T) {
	tr := newTrainer(t, newDevice(t))
	before := bits(t, tr.store)
	x, y := digits(4, 0)
	x.Float32s()[5] = float32(math.NaN())
	_, err := tr.Run(context.Background(), x, y)
	require.ErrorIs(t, err, vm.ErrNotFinite)
	require.Equal(t, before, bits(t, tr.store))
	require.Zero(t, tr.store.Writes("conv1.weight"))
	x.Float32s()[5] = 0
	_, err = tr.Run(context.Background(), x, y)
	require.NoError(t, err)
	require.NotEqual(t, before, bits(t, tr.store))
}

// A kernel that fails when the call has long returned is told with its line, and nothing is
// changed.
func TestALateErrorIsToldAtItsNode(t *testing.T) {
	tr := newTrainer(t, newDevice(t))
	before := bits(t, tr.store)
	x, y := digits(4, 0)
	y.Int32s()[2] = 10
	_, err := tr.Run(context.Background(), x, y)
	require.ErrorContains(t, err, "device_test.go:")
	host := newTrainer(t, ref.Engine{})
	_, want := host.Run(context.Background(), x, y)
	require.EqualError(t, err, want.Error())
	require.Equal(t, before, bits(t, tr.store))
	y.Int32s()[2] = 0
	_, err = tr.Run(context.Background(), x, y)
	require.NoError(t, err)
}

func TestACancelledStepOfADeviceChangesNothing(t *testing.T) {
	tr := newTrainer(t, newDevice(t))
	before := bits(t, tr.store)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x, y := digits(4, 0)
	_, err := tr.Run(ctx, x, y)
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(context.Background())
	seen := 0
	_, err = tr.Profile(ctx, func(vm.Instruction) {
		if seen++; seen == 5 {
			cancel()
		}
	}, x, y)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, bits(t, tr.store))
	_, err = tr.Run(context.Background(), x, y)
	require.NoError(t, err)
}

// Whoever looks at a run sees values and times of kernels that have ended.
func TestARunOfADeviceIsSeen(t *testing.T) {
	results := func(e engine.Engine) (all []float64) {
		tr := newTrainer(t, e)
		x, y := digits(3, 1)
		_, err := tr.Trace(context.Background(), func(_ vm.Instruction, results []*tensor.Dense) {
			for _, r := range results {
				if v, ok := r.Data().([]float32); ok {
					for _, x := range v {
						all = append(all, float64(x))
					}
				}
			}
		}, x, y)
		require.NoError(t, err)
		ended := func() {
			if d, ok := e.(*enginetest.Device); ok {
				require.Zero(t, d.Pending())
			}
		}
		_, err = tr.Profile(context.Background(), func(vm.Instruction) { ended() }, x, y)
		require.NoError(t, err)
		spans := 0
		require.NoError(t, tr.Observe(vm.Observer{Labels: true, Span: func(s vm.Span) { ended(); spans++ }}))
		_, err = tr.Run(context.Background(), x, y)
		require.NoError(t, err)
		require.Positive(t, spans)
		return all
	}
	want := results(ref.Engine{})
	require.Equal(t, want, results(newDevice(t)))
	require.Equal(t, want, results(newDevice(t, "Conv2D")))
}

// A store is of one memory; a copy of it may be of another.
func TestAStoreIsOfOneMemory(t *testing.T) {
	d, s := newDevice(t), vm.NewStore(3)
	require.NoError(t, s.Set("conv1.bias", tensor.New(tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))))
	_, err := compileLeNet(t, d).NewMachine(s)
	require.NoError(t, err, "what was set before is moved")
	v, err := s.Value("conv1.bias")
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, v.Float32s())
	require.NoError(t, s.Set("conv1.bias", tensor.New(tensor.WithBacking([]float32{6, 5, 4, 3, 2, 1}))))

	_, err = compileLeNet(t, ref.Engine{}).NewMachine(s)
	require.EqualError(t, err, "vm: the store's values are in the memory of a device, engine ref has that of host; use a Snapshot of the store")
	_, err = compileLeNet(t, newDevice(t)).NewMachine(s)
	require.ErrorContains(t, err, "Snapshot", "another device's")
	c, err := s.Snapshot()
	require.NoError(t, err)
	require.Equal(t, bits(t, s), bits(t, c))
	_, err = compileLeNet(t, ref.Engine{}).NewMachine(c)
	require.NoError(t, err)
	_, err = compileLeNet(t, d).NewMachine(c)
	require.ErrorContains(t, err, "are in the memory of host")
}

func TestMemoryThatADeviceLacksIsAnError(t *testing.T) {
	d := enginetest.NewDevice(600<<10, "MatMul")
	defer d.Close()
	s := vm.NewStore(1)
	m, err := compileLeNet(t, d).NewMachine(s)
	require.NoError(t, err)
	x, y := digits(64, 0)
	_, err = m.Run(context.Background(), x, y)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.ErrorContains(t, err, "a device")
	x, y = digits(1, 0)
	_, err = m.Run(context.Background(), x, y)
	require.NoError(t, err)

	small := enginetest.NewDevice(100 << 10)
	defer small.Close()
	s = vm.NewStore(1)
	p := compileLeNet(t, small)
	_, err = p.NewMachine(s)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.Empty(t, s.Names())
	_, err = compileLeNet(t, ref.Engine{}).NewMachine(s)
	require.NoError(t, err, "it belongs to nobody")
}

// Programs of several machines on a device do not disturb each other.
func TestMachinesOfADeviceRunAtOnce(t *testing.T) {
	d, s := newDevice(t, "Map", "MatMul"), vm.NewStore(7)
	p := compileLeNet(t, d)
	x, y := digits(4, 0)
	wrong := tensor.New(tensor.WithBacking([]int32{0, 11, 0, 0}))
	done := make(chan []float32, 3)
	for i := range 3 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		go func() {
			var last []float32
			for range 5 {
				if i == 0 {
					if _, err := m.Run(context.Background(), x, wrong); err == nil {
						t.Error("a label that there is not was taken")
					}
					continue
				}
				outs, err := m.Run(context.Background(), x, y)
				if err != nil {
					t.Error(err)
					break
				}
				last = outs[1].Float32s()
			}
			done <- last
		}()
	}
	var all [][]float32
	for range 3 {
		if v := <-done; v != nil {
			all = append(all, v)
		}
	}
	require.Len(t, all, 2)
	require.Equal(t, all[0], all[1])
}

func TestACloseEndsTheDevice(t *testing.T) {
	before := runtime.NumGoroutine()
	d := enginetest.NewDevice(room)
	tr := newTrainer(t, d)
	x, y := digits(2, 0)
	_, err := tr.Run(context.Background(), x, y)
	require.NoError(t, err)
	d.Close()
	d.Close()
	_, err = tr.Run(context.Background(), x, y)
	require.ErrorContains(t, err, "closed")
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}
