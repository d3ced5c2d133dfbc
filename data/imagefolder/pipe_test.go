//go:build unix

package imagefolder

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/regular"
)

// A pipe is left out, by way of a link too; what has become one since is not opened.
func TestPipesAreNoPictures(t *testing.T) {
	dir := colours(t)
	pipe := filepath.Join(dir, "train", "blue", "a.png")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Symlink("a.png", filepath.Join(dir, "train", "blue", "b.png")))
	f, err := open(dir)
	require.NoError(t, err)
	require.Equal(t, 4, f.Len())
	require.Equal(t, LeftOut{"no regular files", 2, pipe}, f.LeftOut()[0])
	require.NoError(t, os.Remove(f.Path(0)))
	require.NoError(t, syscall.Mkfifo(f.Path(0), 0o600))
	err = f.Read(0, data.Example{X: make([]float32, 3*8*8), Labels: make([]int32, 1)})
	require.ErrorIs(t, err, regular.ErrNotRegular)
}
