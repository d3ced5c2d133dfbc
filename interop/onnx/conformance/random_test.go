package conformance_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx/conformance"
)

// Operators that depend on data, loops, sequences, losses and attention give what ONNX Runtime and PyTorch give, at
// configurations that are drawn.
func TestDrawnConfigurationsGiveTheSameInONNXRuntime(t *testing.T) {
	interpreter, err := python.Find("onnx", "onnxruntime", "torch")
	if err != nil {
		t.Skip(err)
	}
	count := 25
	if testing.Short() {
		count = 5
	}
	seed := strconv.FormatInt(time.Now().UnixNano(), 10)
	root := t.TempDir()
	script := filepath.Join("..", "testdata", "randomcases.py")
	out, err := exec.Command(interpreter, script, root, seed, strconv.Itoa(count)).CombinedOutput()
	require.NoError(t, err, string(out))
	results, err := conformance.Run(t.Context(), root, conformance.Options{Engine: cpu.New()})
	require.NoError(t, err)
	require.Len(t, results, 11*count)
	for _, r := range results {
		require.NoError(t, r.Err, "%s, seed %s", r.Name, seed)
	}
}
