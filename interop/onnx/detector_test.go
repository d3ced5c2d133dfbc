package onnx_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// A detector of torchvision finds what it finds in ONNX Runtime, from the picture to the boxes, in pictures with
// more and fewer of them. The compiler of PyTorch cannot export it whole: it exports the suppression.
func TestDetectorsOfPyTorchFindTheSameBoxesInONNXRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute to export")
	}
	root := prepared(t, "detector.py", []string{"onnx", "onnxruntime", "onnxscript", "torchvision"})
	folders, err := os.ReadDir(root)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(folders), 3)
	for _, f := range folders {
		m, err := onnx.ReadFile(filepath.Join(root, f.Name(), "model.onnx"), onnx.Options{})
		require.NoError(t, err)
		s, err := m.NewSession(cpu.New(), nil)
		require.NoError(t, err)
		for k := range 3 {
			set := filepath.Join(root, f.Name(), fmt.Sprintf("test_data_set_%d", k))
			in := map[string]*onnx.Tensor{}
			for i, v := range m.Inputs() {
				in[v.Name] = proto(t, filepath.Join(set, fmt.Sprintf("input_%d.pb", i)))
			}
			outs, err := s.Run(t.Context(), in)
			require.NoError(t, err)
			var want, got [3][]float64 // boxes, scores, classes
			for i, v := range m.Outputs() {
				want[i] = proto(t, filepath.Join(set, fmt.Sprintf("output_%d.pb", i))).Numbers()
				got[i] = outs[v.Name].Numbers()
				require.Len(t, got[i], len(want[i]), "%s, picture %d: %v", f.Name(), k, v)
			}
			requireSameBoxes(t, want, got)
			requireSameBoxes(t, got, want)
		}
	}
}

func proto(t *testing.T, path string) *onnx.Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	p, err := ir.UnmarshalTensor(b)
	require.NoError(t, err)
	v, err := onnx.FromProto(p)
	require.NoError(t, err)
	return v
}

// requireSameBoxes finds each box of a in b, with its class and score. Of those with a score near that of the last
// either may be missing, as the best are kept.
func requireSameBoxes(t *testing.T, a, b [3][]float64) {
	t.Helper()
	n := len(a[1])
	require.NotZero(t, n)
	last, clear := math.Inf(1), 0
	for _, s := range a[1] {
		last = min(last, s)
	}
	for i := range n {
		if a[1][i] < last+1e-3 {
			continue
		}
		clear++
		found := false
		for k := range n {
			same := a[2][i] == b[2][k] && math.Abs(a[1][i]-b[1][k]) < 1e-4
			for c := range 4 {
				same = same && math.Abs(a[0][4*i+c]-b[0][4*k+c]) < 1e-2
			}
			found = found || same
		}
		require.True(t, found, "box %d: %v, score %v, class %v", i, a[0][4*i:4*i+4], a[1][i], a[2][i])
	}
	require.Greater(t, clear, n/4, "too many scores are equal to tell")
}
