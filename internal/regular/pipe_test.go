//go:build unix

package regular_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/regular"
)

// Opening a pipe to which nobody writes does not return.
func TestPipesAreNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	refused(t, path, "a named pipe, not a regular file")
}

func TestNothingIsWrittenToAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	err := regular.Replaceable(path)
	require.ErrorIs(t, err, regular.ErrNotRegular)
	require.EqualError(t, err, "write "+path+": a named pipe, not a regular file")
}
