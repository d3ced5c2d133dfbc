//go:build unix

package safetensors_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/safetensors"
)

// Opening a pipe to which nobody writes does not return.
func TestPipesAreNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := safetensors.ReadFile(path)
	require.ErrorContains(t, err, "a named pipe, not a regular file")
	_, err = safetensors.Open(path)
	require.ErrorContains(t, err, "a named pipe, not a regular file")
}
