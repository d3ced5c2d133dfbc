package vm_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// counting is a program whose every run adds 1 to the two elements of w, and to steps.
func counting(t *testing.T) (*graph.Graph, *vm.Machine, *vm.Store) {
	g := graph.New()
	w, steps := g.Param("w", shape.F32(2), graph.Fill(1)), g.State("steps", shape.I64(), nil)
	g.Update(w, ops.AddScalar(w, 1))
	g.Update(steps, ops.AddScalar(steps, 1))
	m, s := machine(t, []*graph.Node{ops.Sum(w)}, vm.Train)
	return g, m, s
}

func save(t *testing.T, f safetensors.File) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, safetensors.WriteFile(path, f))
	return path
}

func TestALoopGoesOnWhereItWasSaved(t *testing.T) {
	g, m, s := counting(t)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	run := func(m *vm.Machine) float32 {
		out, err := m.Run(ctx)
		require.NoError(t, err)
		return floats(out[0])[0]
	}
	require.EqualValues(t, 2, run(m))
	require.NoError(t, s.Save(path, map[string]string{"epoch": "3"}))
	require.EqualValues(t, 4, run(m))
	require.EqualValues(t, 6, run(m))

	for _, o := range []vm.LoadOptions{{}, {For: g.Leaves()}, {For: append(g.Leaves(), g.Leaves()...)}} {
		writes := s.Writes("w")
		report, err := s.Load(path, o) // over what a machine is bound to
		require.NoError(t, err)
		require.Equal(t, vm.LoadReport{Metadata: map[string]string{"epoch": "3"}, Loaded: []string{"steps", "w"}}, report)
		require.Greater(t, s.Writes("w"), writes)
		require.EqualValues(t, 4, run(m))

		_, other, fresh := counting(t)
		require.NoError(t, fresh.Delete("steps"))
		_, err = fresh.Load(path, o)
		require.NoError(t, err)
		require.Equal(t, []string{"steps", "w"}, fresh.Names())
		require.EqualValues(t, 4, run(other))
		v, err := fresh.Value("steps")
		require.NoError(t, err)
		require.EqualValues(t, 2, v.ScalarValue())
	}
}

// Values of every type, and of every bit, come back as they were.
func TestSavingKeepsEveryType(t *testing.T) {
	s := vm.NewStore(1)
	for name, v := range map[string]any{
		"a": []float32{1, float32(math.Inf(-1)), math.SmallestNonzeroFloat32}, "b": []float64{math.Copysign(0, -1), math.NaN()},
		"c": []int32{-1, 2}, "d": []int64{math.MinInt64}, "e": []uint8{0, 255}, "f": []bool{true, false},
		"g": []shape.Brain{0x8000, 0x7f80, 0x7fc1, 1}, "h": []shape.Half{0x8000, 0x7c00, 0x7e01, 1}, "i": []int8{-128, 127},
	} {
		require.NoError(t, s.Set(name, tensor.New(tensor.WithBacking(v))))
	}
	dir := t.TempDir()
	path, again := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, s.Save(path, nil))
	var loaded vm.Store
	report, err := loaded.Load(path, vm.LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, s.Names(), report.Loaded)
	require.NoError(t, loaded.Save(again, nil))
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	got, err := os.ReadFile(again)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestAStoreInUseIsNotLoaded(t *testing.T) {
	_, m, s := counting(t)
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, s.Save(path, nil))
	asked := false
	_, err := m.Trace(ctx, func(vm.Instruction, []*tensor.Dense) {
		asked = true
		require.ErrorIs(t, s.Save(path, nil), vm.ErrBusy)
		_, err := s.Load(path, vm.LoadOptions{})
		require.ErrorIs(t, err, vm.ErrBusy)
	})
	require.NoError(t, err)
	require.True(t, asked)
	require.NoError(t, s.Save(path, nil))
}

// Loading is a write: it waits for inference as training does, and saving goes on beside that.
func TestLoadingWaitsForReaders(t *testing.T) {
	_, s, read, letGo := slowReader(t)
	require.NoError(t, s.Set("w", f32([]float32{5, 5}, 2)))
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, s.Save(path, nil))
	require.NoError(t, s.Set("w", f32([]float32{6, 6}, 2)))
	read()
	require.NoError(t, s.Save(filepath.Join(t.TempDir(), "w"), nil))
	loaded, refused := waits(t, s, func() error {
		_, err := s.Load(path, vm.LoadOptions{})
		return err
	})
	require.ErrorIs(t, refused, vm.ErrBusy)
	require.ErrorIs(t, s.Save(path, nil), vm.ErrBusy, "what is loaded is not whole yet")
	require.NoError(t, letGo())
	require.NoError(t, <-loaded)
	require.Equal(t, 5.0, first(t, s, "w"))
}

func TestNothingIsSavedOrLoadedDuringATrainingStep(t *testing.T) {
	begun, free, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	kernel := engine.Bound{By: "test", Kernel: func(c *engine.Call) error {
		begun <- struct{}{}
		<-free
		copy(c.Out[0].Bytes(), c.In[0].Bytes())
		return nil
	}}
	g := graph.New()
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	g.Update(w, ops.AddScalar(graph.Apply(bound{&kernel}, w), 1))
	m, s := machine(t, []*graph.Node{ops.Sum(w)}, vm.Train)
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, s.Save(path, nil))
	go func() {
		_, err := m.Run(ctx)
		ended <- err
	}()
	<-begun
	require.ErrorIs(t, s.Save(path+"2", nil), vm.ErrBusy)
	require.NoFileExists(t, path+"2")
	_, err := s.Load(path, vm.LoadOptions{})
	require.ErrorIs(t, err, vm.ErrBusy)
	close(free)
	require.NoError(t, <-ended)
	require.Equal(t, 2.0, first(t, s, "w"), "the step was made")
	_, err = s.Load(path, vm.LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, 1.0, first(t, s, "w"))
}

// A Trace shows values to a caller who may ask for more, and who would wait for himself.
func TestATraceOfInferenceIsSavedAndNotLoaded(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	m, s := machine(t, []*graph.Node{ops.Sum(w)})
	path, asked := filepath.Join(t.TempDir(), "w"), false
	_, err := m.Trace(ctx, func(vm.Instruction, []*tensor.Dense) {
		asked = true
		require.NoError(t, s.Save(path, nil))
		_, err := s.Load(path, vm.LoadOptions{})
		require.ErrorIs(t, err, vm.ErrBusy)
	})
	require.NoError(t, err)
	require.True(t, asked)
}

// A state_dict with a layer more, one less, one of another shape, and the counters that PyTorch
// has.
func foreign(t *testing.T) (leaves []*graph.Node, path string) {
	g := graph.New()
	g.Param("fc.weight", shape.F32(2, 3), graph.Fill(7))
	g.Param("fc.bias", shape.F32(2), graph.Fill(7))
	g.Param("bn.weight", shape.F32(3), graph.Fill(7))
	g.State("bn.running_mean", shape.F32(3), graph.Fill(7))
	half := safetensors.Tensor{Name: "bn.weight", Type: shape.F16(3), Data: []byte{0, 0x3c, 0, 0xbc, 0, 0x40}}
	return g.Leaves(), save(t, safetensors.File{Metadata: map[string]string{"format": "pt"}, Tensors: []safetensors.Tensor{
		safetensors.Of("fc.weight", shape.Of(10, 3), make([]float32, 30)),
		safetensors.Of("bn.running_mean", shape.Of(3), []float32{1, 2, 3}),
		safetensors.Of("bn.num_batches_tracked", shape.Of(), []int64{5}),
		safetensors.Of("head.weight", shape.Of(1), []float32{1}),
		{Name: "bn.scale", Stored: "F8_E4M3", Extents: []int64{2}, Data: []byte{1, 2}},
		half,
	}})
}

func TestWhatDoesNotFitIsAnErrorAndLoadsNothing(t *testing.T) {
	leaves, path := foreign(t)
	s := vm.NewStore(1)
	require.NoError(t, s.Init(leaves...))
	_, err := s.Load(path, vm.LoadOptions{For: leaves})
	var e *vm.LoadError
	require.ErrorAs(t, err, &e)
	require.EqualError(t, err, "vm: loading "+path+": the weights are those of another model: missing fc.bias; unexpected bn.scale, head.weight; fc.weight is float32(10,3), the model needs float32(2,3)")
	require.Equal(t, []string{"bn.num_batches_tracked", "bn.scale", "head.weight"}, e.Unused)
	for _, name := range s.Names() {
		require.Equal(t, 7., first(t, s, name))
	}
	_, err = s.Load(path, vm.LoadOptions{})
	require.EqualError(t, err, "vm: loading "+path+`: the weights are those of another model: bn.scale is F8_E4M3[2], which a store cannot hold, fc.weight is float32(10,3), the model needs float32(2,3)`)
}

func TestPartOfAFileIsLoadedWhereThatIsAskedFor(t *testing.T) {
	leaves, path := foreign(t)
	s := vm.NewStore(1)
	require.NoError(t, s.Init(leaves[:2]...))
	report, err := s.Load(path, vm.LoadOptions{For: leaves, Partial: true})
	require.NoError(t, err)
	require.Equal(t, vm.LoadReport{
		Metadata:   map[string]string{"format": "pt"},
		Loaded:     []string{"bn.running_mean", "bn.weight"},
		Missing:    []string{"fc.bias"},
		Unused:     []string{"bn.num_batches_tracked", "bn.scale", "head.weight"},
		Mismatched: []vm.Mismatch{{Name: "fc.weight", File: "float32(10,3)", Want: shape.F32(2, 3)}},
		Widened:    map[string]string{"bn.weight": "F16"},
	}, report)
	require.Equal(t, []string{"bn.running_mean", "bn.weight", "fc.bias", "fc.weight"}, s.Names())
	v, err := s.Value("bn.weight")
	require.NoError(t, err)
	require.Equal(t, []float32{1, -1, 2}, floats(v))
	require.Equal(t, 7., first(t, s, "fc.weight"))

	g := graph.New()
	other := g.Param("other", shape.F32(1), nil)
	_, err = s.Load(path, vm.LoadOptions{For: []*graph.Node{other}, Partial: true})
	require.ErrorContains(t, err, "missing other; unexpected bn.running_mean", "that nothing fits is an error")
	_, err = s.Load(save(t, safetensors.File{}), vm.LoadOptions{Partial: true})
	require.ErrorContains(t, err, "there is no value")
}

// Differences are allowed by name; the error has the others.
func TestDifferencesAreAllowedByName(t *testing.T) {
	leaves, path := foreign(t)
	s := vm.NewStore(1)
	allow := func(names ...string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	_, err := s.Load(path, vm.LoadOptions{For: leaves, Allow: allow("fc.bias", "head.weight")})
	require.EqualError(t, err, "vm: loading "+path+": the weights are those of another model: unexpected bn.scale; fc.weight is float32(10,3), the model needs float32(2,3)")
	require.Empty(t, s.Names())
	report, err := s.Load(path, vm.LoadOptions{For: leaves, Allow: allow("fc.bias", "head.weight", "bn.scale", "fc.weight")})
	require.NoError(t, err)
	require.Equal(t, []string{"fc.bias"}, report.Missing)
	require.Equal(t, []string{"bn.running_mean", "bn.weight"}, s.Names())

	g := graph.New()
	other := g.Param("other", shape.F32(1), nil)
	_, err = s.Load(path, vm.LoadOptions{For: []*graph.Node{other}, Allow: func(string) bool { return true }})
	require.ErrorContains(t, err, "missing other; unexpected bn.running_mean", "that nothing fits is an error")
}

// A file's names may be anything; the message stays one line.
func TestNamesOfAFileAreNotPrintedRaw(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(1), nil)
	path := save(t, safetensors.File{Tensors: []safetensors.Tensor{
		safetensors.Of("w", shape.Of(2), []float32{1, 2}), safetensors.Of("a\nb\x1b[2J", shape.Of(1), []float32{5}), safetensors.Of(strings.Repeat("x", 1000), shape.Of(1), []float32{5}),
		{Name: "v", Stored: "F\x1b[2J", Data: []byte{1}},
	}})
	_, err := vm.NewStore(1).Load(path, vm.LoadOptions{For: []*graph.Node{w}})
	require.ErrorContains(t, err, `unexpected a\nb\x1b[2J, v, xxx`)
	require.Less(t, len(err.Error()), 600)
	_, err = vm.NewStore(1).Load(path, vm.LoadOptions{})
	require.ErrorContains(t, err, `v is "F\x1b[2J"[], which a store cannot hold`)
}

func TestNamesOfAFileAreRenamed(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(1), nil)
	path := save(t, safetensors.File{Tensors: []safetensors.Tensor{
		safetensors.Of("module.w", shape.Of(1), []float32{5}), safetensors.Of("module.num_batches_tracked", shape.Of(), []int64{5}),
	}})
	s := vm.NewStore(1)
	report, err := s.Load(path, vm.LoadOptions{For: []*graph.Node{w}, Rename: func(name string) string { return name[len("module."):] }})
	require.NoError(t, err)
	require.Equal(t, vm.LoadReport{Loaded: []string{"w"}, Unused: []string{"num_batches_tracked"}}, report)
	require.Equal(t, 5., first(t, s, "w"))

	var all vm.Store
	report, err = all.Load(path, vm.LoadOptions{Rename: vm.WithoutCounters})
	require.NoError(t, err)
	require.Equal(t, vm.LoadReport{Loaded: []string{"module.w"}, Unused: []string{"module.num_batches_tracked"}}, report)
	require.Equal(t, []string{"module.w"}, all.Names())
	_, err = all.Load(path, vm.LoadOptions{Rename: func(string) string { return "x" }})
	require.ErrorContains(t, err, `"module.num_batches_tracked" and "module.w" are both renamed to "x"`)
}

func TestMistakesOfLoading(t *testing.T) {
	g, other := graph.New(), graph.New()
	s := vm.NewStore(1)
	path := save(t, safetensors.File{Tensors: []safetensors.Tensor{
		{Name: "b", Type: shape.Mask(2), Data: []byte{1, 2}}, safetensors.Of("a", shape.Of(1), []float32{1}),
	}})
	_, err := s.Load(path, vm.LoadOptions{})
	require.ErrorContains(t, err, path+`: tensor "b": BOOL element 1 is 2; want 0 or 1`)
	require.Empty(t, s.Names(), "nothing is loaded of a file that cannot be read to its end")
	_, err = s.Load(path, vm.LoadOptions{For: []*graph.Node{g.Input("x", shape.F32(1))}})
	require.ErrorContains(t, err, "For has x; want Params and States")
	_, err = s.Load(path, vm.LoadOptions{For: []*graph.Node{nil}})
	require.ErrorContains(t, err, "want Params and States")
	_, err = s.Load(path, vm.LoadOptions{For: []*graph.Node{g.Param("a", shape.F32(1), nil), other.Param("a", shape.F32(2), nil)}})
	require.ErrorContains(t, err, `For has "a" as float32(1) and as float32(2)`)
	_, err = s.Load(t.TempDir(), vm.LoadOptions{})
	require.ErrorContains(t, err, "a folder, not a regular file")
	_, err = s.Load(filepath.Join(t.TempDir(), "none"), vm.LoadOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, s.Save(filepath.Join(t.TempDir(), "no", "where"), nil), "vm: saving ")
	_, err = s.Load(save(t, safetensors.File{Tensors: []safetensors.Tensor{safetensors.Of("void", shape.Of(0), []float32{})}}), vm.LoadOptions{})
	require.ErrorContains(t, err, `void is float32(0), which a store cannot hold`)
}

// What is asked for is known before anything of a file is read: whatever its size, it is refused.
// Where all of it is asked for, that is more memory than there is.
func TestTheFilesSizeIsNotAskedFor(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), nil)
	path := filepath.Join(t.TempDir(), "sparse")
	header := `{"w":{"dtype":"F32","shape":[1073741824,256],"data_offsets":[0,1099511627776]}}  `
	require.NoError(t, os.WriteFile(path, append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...), 0o666))
	if err := os.Truncate(path, 8+int64(len(header))+1<<40); err != nil {
		t.Skip("no file of that size here: ", err)
	}
	_, err := vm.NewStore(1).Load(path, vm.LoadOptions{For: []*graph.Node{w}})
	require.ErrorContains(t, err, "w is float32(1073741824,256), the model needs float32(2)")
	_, err = vm.NewStore(1).Load(path, vm.LoadOptions{})
	require.ErrorIs(t, err, vm.ErrMemory)
	require.NotContains(t, err.Error(), "\n")
}
