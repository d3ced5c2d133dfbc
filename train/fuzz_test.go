package train

import (
	"bytes"
	"io"
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
	}}))
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		c, err := parse(file)
		if err != nil {
			return
		}
		meta, err := c.metadata()
		require.NoError(t, err)
		tensors, err := tensorsOf(c.Store)
		require.NoError(t, err)
		require.Len(t, tensors, len(file.Tensors))
		require.NoError(t, safetensors.Write(io.Discard, safetensors.File{Metadata: meta, Tensors: tensors}))
	})
}
