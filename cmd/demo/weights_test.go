package main

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// The photograph, and the centre of it as torchvision prepares it.
const (
	photo    = "../../models/testdata/cat.jpg"
	prepared = "../../models/testdata/cat.png"
)

// writeForeign writes initial values of a model as PyTorch does: without our metadata, and
// with a counter for each normalisation.
func writeForeign(t *testing.T, name string, classes int) (path string) {
	m := models()[name]
	m.classes = m.classes[:classes]
	store := vm.NewStore(1)
	require.NoError(t, store.Init(m.infer().logits.Graph().Leaves()...))
	f := safetensors.File{Metadata: map[string]string{"format": "pt"}}
	for _, name := range store.Names() {
		v, err := store.Value(name)
		require.NoError(t, err)
		f.Tensors = append(f.Tensors, safetensors.Of(name, shape.OfInts(v.Shape()...), v.Float32s()))
		if layer, ok := strings.CutSuffix(name, "running_mean"); ok {
			f.Tensors = append(f.Tensors, safetensors.Of(layer+"num_batches_tracked", shape.Of(), []int64{7}))
		}
	}
	path = filepath.Join(t.TempDir(), name+".safetensors")
	require.NoError(t, safetensors.WriteFile(path, f))
	return path
}

func TestWeightsFromElsewhere(t *testing.T) {
	path := writeForeign(t, "mobilenetv2", 1000)
	status, out, errs := demo(context.Background(), "predict", "-model", "mobilenetv2", "-weights", path, photo)
	require.Zero(t, status, errs)
	require.Regexp(t, `^\S+cat.jpg: (\S.* \d\.\d\d%  ){2}\S.* \d\.\d\d%\n$`, out)
	name, _, _ := strings.Cut(strings.TrimPrefix(out, photo+": "), " 0.")
	require.Contains(t, models()["mobilenetv2"].classes, name)

	dir := pictures(t, 2)
	for _, c := range []struct{ args, want string }{
		{"predict -weights " + path + " " + photo, "does not say which model it is for; name it by -model"},
		{"predict -model squeezenet -weights " + path + " " + photo, "the weights are those of another model: missing features.0.bias"},
		{"eval -model mobilenetv2 -weights " + path + " -data " + dir, "classifier.1.bias is float32(1000), the model needs float32(2)"},
		{"eval -model lenet -weights " + path + " -data " + dir, "holds pictures, the model takes images (1,28,28)"},
	} {
		status, out, errs := demo(context.Background(), strings.Fields(c.args)...)
		require.Equal(t, 1, status)
		require.Empty(t, out)
		require.Contains(t, errs, c.want)
		require.Equal(t, 1, strings.Count(errs, "\n"))
	}
}

// Weights without names of classes are tested on data with as many.
func TestWeightsFromElsewhereAreEvaluated(t *testing.T) {
	path, dir := writeForeign(t, "mobilenetv2", 4), pictures(t, 4)
	status, out, errs := demo(context.Background(), "eval", "-model", "mobilenetv2", "-weights", path, "-data", dir, "-test-limit", "3")
	require.Zero(t, status, errs)
	require.Regexp(t, `^loss \d+\.\d+\naccuracy \d\.\d+ \(\d/3\)\n$`, out)
}

// The photograph decoded and scaled here, beside the pixels that Pillow and torchvision make of it.
func TestAPhotographIsPreparedAsByTorchvision(t *testing.T) {
	info := models()["alexnet"].info()
	info.Preprocess.Mean, info.Preprocess.Std = nil, nil
	have, err := readPicture(photo, info)
	require.NoError(t, err)
	info.Preprocess.Image = picture.Shorter(224).String()
	want, err := readPicture(prepared, info)
	require.NoError(t, err)
	worst, sum := 0.0, 0.0
	for i := range want {
		off := 255 * math.Abs(float64(have[i]-want[i]))
		worst, sum = max(worst, off), sum+off
	}
	t.Logf("off by %.2f of 255 steps in the mean, %.0f at most", sum/float64(len(want)), worst)
	require.Less(t, sum/float64(len(want)), 1.)
	require.LessOrEqual(t, worst, 10.)
}

// A weights file that PyTorch writes where it is installed, with its own random values: loaded by
// the names of torchvision's alexnet, it gives the same logits for a photograph.
func TestAFileThatPyTorchWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads 244 MB")
	}
	interpreter, err := python.Find("torch", "torchvision", "safetensors.torch", "PIL")
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "alexnet.safetensors")
	out, err := exec.Command(interpreter, "../../models/testdata/published.py", "file", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(path + ".json")
	require.NoError(t, err)
	var want []float64
	require.NoError(t, json.Unmarshal(text, &want))

	c := newCall(command{name: "predict"}, []string{"-model", "alexnet", "-weights", path}, newOutput(io.Discard))
	pick := c.pickWeights()
	require.NoError(t, c.parse(false))
	w, err := pick.load()
	require.NoError(t, err)
	p, err := w.predictor()
	require.NoError(t, err)
	for _, c := range []struct {
		picture string
		shorter picture.Shorter
		off     float64 // at most, relative to the largest logit
	}{
		{prepared, 224, 1e-5}, // the same pixels
		{photo, 256, .01},     // decoded and scaled here
	} {
		info := p.Info()
		info.Preprocess.Image = c.shorter.String()
		x, err := readPicture(c.picture, info)
		require.NoError(t, err)
		logits, err := p.Outputs(t.Context(), x)
		require.NoError(t, err)
		worst, largest := 0.0, 0.0
		for i, v := range logits {
			worst, largest = max(worst, math.Abs(float64(v)-want[i])), max(largest, math.Abs(want[i]))
		}
		t.Logf("%s: logits differ by %.1e of the largest", filepath.Base(c.picture), worst/largest)
		require.Less(t, worst/largest, c.off)
	}
}

func TestForeignWeightsMayHaveOneElement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, safetensors.WriteFile(path, safetensors.File{Tensors: []safetensors.Tensor{safetensors.Of("alpha", shape.Of(1), []float32{.25})}}))
	c, err := readForeign(path, "lenet", models()["lenet"])
	require.NoError(t, err)
	require.Equal(t, []string{"alpha"}, c.Store.Names())
	require.NoError(t, safetensors.WriteFile(path, safetensors.File{Tensors: []safetensors.Tensor{safetensors.Of("void", shape.Of(0), []float32{})}}))
	_, err = readForeign(path, "lenet", models()["lenet"])
	require.ErrorContains(t, err, "void is float32(0)")
}

func TestBenchComputesWithTheThreadsAskedFor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	status, _, errs := demo(context.Background(), "bench", "-threads", "1", "-case", "lenet/infer/1")
	require.Zero(t, status, errs)
	require.Equal(t, 1, runtime.GOMAXPROCS(0))
}

// The figures in the documents are under these names.
func TestCasesOfBenchKeepTheirNames(t *testing.T) {
	var names []string
	for _, c := range benchCases() {
		names = append(names, c.name)
	}
	require.Equal(t, strings.Fields(`
		gemm/512 gemm/1024 gemm/2048 conv3x3/fwd conv3x3/bwd
		lenet/infer/1 lenet/infer/64 lenet/infer/256 lenet/train/1 lenet/train/64 lenet/train/256
		alexnet/infer/1 alexnet/infer/16 alexnet/infer/64 alexnet/train/4 alexnet/train/16 alexnet/train/64`), names)
}
