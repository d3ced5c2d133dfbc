package safetensors_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/stretchr/testify/require"
)

func seeds(f *testing.F) {
	for _, name := range []string{"python", "float16", "types", "half"} {
		b, err := os.ReadFile("testdata/" + name + ".safetensors")
		require.NoError(f, err)
		f.Add(b)
	}
	for _, header := range []string{
		`{"__metadata__":null,"w":{"x":[{"a":[1]}],"dtype":"F9","shape":[4294967296,0],"data_offsets":[0,4]}}`,
		`{"\ud83d\ude00":{"dtype":"BOOL","shape":[2,2],"data_offsets":[0,4]},"\ufffd":{"dtype":"F64","shape":[0],"data_offsets":[4,4]}}`,
		`{"a":"b\nc"}`, `{"w":{"shape":["\n"],"dtype":"F4"}}`,
		`{"w":{"dtype":"F4","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,4]}}`,
		`{"b":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},"h":{"dtype":"F16","shape":[1,1],"data_offsets":[2,4]}}`,
		`{"i":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[0,4294967296],"data_offsets":[4,4]}}`,
	} {
		f.Add([]byte(raw(header, "\x00\x01\x02\x03")))
	}
}

// FuzzRead holds that no file makes Read panic, and that what it accepts is written and
// read back as the same, whether its values can be viewed or not.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.Read(bytes.NewReader(b))
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		for _, tensor := range file.Tensors {
			if _, err := viewed(tensor); tensor.Err() != nil {
				require.ErrorContains(t, err, tensor.Err().Error())
			}
		}
		again, err := safetensors.Read(bytes.NewReader(encoded(t, file)))
		require.NoError(t, err)
		require.Equal(t, len(file.Metadata), len(again.Metadata))
		require.Equal(t, file.Tensors, again.Tensors)
	})
}

// FuzzOpen holds that a Reader accepts the files that Read does, and reads the same from them.
func FuzzOpen(f *testing.F) {
	seeds(f)
	path := filepath.Join(f.TempDir(), "weights.safetensors")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		file, unread := safetensors.Read(bytes.NewReader(b))
		r, err := safetensors.Open(path)
		require.Equal(t, unread == nil, err == nil, "%v; %v", unread, err)
		if err == nil {
			defer r.Close()
			requireSame(t, file, r)
		}
	})
}
