package safetensors_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/stretchr/testify/require"
)

// FuzzRead holds that no file makes Read panic, and that what it accepts is written and
// read back as the same.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"python", "float16"} {
		b, err := os.ReadFile("testdata/" + name + ".safetensors")
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := safetensors.Read(bytes.NewReader(encoded(t, file)))
		require.NoError(t, err)
		require.Equal(t, len(file.Metadata), len(again.Metadata))
		require.Equal(t, file.Tensors, again.Tensors)
	})
}
