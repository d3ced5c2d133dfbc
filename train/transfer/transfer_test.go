package transfer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/pytorch"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/transfer"
	"github.com/plexaura/plexaura/vm"
)

// network is that of testdata/finetune.py.
func network(classes int) nn.Sequential {
	return nn.Sequential{
		nn.Conv2D{Name: "conv1", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm1"}, nn.ReLU{},
		nn.Conv2D{Name: "conv2", Out: 4, Kernel: 3}, nn.BatchNorm{Name: "norm2"}, nn.ReLU{},
		nn.Flatten{}, nn.Linear{Name: "fc", Out: classes},
	}
}

// info describes images (1,4,4) of so many classes.
func info(classes int) data.Info {
	return data.Info{Input: shape.F32(1, 4, 4), Classes: strings.Split(strings.Repeat("c,", classes), ",")[:classes], Target: shape.I32()}
}

func named(classes int) data.Info {
	i := info(classes)
	for k := range i.Classes {
		i.Classes[k] += string(rune('0' + k))
	}
	return i
}

// options are those for the network.
func options(classes int) transfer.Options {
	return transfer.Options{Model: network(classes), Info: named(classes), Seed: 1}
}

// inPython runs finetune.py, and returns the folder of its files.
func inPython(t *testing.T) string {
	interpreter, err := python.Find("torch")
	if err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	out, err := exec.Command(interpreter, "testdata/finetune.py", folder).CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

// values are those of a file of PyTorch.
func values(t *testing.T, path string) map[string][]float32 {
	r, err := pytorch.Open(path)
	require.NoError(t, err)
	defer r.Close()
	all := map[string][]float32{}
	for v := range r.Tensors() {
		if v.Type.DType == shape.Float32 {
			b := make([]byte, v.Type.Bytes())
			require.NoError(t, r.Values(v.Name, b))
			all[v.Name], err = safetensors.View[float32](safetensors.OfBytes(v.Name, v.Type, b))
			require.NoError(t, err)
		}
	}
	return all
}

func held(t *testing.T, s *vm.Store, name string) []float32 {
	v, err := s.Value(name)
	require.NoError(t, err)
	return v.Float32s()
}

// The whole of it gives PyTorch's weights: a state dict with prefixes, frozen layers whose normalisation keeps its
// statistics, another learning rate for some, and unfreezing, with moments of Adam that begin then.
func TestFineTuningIsThatOfPyTorch(t *testing.T) {
	folder := inPython(t)
	o := options(2)
	o.Freeze = []string{"conv1.*", "norm1.*"}
	start, err := transfer.From(filepath.Join(folder, "start.pth"), o)
	require.NoError(t, err)
	require.Len(t, start.Report.Loaded, 14)
	require.Empty(t, start.Report.Fresh)
	require.Equal(t, []string{"conv1.weight", "conv1.bias", "norm1.weight", "norm1.bias"}, start.Frozen)
	require.Equal(t, `start.pth, PyTorch: 14 values loaded, names without "module."`, start.Report.String())

	r, err := pytorch.Open(filepath.Join(folder, "data.pth"))
	require.NoError(t, err)
	defer r.Close()
	x, y := make([]byte, 8*16*4), make([]byte, 8*4)
	require.NoError(t, r.Values("x", x))
	require.NoError(t, r.Values("y", y))
	images, err := safetensors.View[float32](safetensors.OfBytes("x", shape.F32(8, 16), x))
	require.NoError(t, err)
	labels, err := safetensors.View[int32](safetensors.OfBytes("y", shape.I32(8), y))
	require.NoError(t, err)
	ds, err := data.New(images, labels, named(2))
	require.NoError(t, err)
	result, err := train.Fit(t.Context(), train.Config{
		Model: network(2), Train: ds, Engine: cpu.New(), Epochs: 6, Batch: 8, Seed: 1, Store: start.Store, Freeze: start.Freeze, UnfreezeAt: 4,
		Optimizer: optim.Recipe{Rule: optim.Adam{LR: .02, Eps: 1e-3}, Groups: []optim.Group{{Match: "conv2.*", LR: .002}}},
	})
	require.NoError(t, err)
	want := values(t, filepath.Join(folder, "end.pth"))
	require.Len(t, want, 14)
	for name, w := range want {
		require.InDeltaSlice(t, w, held(t, result.Checkpoint.Store, name), 2e-4, name)
	}
}

// Weights of another number of classes: the head is made anew where that is asked for.
func TestAHeadForOtherClassesIsMadeAnew(t *testing.T) {
	folder := inPython(t)
	file, o := filepath.Join(folder, "other.pth"), options(3)
	_, err := transfer.From(file, o)
	require.EqualError(t, err, "transfer: vm: loading "+file+": the weights are those of another model: fc.bias is float16(5), the model needs float32(3), fc.weight is float16(5,16), the model needs float32(3,16)")
	var differ *vm.LoadError
	require.ErrorAs(t, err, &differ)

	told := `other.pth, PyTorch: 12 values loaded, names without "network.", 12 of them widened to float32` + "\nmade anew: fc.bias, fc.weight"
	fresh, err := train.Build(network(3), named(3), nil, nil)
	require.NoError(t, err)
	anew := vm.NewStore(1)
	require.NoError(t, anew.Init(fresh.Leaves...))
	for name, of := range map[string]func(o *transfer.Options){
		"head":    func(o *transfer.Options) { o.Head = true },
		"replace": func(o *transfer.Options) { o.Replace = []string{"fc.*"} },
		"partial": func(o *transfer.Options) { o.Partial = []string{"fc.*"} },
	} {
		o := options(3)
		of(&o)
		start, err := transfer.From(file, o)
		require.NoError(t, err, name)
		require.Contains(t, start.Report.String(), told, name)
		require.Equal(t, held(t, anew, "fc.weight"), held(t, start.Store, "fc.weight"))
		require.Equal(t, anew.Names(), start.Store.Names())
		require.NotEqual(t, held(t, anew, "conv1.weight"), held(t, start.Store, "conv1.weight"))
		require.Equal(t, "network.conv1.weight", start.Report.Mapped["conv1.weight"])
	}
	same := options(5)
	same.Head = true
	start, err := transfer.From(file, same)
	require.NoError(t, err)
	require.Empty(t, start.Report.Fresh, "a head of the same shape is kept")

	if _, err := os.Stat(filepath.Join(folder, "resnet18.pth")); err == nil {
		o := transfer.Options{Model: resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, 3), Info: data.Info{Input: shape.F32(3, 64, 64), Target: shape.I32()}, Head: true}
		start, err := transfer.From(filepath.Join(folder, "resnet18.pth"), o)
		require.NoError(t, err)
		require.Len(t, start.Report.Loaded, 100)
		require.Equal(t, []string{"fc.bias", "fc.weight"}, start.Report.Fresh)
		require.Len(t, start.Report.Ignored, 20, "counters of batches")
	}
}

// weights are values of the network, as a file has them.
func weights(t *testing.T) (*vm.Store, []safetensors.Tensor) {
	net, err := train.Build(network(2), named(2), nil, nil)
	require.NoError(t, err)
	s := vm.NewStore(5)
	require.NoError(t, s.Init(net.Leaves...))
	var all []safetensors.Tensor
	for _, n := range net.Leaves {
		all = append(all, safetensors.Of(n.Name(), n.Type().Shape, held(t, s, n.Name())))
	}
	return s, all
}

func saved(t *testing.T, tensors []safetensors.Tensor) string {
	path := filepath.Join(t.TempDir(), "w")
	require.NoError(t, safetensors.WriteFile(path, safetensors.File{Tensors: tensors}))
	return path
}

func TestPrefixesAreMapped(t *testing.T) {
	s, all := weights(t)
	inner := func(name string) bool { return strings.HasPrefix(name, "conv") || strings.HasPrefix(name, "norm") }
	for _, tt := range []struct {
		name   string
		rename func(string) string
		told   string
	}{
		{"none", func(n string) string { return n }, "14 values loaded"},
		{"module", func(n string) string { return "module." + n }, `names without "module."`},
		{"three wrappers", func(n string) string { return "_orig_mod.module.model." + n }, `names without "_orig_mod.module.model."`},
		{"one other", func(n string) string { return "backbone.net." + n }, `names without "backbone.net."`},
		{"of a part", func(n string) string {
			if inner(n) {
				return "model." + n
			}
			return n
		}, `names without "model."`},
		{"one other, of a part", func(n string) string {
			if inner(n) {
				return "body." + n
			}
			return "module." + n
		}, `names without "body.", names without "module."`},
	} {
		renamed := slices.Clone(all)
		for i := range renamed {
			renamed[i].Name = tt.rename(renamed[i].Name)
		}
		start, err := transfer.From(saved(t, renamed), options(2))
		require.NoError(t, err, tt.name)
		require.Contains(t, start.Report.String(), tt.told)
		for _, name := range s.Names() {
			require.Equal(t, held(t, s, name), held(t, start.Store, name), "%s: %s", tt.name, name)
		}
	}

	o := options(2)
	o.Model = nn.Sequential{nn.Named("body", network(2))}
	start, err := transfer.From(saved(t, all), o)
	require.NoError(t, err)
	require.Contains(t, start.Report.String(), `names with "body." before them`)
	require.Equal(t, held(t, s, "fc.weight"), held(t, start.Store, "body.fc.weight"))

	// Two candidates: neither is taken.
	var twice []safetensors.Tensor
	for _, v := range all {
		for _, p := range []string{"student.", "teacher."} {
			v.Name = p + strings.TrimPrefix(strings.TrimPrefix(v.Name, "student."), "teacher.")
			twice = append(twice, v)
		}
	}
	_, err = transfer.From(saved(t, twice), options(2))
	require.ErrorContains(t, err, "missing conv1.bias")
	o = options(2)
	o.Rename = func(name string) string {
		rest, ok := strings.CutPrefix(name, "teacher.")
		if !ok {
			return ""
		}
		return rest
	}
	start, err = transfer.From(saved(t, twice), o)
	require.NoError(t, err)
	require.Len(t, start.Report.Ignored, 14)
	o.Rename = func(string) string { return "fc.bias" }
	_, err = transfer.From(saved(t, twice), o)
	require.ErrorContains(t, err, `are both "fc.bias"`)

	// A name that fits as it is comes before one that is mapped.
	both := append(slices.Clone(all), safetensors.Of("module.fc.bias", shape.Of(2), []float32{8, 9}))
	_, err = transfer.From(saved(t, both), options(2))
	require.ErrorContains(t, err, "unexpected module.fc.bias")
}

// Of a checkpoint of a run the weights count, and not the optimiser's state; moving averages where predictions use them.
func TestCheckpointsOfRunsAreSources(t *testing.T) {
	x, labels := make([]float32, 8*16), make([]int32, 8)
	for i := range x {
		x[i] = float32(i%7) - float32(i%5)
	}
	for i := range labels {
		labels[i] = int32(i % 2)
	}
	ds, err := data.New(x, labels, named(2))
	require.NoError(t, err)
	for _, average := range []float64{0, .9} {
		folder := t.TempDir()
		result, err := train.Fit(t.Context(), train.Config{
			Model: append(nn.Sequential{nn.Dropout{P: .1}}, network(2)...), Train: ds, Engine: cpu.New(), Epochs: 2, Batch: 4, Folder: folder, Freeze: []string{"conv1.weight"},
			Optimizer: optim.Recipe{Rule: optim.Adam{}, Average: average},
		})
		require.NoError(t, err)
		start, err := transfer.From(filepath.Join(folder, train.CheckpointFile), options(2))
		require.NoError(t, err)
		require.Len(t, start.Store.Names(), 14)
		from := "fc.weight"
		if average > 0 {
			from = "fc.weight.ema"
		}
		require.Equal(t, held(t, result.Checkpoint.Store, from), held(t, start.Store, "fc.weight"))
		require.Equal(t, held(t, result.Checkpoint.Store, "conv1.weight"), held(t, start.Store, "conv1.weight"))
		require.Equal(t, held(t, result.Checkpoint.Store, "norm1.running_mean"), held(t, start.Store, "norm1.running_mean"))
	}
}

// An ONNX file that was written here gives its weights back, whichever way its products take them.
func TestONNXFilesAreSources(t *testing.T) {
	model := nn.Sequential{nn.Flatten{}, nn.Linear{Name: "fc1", Out: 16}, nn.ReLU{}, nn.Linear{Name: "fc2", Out: 2}}
	net, err := train.Build(model, named(2), nil, nil)
	require.NoError(t, err)
	s := vm.NewStore(9)
	require.NoError(t, s.Init(net.Leaves...))
	path := filepath.Join(t.TempDir(), "m")
	require.NoError(t, onnx.WriteFile(path, []*graph.Node{net.Inference}, s, onnx.ExportOptions{}))
	o := transfer.Options{Model: model, Info: named(2)}
	start, err := transfer.From(path, o)
	require.NoError(t, err)
	require.Equal(t, "ONNX", start.Report.Format)
	for _, name := range s.Names() {
		require.Equal(t, held(t, s, name), held(t, start.Store, name), name)
	}

	// A square matrix shows by no shape whether it is (In,Out): the products of both sides do.
	o.Model = nn.Sequential{nn.Flatten{}, product{"fc1"}, nn.ReLU{}, nn.Linear{Name: "fc2", Out: 2}}
	start, err = transfer.From(path, o)
	require.NoError(t, err)
	require.Equal(t, []string{"fc1.weight"}, start.Report.Turned)
	want := tensor.New(tensor.WithShape(16, 16), tensor.WithBacking(slices.Clone(held(t, s, "fc1.weight"))))
	require.NoError(t, want.T())
	require.NoError(t, want.Transpose())
	require.Equal(t, want.Float32s(), held(t, start.Store, "fc1.weight"))
}

// product is a dense layer whose weight is (In,Out).
type product struct{ name string }

func (l product) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	return s.Within(l.name, x, func(s nn.Scope) *graph.Node {
		return ops.Add(ops.MatMul(x, s.Param("weight", shape.F32(16, 16), nil)), s.Param("bias", shape.F32(16), nil))
	})
}
func (l product) Label() string { return l.name }

func TestMistakesOfBeginningWithAFile(t *testing.T) {
	_, all := weights(t)
	file := saved(t, all)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	put := func(b string) string {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, []byte(b), 0o666))
		return path
	}
	other := []safetensors.Tensor{safetensors.Of("h.0.attn.weight", shape.Of(2), []float32{1, 2})}
	more := append(slices.Clone(all), other...)
	for want, of := range map[string]func(o *transfer.Options) string{
		"the weights are those of another model: missing conv1.bias, conv1.weight, conv2.bias, conv2.weight, fc.bias, fc.weight, norm1.bias, norm1.running_mean and 6 more; unexpected h.0.attn.weight": func(o *transfer.Options) string {
			return saved(t, other)
		},
		"unexpected h.0.attn.weight": func(o *transfer.Options) string { return saved(t, more) },
		"missing conv2.bias": func(o *transfer.Options) string {
			o.Partial = []string{"fc.*"}
			return saved(t, slices.Concat(all[:7], all[8:]))
		},
		"the weights are those of another model: missing":                     func(o *transfer.Options) string { o.Partial = []string{"*"}; return saved(t, other) },
		"the file is truncated":                                               func(o *transfer.Options) string { return put(string(whole[:len(whole)/2])) },
		"it is neither safetensors, nor of torch.save, nor ONNX":              func(o *transfer.Options) string { return put("hello, world") },
		"transfer: Freeze: \"convv1.*\" matches no parameter; near it are co": func(o *transfer.Options) string { o.Freeze = []string{"convv1.*"}; return file },
		"transfer: Replace: \"fd.*\" matches no parameter; near it are fc.*":  func(o *transfer.Options) string { o.Replace = []string{"fd.*"}; return file },
		"transfer: Partial: \"head.*\" matches no parameter":                  func(o *transfer.Options) string { o.Partial = []string{"head.*"}; return file },
		"transfer: Freeze: invalid pattern":                                   func(o *transfer.Options) string { o.Freeze = []string{"["}; return file },
		"nothing of it is used: every value of the model is made anew":        func(o *transfer.Options) string { o.Replace, o.Partial = []string{"*"}, []string{"*"}; return file },
		"no such file":                            func(o *transfer.Options) string { return filepath.Join(t.TempDir(), "absent") },
		"not a regular file":                      func(o *transfer.Options) string { return t.TempDir() },
		"transfer: train: no model":               func(o *transfer.Options) string { o.Model = nil; return file },
		"it is cut off, or no file of torch.save": func(o *transfer.Options) string { return put("PK\x03\x04 and then nothing") },
		"f: ": func(o *transfer.Options) string { return put("\x08\x07garbage") },
	} {
		o := options(2)
		start, err := transfer.From(of(&o), o)
		require.Nil(t, start, want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}

	o := options(2)
	o.Partial = []string{"h.*", "fc.*"}
	start, err := transfer.From(saved(t, more), o)
	require.NoError(t, err)
	require.Equal(t, []string{"h.0.attn.weight"}, start.Report.Unused)
	require.Contains(t, start.Report.String(), "not used: h.0.attn.weight")
}
