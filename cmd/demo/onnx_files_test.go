package main

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// onnxFile writes LeNet, with what change adds to it, as an ONNX file.
func onnxFile(t *testing.T, meta map[string]string, change func(y *graph.Node) *graph.Node) string {
	t.Helper()
	g := graph.New()
	y := change(lenet.Model.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28))))
	path := filepath.Join(t.TempDir(), "lenet.onnx")
	require.NoError(t, onnx.WriteFile(path, []*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{Outputs: []string{"a/b:0"}, Metadata: meta}))
	return path
}

func unchanged(y *graph.Node) *graph.Node { return y }

func TestOnnxRunComputesWhatASessionDoes(t *testing.T) {
	path, dir := onnxFile(t, nil, unchanged), t.TempDir()
	x := &npy.Array{Shape: []int{2, 1, 28, 28}, Data: make([]float32, 2*28*28)}
	for i := range 28 {
		x.Data.([]float32)[29*i] = 1
	}
	in := filepath.Join(dir, "x.npy")
	require.NoError(t, x.WriteFile(in))
	status, out, errs := demo(t.Context(), "onnx", "run", "-in", "image="+in, "-o", filepath.Join(dir, "out"), path)
	require.Zero(t, status, errs)
	require.Contains(t, out, "a/b:0 float(2,10): from ")
	got, err := npy.ReadFile(filepath.Join(dir, "out", "a_b_0.npy"))
	require.NoError(t, err)

	m, err := onnx.ReadFile(path, onnx.Options{})
	require.NoError(t, err)
	e, err := findEngine("cpu")
	require.NoError(t, err)
	s, err := m.NewSession(e, nil)
	require.NoError(t, err)
	want, err := s.Run(t.Context(), map[string]*onnx.Tensor{"image": tensorOf(x)})
	require.NoError(t, err)
	require.Equal(t, want["a/b:0"].Data, got.Data)
	require.Equal(t, []int{2, 10}, got.Shape)

	status, again, errs := demo(t.Context(), "onnx", "run", path, "-dim", "N=1", "-random", "3")
	require.Zero(t, status, errs)
	_, same, _ := demo(t.Context(), "onnx", "run", path, "-dim", "N=1", "-random", "3")
	_, other, _ := demo(t.Context(), "onnx", "run", path, "-dim", "N=1", "-random", "4")
	require.Equal(t, again, same)
	require.NotEqual(t, again, other)
}

func TestOnnxInputsAreSaidInOneLine(t *testing.T) {
	path := onnxFile(t, nil, unchanged)
	junk := filepath.Join(t.TempDir(), "junk.npy")
	require.NoError(t, os.WriteFile(junk, []byte("no array"), 0o666))
	wrong := filepath.Join(t.TempDir(), "wrong.npy")
	require.NoError(t, (&npy.Array{Shape: []int{1}, Data: []float64{1}}).WriteFile(wrong))
	for _, c := range []struct {
		args, want string
		status     int
	}{
		{"", "not given: image float(N,1,28,28); give -in NAME=FILE.npy", 2},
		{"-random 1", "extents of inputs are open: give them, such as by -dim N=1", 2},
		{"-random 1 -dim N=x", "-dim N=x: want a number", 2},
		{"-random 1 -dim N=1 -dim M=2", "-dim M: no input that is made up has such an extent", 2},
		{"-random 1 -dim N=999999999", "more than 268,435,456 elements", 1},
		{"-in image", "NAME=VALUE", 2},
		{"-in imag=" + wrong, "-in imag: the model has no such input", 2},
		{"-in image=" + junk, "it is no .npy file", 1},
		{"-in image=" + wrong, "double(1) is given; want image float(N,1,28,28)", 1},
		{"-in image=nowhere.npy", "no such file", 1},
		{"-engine fast", `no engine "fast"`, 2},
	} {
		status, _, errs := demo(t.Context(), append([]string{"onnx", "run", path}, strings.Fields(c.args)...)...)
		require.Equal(t, c.status, status, c.args)
		require.Contains(t, errs, c.want, c.args)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

func TestEveryElementTypeIsMadeUpAndWritten(t *testing.T) {
	for _, typ := range []ir.DataType{ir.Float, ir.Double, ir.Float16, ir.Bool, ir.Int8, ir.Int16, ir.Int32, ir.Int64, ir.Uint8, ir.Uint16, ir.Uint32, ir.Uint64} {
		of := &ir.Type{Kind: ir.TensorKind, Elem: typ, Shape: &ir.Shape{Dims: []ir.Dim{{}, {Value: 3, HasValue: true}}}}
		m := &ir.Model{Opsets: []ir.Opset{{Version: 18}}, Graph: &ir.Graph{
			Nodes:  []*ir.Node{{Op: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}},
			Inputs: []ir.ValueInfo{{Name: "x", Type: of}}, Outputs: []ir.ValueInfo{{Name: "y", Type: of}},
		}}
		dir := t.TempDir()
		path := filepath.Join(dir, "m.onnx")
		require.NoError(t, os.WriteFile(path, m.Marshal(), 0o666))
		status, _, errs := demo(t.Context(), "onnx", "run", "-random", "1", "-dim", "x.0=2", "-o", dir, path)
		require.Zero(t, status, errs)
		y, err := npy.ReadFile(filepath.Join(dir, "y.npy"))
		require.NoError(t, err)
		require.Equal(t, typ, tensorOf(y).Type)
		require.Equal(t, []int{2, 3}, y.Shape)
		status, _, errs = demo(t.Context(), "onnx", "run", "-in", "x="+filepath.Join(dir, "y.npy"), path)
		require.Zero(t, status, errs)
	}
	brain := arrayOf(&onnx.Tensor{Type: ir.BFloat16, Dims: []int{1}, Data: []shape.Brain{shape.BrainOf32(1.5)}})
	require.Equal(t, []float32{1.5}, brain.Data, "NumPy has no bfloat16")
}

func TestFilesOfOutputsAreInTheFolder(t *testing.T) {
	taken := map[string]bool{}
	var names []string
	for _, output := range []string{"y", "Y", "../../etc/passwd", "a b:0", "", ".", strings.Repeat("x", 300)} {
		names = append(names, fileOf(output, taken))
	}
	require.Equal(t, []string{"y.npy", "Y_2.npy", "_.._etc_passwd.npy", "a_b_0.npy", "output.npy", "output_2.npy", strings.Repeat("x", 100) + ".npy"}, names)
}

func needsRuntime(t *testing.T) {
	if _, err := python.Find("numpy", "onnxruntime"); err != nil {
		t.Skip(err)
	}
}

func TestOnnxVerifyComparesWithONNXRuntime(t *testing.T) {
	needsRuntime(t)
	path := onnxFile(t, nil, unchanged)
	status, out, errs := demo(t.Context(), "onnx", "verify", "-dim", "N=2", path)
	require.Zero(t, status, errs)
	require.Contains(t, out, "a/b:0 float(2,10): the largest value is ")
	require.Regexp(t, `as in ONNX Runtime [\d.]+ to within 0.0001`, out)
	status, _, errs = demo(t.Context(), "onnx", "verify", "-dim", "N=2", "-tolerance", "1e-12", path)
	require.Equal(t, 1, status)
	require.Regexp(t, `not as in ONNX Runtime [\d.]+ to within 1e-12: "?a/b:0`, errs)
	status, _, errs = demo(t.Context(), "onnx", "verify", "-tolerance", "nan", path)
	require.Equal(t, 2, status, errs)
}

func TestAnErrorOfONNXRuntimeIsOneLine(t *testing.T) {
	needsRuntime(t)
	path := onnxFile(t, nil, unchanged)
	m, err := onnx.ReadFile(path, onnx.Options{})
	require.NoError(t, err)
	file := *m.Proto()
	file.Opsets = []ir.Opset{{Version: 18}, {Domain: "nobody.has.it", Version: 1}}
	file.Graph.Nodes[0].Name = "n"
	file.IRVersion = 1 << 20 // which we read, and ONNX Runtime does not
	require.NoError(t, os.WriteFile(path, file.Marshal(), 0o666))
	status, _, errs := demo(t.Context(), "onnx", "verify", "-dim", "N=2", path)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "ONNX Runtime: ")
	require.Equal(t, 1, strings.Count(errs, "\n"), errs)
}

func TestErrorsOfOutputsAreRelativeToTheLargestValue(t *testing.T) {
	of := func(v ...float64) *onnx.Tensor { return &onnx.Tensor{Type: ir.Double, Dims: []int{len(v)}, Data: v} }
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		got, want *onnx.Tensor
		worst     float64
	}{
		{of(1, 2), of(1, 4), .5}, {of(0, .25), of(0, 0), .25}, {of(nan, inf), of(nan, inf), 0}, {of(nan), of(1), inf}, {of(1), of(inf), inf}, {of(), of(), 0},
	} {
		worst, _, err := outputError(c.got, c.want)
		require.NoError(t, err)
		require.Equal(t, c.worst, worst)
	}
	for _, c := range [][2]*onnx.Tensor{{of(1), of(1, 2)}, {of(1), nil}} {
		_, _, err := outputError(c[0], c[1])
		require.Error(t, err)
	}
}

func TestOnnxBenchTimesAFile(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	status, out, errs := demo(t.Context(), "onnx", "bench", "-dim", "N=1", "-rounds", "1", "-threads", "1", onnxFile(t, nil, unchanged))
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^plexaura +[\d.e-]+ +[\d.e-]+ +[\d.e-]+$`, out)
	if _, err := python.Find("numpy", "onnxruntime"); err != nil {
		require.Contains(t, out, "pip install onnxruntime")
	} else {
		require.Regexp(t, `ONNX Runtime [\d.]+ takes [\d.]+ times as long as plexaura\n$`, out)
	}
}

// drawn writes a picture of a digit.
func drawn(t *testing.T) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "digit.png"))
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, stroke(60, 40)))
	require.NoError(t, f.Close())
	return f.Name()
}

func TestPredictAndEvalTakeAnExportForItsWeights(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	status, _, errs := demo(t.Context(), "train", "-epochs", "1", "-limit", "300", "-test-limit", "100")
	require.Zero(t, status, errs)
	status, _, errs = demo(t.Context(), "onnx", "export", "-o", "lenet.onnx")
	require.Zero(t, status, errs)
	for _, args := range [][]string{{"predict", drawn(t)}, {"eval", "-test-limit", "500"}} {
		status, want, errs := demo(t.Context(), args...)
		require.Zero(t, status, errs)
		status, got, errs := demo(t.Context(), append([]string{args[0], "-onnx", "lenet.onnx"}, args[1:]...)...)
		require.Zero(t, status, errs)
		require.Equal(t, want, got)
	}
}

// The probabilities of a file that ends in a softmax, or has its channels last, are those of the plain one.
func TestPredictTakesOtherFormsOfAClassifier(t *testing.T) {
	names := filepath.Join(t.TempDir(), "names")
	require.NoError(t, os.WriteFile(names, []byte("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"), 0o666))
	picture := drawn(t)
	predict := func(path string) string {
		status, out, errs := demo(t.Context(), "predict", "-onnx", path, "-mean", ".1", "-std", ".3", "-classes", names, picture)
		require.Zero(t, status, errs)
		return out
	}
	want := predict(onnxFile(t, nil, unchanged))
	require.Regexp(t, `: (zero|one|two|three|four|five|six|seven|eight|nine) [\d.]+%`, want)
	require.Equal(t, want, predict(onnxFile(t, nil, func(y *graph.Node) *graph.Node { return ops.Softmax(y, 1) })))
	require.Equal(t, want, predict(onnxFile(t, nil, func(y *graph.Node) *graph.Node { return ops.Reshape(y, shape.N, 10, 1, 1) })))

	g := graph.New()
	x := g.Input("image", shape.F32(shape.N, 28, 28, 1))
	last := filepath.Join(t.TempDir(), "last.onnx")
	y := lenet.Model.Apply(nn.Root(g), ops.Transpose(x, 0, 3, 1, 2))
	require.NoError(t, onnx.WriteFile(last, []*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{}))
	require.Equal(t, want, predict(last))
}

func TestWhatAFileDoesNotSayIsAskedFor(t *testing.T) {
	path, picture := onnxFile(t, nil, unchanged), drawn(t)
	few := filepath.Join(t.TempDir(), "few")
	require.NoError(t, os.WriteFile(few, []byte("zero\none\n"), 0o666))
	numbers := onnxFile(t, nil, func(y *graph.Node) *graph.Node { return ops.Sum(y, 1) })
	two := onnxTest(t, 3)
	for _, c := range []struct {
		args, want string
		status     int
	}{
		{"-onnx " + path, "does not say how images are prepared: give -mean and -std", 2},
		{"-onnx " + path + " -mean 0", "give -mean and -std", 2},
		{"-onnx " + path + " -mean 0 -std x", "-std x: want numbers", 2},
		{"-onnx " + path + " -mean 0 -std 0", "positive standard deviations", 1},
		{"-onnx " + path + " -mean 0,0,0 -std 1,1,1", "3 channels", 1},
		{"-onnx " + path + " -mean 0 -std 1", "does not name its classes: give -classes", 2},
		{"-onnx " + path + " -mean 0 -std 1 -classes " + few, "gives 10 scores, and there are names of 2 classes", 1},
		{"-onnx " + path + " -mean 0 -std 1 -classes nowhere", "no such file", 1},
		{"-onnx " + path + " -mean 0 -std 1 -size big -classes imagenet", "-size big: want SHORTER", 2},
		{"-onnx " + path + " -mean 0 -std 1 -size 32:30 -classes imagenet", "is of 28 by 28 pixels", 2},
		{"-onnx " + path + " -model lenet", "run it without -weights and -model", 2},
		{"-onnx " + numbers + " -mean 0 -std 1", "want scores float32(N,K)", 1},
		{"-onnx " + filepath.Join(two, "relu", "model.onnx") + " -mean 0 -std 1", "want images (N,C,H,W) or (N,H,W,C)", 1},
		{"-onnx " + filepath.Join(two, "nowhere.onnx"), "no such file", 1},
		{"-mean 0", "-mean is for a network by -onnx", 2},
	} {
		status, _, errs := demo(t.Context(), append(append([]string{"predict"}, strings.Fields(c.args)...), picture)...)
		require.Equal(t, c.status, status, "%s: %s", c.args, errs)
		require.Contains(t, errs, c.want, c.args)
	}
	for _, meta := range []map[string]string{{"preprocess": "{"}, {"classes": "5"}} {
		status, _, errs := demo(t.Context(), "predict", "-onnx", onnxFile(t, meta, unchanged), picture)
		require.Equal(t, 1, status)
		require.Contains(t, errs, "metadata ")
	}
}

// The classes of a file that does not name them are those of the data.
func TestEvalNamesTheClassesByTheData(t *testing.T) {
	status, out, errs := demo(t.Context(), "eval", "-onnx", onnxFile(t, nil, unchanged), "-mean", ".1307", "-std", ".3081", "-test-limit", "100")
	require.Zero(t, status, errs)
	require.Regexp(t, `accuracy [\d.]+ \(\d+/100\)`, out)
}

// A file has the program of the model that it was exported from.
func TestProgramShowsTheInstructionsOfAFile(t *testing.T) {
	path := onnxFile(t, nil, unchanged)
	columns := func(out string) (all []string) {
		for line := range strings.Lines(out) {
			all = append(all, strings.Join(strings.Fields(line)[:min(3, len(strings.Fields(line)))], " "))
		}
		return all
	}
	status, want, errs := demo(t.Context(), "program", "-batch", "3")
	require.Zero(t, status, errs)
	status, got, errs := demo(t.Context(), "program", "-batch", "3", "-onnx", path)
	require.Zero(t, status, errs)
	require.Equal(t, columns(want), columns(got))
	status, fixed, errs := demo(t.Context(), "program", "-onnx", path, "-dim", "N=3")
	require.Zero(t, status, errs)
	require.Equal(t, columns(want), columns(fixed))
	for want, args := range map[string][]string{
		"-dim is of -onnx": {"-dim", "N=3"},
		"-train is not":    {"-onnx", path, "-train"},
		"-dim M: no input": {"-onnx", path, "-dim", "M=3"},
		"no such file":     {"-onnx", "nowhere"},
	} {
		status, _, errs := demo(t.Context(), append([]string{"program"}, args...)...)
		require.NotZero(t, status)
		require.Contains(t, errs, want)
	}
}
