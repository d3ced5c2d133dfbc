//go:build unix

package cifar

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/regular"
)

func TestPipesAreNotRead(t *testing.T) {
	for _, name := range []string{"train.bin", "fine_label_names.txt"} {
		dir := folder(t, hundred())
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
		_, _, err := Load100(dir)
		require.ErrorIs(t, err, regular.ErrNotRegular)
	}
}
