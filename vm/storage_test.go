package vm_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// wave is n numbers that no narrow type has as they are.
func wave(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 90 * math.Sin(float64(1+i))
	}
	return v
}

// network is a convolution and a product, whose parameters are stored as d and cast where they are
// used.
func network(d shape.DType) (y *graph.Node, leaves []*graph.Node) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 6, 6))
	param := func(name string, dims ...shape.Dim) *graph.Node {
		p := g.Param(name, shape.Make(d, dims...), nil)
		leaves = append(leaves, p)
		return ops.Cast(p, shape.Float32)
	}
	h := ops.ReLU(ops.AddBias(ops.Conv2D(x, param("conv.weight", 4, 1, 3, 3), ops.Conv2DOp{}), param("conv.bias", 4)))
	return ops.AddBias(ops.MatMul(ops.Flatten(h), param("fc.weight", 64, 3)), param("fc.bias", 3)), leaves
}

// narrowed are waves, rounded to d.
func narrowed(t *testing.T, d shape.DType, s shape.Shape) *tensor.Dense {
	t.Helper()
	v := wave(s.Len())
	if d == shape.Int8 {
		for i := range v {
			v[i] = math.Trunc(v[i])
		}
	}
	wide := engine.DenseOf(s, engine.BufferOf(v))
	got, err := engine.Converted(wide, d)
	require.NoError(t, err)
	return got
}

func inferred(t *testing.T, e engine.Engine, y *graph.Node, s *vm.Store) []float32 {
	t.Helper()
	p, err := vm.Compile(e, []*graph.Node{y})
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	x := engine.AppendFloat32s(nil, narrowed(t, shape.Float32, shape.Of(5, 1, 6, 6)))
	out, err := m.Run(ctx, f32(x, 5, 1, 6, 6))
	require.NoError(t, err)
	return floats(out[0])
}

// A model whose parameters are stored in a narrow type gives the bits that it gives with float32
// parameters of the same numbers; so it does once it has been saved and loaded, in a file of the
// type.
func TestAModelIsInferredWithAsItIsStored(t *testing.T) {
	device := enginetest.NewDevice(64 << 20)
	t.Cleanup(device.Close)
	for _, d := range []shape.DType{shape.BFloat16, shape.Float16, shape.Int8} {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New(), device} {
			narrow, leaves := network(d)
			wide, _ := network(shape.Float32)
			ns, ws := vm.NewStore(1), vm.NewStore(1)
			for _, l := range leaves {
				v := narrowed(t, d, l.Type().Shape)
				require.NoError(t, ns.Set(l.Name(), v))
				w, err := engine.Converted(v, shape.Float32)
				require.NoError(t, err)
				require.NoError(t, ws.Set(l.Name(), w))
			}
			want := inferred(t, e, wide, ws)
			require.Equal(t, want, inferred(t, e, narrow, ns), "%s, %v", e.Name(), d)

			path := filepath.Join(t.TempDir(), "w.safetensors")
			require.NoError(t, ns.Save(path, nil))
			f, err := safetensors.ReadFile(path)
			require.NoError(t, err)
			for _, tensor := range f.Tensors {
				require.Equal(t, d, tensor.Type.DType)
				require.Len(t, tensor.Data, tensor.Type.Len()*d.Width())
			}
			for _, o := range []vm.LoadOptions{{}, {For: leaves}} {
				loaded := vm.NewStore(2)
				report, err := loaded.Load(path, o)
				require.NoError(t, err)
				require.Empty(t, report.Widened)
				require.Equal(t, want, inferred(t, e, narrow, loaded), "%s, %v", e.Name(), d)
			}
			snap, err := ns.Snapshot()
			require.NoError(t, err)
			require.Equal(t, want, inferred(t, e, narrow, snap))
			if d != shape.Int8 {
				_, asWide := network(shape.Float32)
				require.NoError(t, ns.Widen(asWide...))
				require.Equal(t, want, inferred(t, e, wide, ns), "%s, %v", e.Name(), d)
			}
		}
	}
}

// Whoever asks for float32 is given it, of the floating-point types; int8 is no float32 but for
// its scale.
func TestAFileOfANarrowTypeIsWidenedForLeavesOfFloat32(t *testing.T) {
	wide, leaves := network(shape.Float32)
	for _, d := range []shape.DType{shape.BFloat16, shape.Float16, shape.Int8} {
		ns, ws := vm.NewStore(1), vm.NewStore(1)
		for _, l := range leaves {
			v := narrowed(t, d, l.Type().Shape)
			require.NoError(t, ns.Set(l.Name(), v))
			w, err := engine.Converted(v, shape.Float32)
			require.NoError(t, err)
			require.NoError(t, ws.Set(l.Name(), w))
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		require.NoError(t, ns.Save(path, nil))
		s := vm.NewStore(1)
		report, err := s.Load(path, vm.LoadOptions{For: leaves})
		if d == shape.Int8 {
			require.ErrorContains(t, err, "conv.bias is int8(4), the model needs float32(4)")
			continue
		}
		require.NoError(t, err)
		require.Len(t, report.Widened, 4)
		require.Equal(t, inferred(t, ref.Engine{}, wide, ws), inferred(t, ref.Engine{}, wide, s))

		whole := vm.NewStore(1)
		_, err = whole.Load(path, vm.LoadOptions{})
		require.NoError(t, err)
		p, err := vm.Compile(ref.Engine{}, []*graph.Node{wide})
		require.NoError(t, err)
		_, err = p.NewMachine(whole)
		require.ErrorContains(t, err, "; make the leaf "+d.String()+" and Cast it in the graph, or convert the value: Store.Widen does")
		require.NoError(t, whole.Widen(leaves...))
		require.Equal(t, inferred(t, ref.Engine{}, wide, ws), inferred(t, ref.Engine{}, wide, whole))
	}
}

func TestAValueOfAStorageTypeIsExactInAStore(t *testing.T) {
	bits := []shape.Brain{0x3f80, 0x8000, 0x7f80, 0x7f81, 1}
	s := vm.NewStore(1)
	require.NoError(t, s.Set("w", tensor.New(tensor.WithBacking(bits))))
	got, err := s.Value("w")
	require.NoError(t, err)
	require.Equal(t, bits, got.Data())
	require.EqualError(t, s.Set("w", f32(make([]float32, 5), 5)), `vm: "w" is bfloat16(5), the new value is float32(5)`)

	turned := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]shape.Half{1, 2, 3, 4}))
	require.NoError(t, turned.T())
	require.NoError(t, s.Set("turned", turned))
	got, err = s.Value("turned")
	require.NoError(t, err)
	require.Equal(t, []shape.Half{1, 3, 2, 4}, got.Data())

	g := graph.New()
	require.NoError(t, s.Init(g.Param("third", shape.F16(1), graph.Fill(1./3)), g.Param("seven", shape.I8(2), graph.Fill(7))))
	got, err = s.Value("third")
	require.NoError(t, err)
	require.Equal(t, []shape.Half{shape.HalfOf(1. / 3)}, got.Data())
	require.ErrorContains(t, s.Init(g.Param("large", shape.I8(1), graph.Fill(128))), `the initialiser of "large" sets an element to 128, which is not a valid int8`)
	number, err := vm.Number(tensor.New(tensor.WithBacking([]shape.Half{0x3c00})))
	require.NoError(t, err)
	require.Equal(t, 1., number)
}

// Inputs, constants, results and states may have such a type; a state is updated by what is cast
// to it.
func TestStorageTypesGoInAndOutAndStay(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		g := graph.New()
		x := g.Input("x", shape.BF16(shape.N, 2))
		c := g.Const(shape.I8(2), []float64{-3, 100})
		mean := g.State("mean", shape.F16(2), graph.Fill(1))
		wide := func(n *graph.Node) *graph.Node { return ops.Cast(n, shape.Float32) }
		y := ops.Cast(ops.Mul(wide(x), wide(c)), shape.BFloat16)
		g.Update(mean, ops.Cast(ops.Add(wide(mean), ops.Mean(wide(x), 0)), shape.Float16))
		last := ops.Cast(ops.Sum(wide(x)), shape.BFloat16)
		p, err := vm.Compile(e, []*graph.Node{y, last}, vm.Train)
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		in := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]shape.Brain{0x3f80, 0x3f81, 0x4000, 0xbf80}))
		outs, err := m.Run(ctx, in)
		require.NoError(t, err)
		require.Equal(t, []float64{-3, 101, -6, -100}, engine.Floats(engine.BufferOfDense(outs[0])), e.Name())
		v, err := s.Value("mean")
		require.NoError(t, err)
		require.Equal(t, []shape.Half{shape.HalfOf(2.5), shape.HalfOf(1 + 0x1p-8)}, v.Data())
		require.ErrorContains(t, func() error { _, err := m.Run(ctx, f32(make([]float32, 4), 2, 2)); return err }(), `input "x" is bfloat16(N,2), the tensor given holds float32`)

		// A scalar of a training program is checked before anything is written, of these types
		// too.
		_, err = m.Run(ctx, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]shape.Brain{0x7f80, 0})))
		require.ErrorIs(t, err, vm.ErrNotFinite)
		v, err = s.Value("mean")
		require.NoError(t, err)
		require.Equal(t, shape.HalfOf(2.5), v.Data().([]shape.Half)[0])
	}
}

// scaled multiplies float32 by weights that are stored as bfloat16, from a packed form that is
// float32: what an engine does that has no kernels for the type.
type scaled struct{ packings *int }

func (scaled) Name() string                              { return "Scaled" }
func (scaled) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (op scaled) Bind(_ engine.Engine, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	n := in[1].Len()
	return engine.Bound{
		By: "test",
		Kernel: func(c *engine.Call) error {
			w, y := engine.Slice[float32](c.Packed.At(0, shape.Float32, n)), engine.Slice[float32](c.Out[0])
			for i, x := range engine.Slice[float32](c.In[0]) {
				y[i] = x * w[i%n]
			}
			return nil
		},
		Packing: engine.Packing{In: 1, Bytes: 4 * n, Form: "widened", Kernel: func(c *engine.Call) error {
			*op.packings++
			to := engine.Slice[float32](c.Out[0].At(0, shape.Float32, n))
			for i, w := range engine.Slice[shape.Brain](c.In[0]) {
				to[i] = w.Float32()
			}
			return nil
		}},
	}, nil
}

func TestAConstantOperandOfAStorageTypeIsPackedFromIt(t *testing.T) {
	for name, leaf := range map[string]func(g *graph.Graph) *graph.Node{
		"parameter": func(g *graph.Graph) *graph.Node { return g.Param("w", shape.BF16(2), graph.Fill(3)) },
		"constant":  func(g *graph.Graph) *graph.Node { return g.Const(shape.BF16(2), []float64{3, 3}) },
	} {
		packings := 0
		g := graph.New()
		y := graph.Apply(scaled{&packings}, g.Input("x", shape.F32(shape.N, 2)), leaf(g))
		m, s := machine(t, []*graph.Node{y})
		for range 3 {
			runs(t, m, []float32{3, 6}, 1, 2)
		}
		require.Equal(t, 1, packings, name)
		if name == "parameter" {
			require.NoError(t, s.Set("w", tensor.New(tensor.WithBacking([]shape.Brain{0x3f80, 0x4000}))))
			runs(t, m, []float32{1, 4}, 1, 2)
			require.Equal(t, 2, packings)
		}
	}
}

// Images are cast where they lie side by side, as cpu lays them, and come out in rows.
func TestImagesAreCastInAnyLayout(t *testing.T) {
	for _, d := range []shape.DType{shape.BFloat16, shape.Float16, shape.Int8} {
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 8, 12, 12))
		conv := func(x *graph.Node, name string) *graph.Node {
			return ops.ReLU(ops.Conv2D(x, g.Param(name, shape.F32(8, 8, 3, 3), graph.Fill(1./16)), ops.Conv2DOp{}))
		}
		kept := ops.Cast(conv(x, "a"), d)
		y := ops.MaxPool2D(conv(ops.Cast(kept, shape.Float32), "b"), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
		in := make([]float32, 32*8*12*12)
		for i := range in {
			in[i] = float32(i%17-8) / 16
		}
		var results [][]float64
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New(cpu.ExactConv)} {
			p, err := vm.Compile(e, []*graph.Node{kept, y})
			require.NoError(t, err)
			m, err := p.NewMachine(vm.NewStore(1))
			require.NoError(t, err)
			out, err := m.Run(ctx, f32(in, 32, 8, 12, 12))
			require.NoError(t, err)
			require.Equal(t, d, engine.DTypeOf(out[0]))
			results = append(results, engine.Floats(engine.BufferOfDense(out[0])), engine.Floats(engine.BufferOfDense(out[1])))
		}
		require.Equal(t, results[0], results[2], d) // the sums are exact
		require.InDeltaSlice(t, results[1], results[3], 1e-4, d)
	}
}

// A machine that is there already goes on with what was widened; nobody waits where nothing is to
// be.
func TestWideningChangesNoNumber(t *testing.T) {
	narrow, leaves := network(shape.BFloat16)
	wide, wideLeaves := network(shape.Float32)
	s := vm.NewStore(1)
	for _, l := range leaves {
		require.NoError(t, s.Set(l.Name(), narrowed(t, shape.BFloat16, l.Type().Shape)))
	}
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{narrow})
	require.NoError(t, err)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	want := inferred(t, ref.Engine{}, narrow, s)
	require.NoError(t, s.Widen(leaves...), "which want bfloat16")
	require.Equal(t, want, inferred(t, ref.Engine{}, narrow, s))
	require.NoError(t, s.Widen(wideLeaves...))
	require.Equal(t, want, inferred(t, ref.Engine{}, wide, s))
	_, err = m.Run(ctx, f32(make([]float32, 36), 1, 1, 6, 6))
	require.ErrorContains(t, err, "the store holds", "a program of the narrow type has lost its values")
	require.NoError(t, s.Widen(wideLeaves...))
	require.Error(t, (*vm.Store)(nil).Widen())

	require.NoError(t, s.Delete("fc.bias"))
	require.NoError(t, s.Set("fc.bias", tensor.New(tensor.WithBacking([]int8{1, 2, 3}))))
	require.NoError(t, s.Widen(wideLeaves...))
	v, err := s.Value("fc.bias")
	require.NoError(t, err)
	require.Equal(t, []int8{1, 2, 3}, v.Data(), "which lacks its scale")
}
