//go:build unix

package picture

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/regular"
)

// Opening a pipe to which nobody writes does not return.
func TestPipesAreNoPictures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.png")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := DecodeFile(path)
	require.ErrorIs(t, err, regular.ErrNotRegular)
}
