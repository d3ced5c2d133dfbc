package conformance_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/conformance"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// published returns the folder of the tests that the Python package onnx 1.22.0 carries.
func published(t *testing.T) string {
	t.Helper()
	interpreter, err := python.Find("onnx")
	if err != nil {
		t.Skip(err)
	}
	out, err := exec.Command(interpreter, "-c", "import onnx; print(onnx.__version__, onnx.__path__[0])").Output()
	require.NoError(t, err)
	version, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	dir := filepath.Join(path, "backend", "test", "data")
	if version != "1.22.0" {
		t.Skipf("the tests of onnx 1.22.0 are wanted; %s is installed", version)
	}
	return dir
}

// run has the results of the folders of tests that have been run.
var run = map[string][]conformance.Result{}

// resultsOf returns the results of a folder of ONNX's own tests, which are run once.
func resultsOf(t *testing.T, folder string) []conformance.Result {
	t.Helper()
	if run[folder] == nil {
		results, err := conformance.Run(t.Context(), filepath.Join(published(t), folder), conformance.Options{Engine: cpu.New()})
		require.NoError(t, err)
		run[folder] = results
	}
	return run[folder]
}

// ONNX's own tests pass in these numbers, at least.
func TestPublishedTestsPass(t *testing.T) {
	for folder, want := range map[string]int{"node": 1735, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 21} {
		results := resultsOf(t, folder)
		for _, r := range results {
			if r.Err != nil {
				require.NotContains(t, r.Err.Error(), "panic", r.Name)
			}
		}
		require.GreaterOrEqual(t, conformance.Passed(results), want, folder)
	}
}

// The networks have the architectures of well-known ones, and constants as weights. Their input counts
// from 0 to 1.
func TestPublishedNetworksGiveTheirOutputs(t *testing.T) {
	dir := filepath.Join(published(t), "light")
	for _, name := range []string{"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512"} {
		t.Run(name, func(t *testing.T) {
			m, err := onnx.ReadFile(filepath.Join(dir, "light_"+name+".onnx"), onnx.Options{})
			require.NoError(t, err)
			s, err := m.NewSession(cpu.New(), nil)
			require.NoError(t, err)
			v := make([]float32, 3*224*224)
			for i := range v {
				v[i] = float32(i) / float32(len(v))
			}
			outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{m.Inputs()[0].Name: {Type: ir.Float, Dims: []int{1, 3, 224, 224}, Data: v}})
			require.NoError(t, err)
			b, err := os.ReadFile(filepath.Join(dir, "light_"+name+"_output_0.pb"))
			require.NoError(t, err)
			p, err := ir.UnmarshalTensor(b)
			require.NoError(t, err)
			want, err := onnx.FromProto(p)
			require.NoError(t, err)
			require.NoError(t, conformance.Compare(outs[m.Outputs()[0].Name], want))
		})
	}
}

// write makes a test of Relu, whose second element should be want.
func write(t *testing.T, dir string, want float32) {
	t.Helper()
	set := filepath.Join(dir, "test_data_set_0")
	require.NoError(t, os.MkdirAll(set, 0o777))
	of := &ir.Type{Kind: ir.TensorKind, Elem: ir.Float, Shape: &ir.Shape{Dims: []ir.Dim{{Value: 2, HasValue: true}}}}
	m := &ir.Model{Opsets: []ir.Opset{{Version: 14}}, Graph: &ir.Graph{
		Nodes:  []*ir.Node{{Op: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Inputs: []ir.ValueInfo{{Name: "x", Type: of}}, Outputs: []ir.ValueInfo{{Name: "y", Type: of}},
	}}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.onnx"), m.Marshal(), 0o666))
	for name, v := range map[string][]float32{"input_0.pb": {-1, 2}, "output_0.pb": {0, want}} {
		p := &ir.Tensor{Type: ir.Float, Dims: []int64{2}, Floats: v}
		require.NoError(t, os.WriteFile(filepath.Join(set, name), p.Marshal(), 0o666))
	}
}

func TestATestFailsForWrongOutputs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "right"), 2)
	write(t, filepath.Join(dir, "near"), 2*(1+0.9e-3))
	write(t, filepath.Join(dir, "wrong"), 2*(1+1.1e-3))
	write(t, filepath.Join(dir, "empty"), 2)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "empty", "test_data_set_0")))
	write(t, filepath.Join(dir, "lacking"), 2)
	require.NoError(t, os.Remove(filepath.Join(dir, "lacking", "test_data_set_0", "output_0.pb")))
	results, err := conformance.Run(context.Background(), dir, conformance.Options{Engine: ref.Engine{}})
	require.NoError(t, err)
	var passed []string
	for _, r := range results {
		if r.Err == nil {
			passed = append(passed, r.Name)
		}
	}
	require.Equal(t, []string{"near", "right"}, passed)
	require.Len(t, results, 5)
	require.Contains(t, results[4].Line(), "wrong: output 0: element 1 is 2")

	results, err = conformance.Run(context.Background(), dir, conformance.Options{Engine: ref.Engine{}, Only: regexp.MustCompile("^r")})
	require.NoError(t, err)
	require.Len(t, results, 1)
	_, err = conformance.Run(context.Background(), t.TempDir(), conformance.Options{Engine: ref.Engine{}})
	require.ErrorContains(t, err, "no tests")
}

func TestTypesExtentsAndElementsAreCompared(t *testing.T) {
	nan := float32(math.NaN())
	want := &onnx.Tensor{Type: ir.Float, Dims: []int{2}, Data: []float32{nan, 1}}
	require.NoError(t, conformance.Compare(&onnx.Tensor{Type: ir.Float, Dims: []int{2}, Data: []float32{nan, 1.0005}}, want))
	for _, have := range []*onnx.Tensor{
		nil,
		{Type: ir.Double, Dims: []int{2}, Data: []float64{math.NaN(), 1}},
		{Type: ir.Float, Dims: []int{2, 1}, Data: []float32{nan, 1}},
		{Type: ir.Float, Dims: []int{2}, Data: []float32{0, 1}},
		{Type: ir.Float, Dims: []int{2}, Data: []float32{nan, 1.002}},
		{Type: ir.Float, Dims: []int{2}, Data: []float32{nan, nan}},
		{Type: ir.Float, Dims: []int{2}, Data: []float32{nan, float32(math.Inf(1))}},
	} {
		require.Error(t, conformance.Compare(have, want), have)
	}
	whole := &onnx.Tensor{Type: ir.Int8, Dims: []int{1}, Data: []int8{100}}
	require.Error(t, conformance.Compare(&onnx.Tensor{Type: ir.Int8, Dims: []int{1}, Data: []int8{101}}, whole))
	half := &onnx.Tensor{Type: ir.Float16, Data: []shape.Half{shape.HalfOf(1)}}
	require.NoError(t, conformance.Compare(half, half))
	require.Error(t, conformance.Compare(&onnx.Tensor{Type: ir.Float16, Data: []shape.Half{shape.HalfOf(1.01)}}, half))
}
