//go:build unix

package mnist

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/regular"
)

func TestPipesAreNotRead(t *testing.T) {
	for _, name := range []string{"train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"} {
		dir := t.TempDir()
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
		_, _, err := Load(dir)
		require.ErrorIs(t, err, regular.ErrNotRegular)
	}
}
