package train

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// Whatever a file of weights holds, reading it gives a checkpoint that can be written, or an
// error.
func FuzzCheckpoint(f *testing.F) {
	info := data.Info{Input: shape.F32(1, 2, 2), Target: shape.I32(), Classes: []string{"a", "b"}}
	meta, err := info.Metadata()
	require.NoError(f, err)
	meta[keyProgress] = `{"epochs":[{"epoch":1,"validation":{"loss_sum":1}}],"batch":2}`
	meta[keyTraining] = `["step"]`
	var whole bytes.Buffer
	require.NoError(f, safetensors.Write(&whole, safetensors.File{Metadata: meta, Tensors: []safetensors.Tensor{
		safetensors.Of("step", shape.Of(), []int64{3}),
		safetensors.Of("weight", shape.Of(2, 3), make([]float32, 6)),
		safetensors.Of("brain", shape.Of(2), []shape.Brain{0x3f80, 0x7fc1}),
		safetensors.Of("half", shape.Of(1, 2), []shape.Half{0x3c00, 1}),
		safetensors.Of("small", shape.Of(), []int8{-128}),
	}}))
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1])
	dir := f.TempDir()
	path, again := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		c, err := LoadCheckpoint(path)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NoError(t, c.Save(again))
		d, err := LoadCheckpoint(again)
		require.NoError(t, err)
		require.Equal(t, c.Store.Names(), d.Store.Names())
		require.Equal(t, c.Store.Seed(), d.Store.Seed())
	})
}
