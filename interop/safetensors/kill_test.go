package safetensors_test

import (
	"bufio"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
	"github.com/stretchr/testify/require"
)

// saveLoop is given by TestKillDuringSave to the process that it kills.
var saveLoop = flag.String("save-loop", "", "save checkpoints at this path until killed")

// checkpoint returns a file of which every number is the step.
func checkpoint(step int) safetensors.File {
	values := make([]float32, 1<<18)
	for i := range values {
		values[i] = float32(step)
	}
	return safetensors.File{
		Metadata: map[string]string{"step": strconv.Itoa(step)},
		Tensors:  []safetensors.Tensor{safetensors.Of("w", shape.OfInts(len(values)), values)},
	}
}

// saveUntilKilled ends when the test does that would have killed it: then its standard input ends.
func saveUntilKilled(t *testing.T, path string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	for step := 1; ; step++ {
		require.NoError(t, safetensors.WriteFile(path, checkpoint(step)))
		if step == 1 {
			_, err := os.Stdout.WriteString("saving\n")
			require.NoError(t, err)
		}
	}
}

// A process that saves all the time is killed at random moments. What it leaves is always
// one whole checkpoint.
func TestKillDuringSave(t *testing.T) {
	if *saveLoop != "" {
		saveUntilKilled(t, *saveLoop)
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("needs a kill that no process can delay")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	for range 12 {
		killOne(t, path)
		f, err := safetensors.ReadFile(path)
		require.NoError(t, err)
		step, err := strconv.Atoi(f.Metadata["step"])
		require.NoError(t, err)
		require.Equal(t, checkpoint(step), f)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	t.Logf("%d of 12 kills hit a save half-way", len(left)-1)
}

// killOne starts a process that saves at path, and kills it once it has saved at least once.
func killOne(t *testing.T, path string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillDuringSave$", "-save-loop="+path)
	_, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	time.Sleep(rand.N(20 * time.Millisecond))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
}
