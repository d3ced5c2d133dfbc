package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// onnxTest writes a test of Relu with the given expected output, and one of an operator that nobody
// has.
func onnxTest(t *testing.T, want float32) string {
	t.Helper()
	dir := t.TempDir()
	for name, op := range map[string]string{"relu": "Relu", "other": "Frobnicate"} {
		set := filepath.Join(dir, name, "test_data_set_0")
		require.NoError(t, os.MkdirAll(set, 0o777))
		of := &ir.Type{Kind: ir.TensorKind, Elem: ir.Float, Shape: &ir.Shape{Dims: []ir.Dim{{Param: "N"}}}}
		m := &ir.Model{Opsets: []ir.Opset{{Version: 14}}, Producer: "test", Graph: &ir.Graph{
			Nodes:  []*ir.Node{{Name: "n", Op: op, Inputs: []string{"x"}, Outputs: []string{"y"}}},
			Inputs: []ir.ValueInfo{{Name: "x", Type: of}}, Outputs: []ir.ValueInfo{{Name: "y", Type: of}},
		}}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "model.onnx"), m.Marshal(), 0o666))
		for file, v := range map[string]float32{"input_0.pb": 3, "output_0.pb": want} {
			p := &ir.Tensor{Type: ir.Float, Dims: []int64{1}, Floats: []float32{v}}
			require.NoError(t, os.WriteFile(filepath.Join(set, file), p.Marshal(), 0o666))
		}
	}
	return dir
}

func TestConformanceCountsWhatPassed(t *testing.T) {
	status, out, errs := demo(t.Context(), "onnx", "conformance", onnxTest(t, 3))
	require.Equal(t, 0, status, errs)
	require.Equal(t, "other: not supported: Frobnicate\n1 of 2 passed\n", out)

	dir := onnxTest(t, 4)
	status, out, _ = demo(t.Context(), "onnx", "conformance", "-only", "relu", dir)
	require.Equal(t, 0, status)
	require.Equal(t, "relu: output 0: element 0 is 3; want 4\n0 of 1 passed\n", out)
	status, _, errs = demo(t.Context(), "onnx", "conformance", dir, "-want", "1")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "0 tests passed; want 1")
	status, out, _ = demo(t.Context(), "onnx", "conformance", "-v", onnxTest(t, 3))
	require.Equal(t, 0, status)
	require.Contains(t, out, "relu: passed\n")
}

func TestInfoListsWhatAFileNeeds(t *testing.T) {
	dir := onnxTest(t, 3)
	status, out, _ := demo(t.Context(), "onnx", "info", filepath.Join(dir, "relu", "model.onnx"))
	require.Equal(t, 0, status)
	require.Equal(t, "producer test , opset 14\ninput    x float(N)\noutput   y float(N)\n", out)
	status, out, errs := demo(t.Context(), "onnx", "info", filepath.Join(dir, "other", "model.onnx"))
	require.Equal(t, 1, status)
	require.Contains(t, out, "not supported: Frobnicate (version 14): n\n")
	require.Contains(t, errs, "1 operators are not supported")
}

func TestSubcommandsHaveHelp(t *testing.T) {
	status, out, _ := demo(t.Context(), "onnx", "conformance", "-h")
	require.Equal(t, 0, status)
	require.Contains(t, out, "usage: demo onnx conformance [flags] DIR")
	require.Contains(t, out, "-want N")
}

func TestOnnxCommandsAreCalledRightly(t *testing.T) {
	for _, args := range [][]string{{"onnx"}, {"onnx", "fly"}, {"onnx", "info"}, {"onnx", "info", "a", "b"}, {"onnx", "conformance", "-only", "(", "x"}} {
		status, _, _ := demo(t.Context(), args...)
		require.Equal(t, 2, status, args)
	}
}
