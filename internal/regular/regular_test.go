package regular_test

import (
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/regular"
)

func TestRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o666))
	require.NoError(t, os.Symlink("file", link))
	for _, p := range []string{path, link} {
		f, err := regular.Open(p)
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "content", string(b))
		require.NoError(t, f.Close())
	}
}

// refused checks both functions; a reader that opened the file might wait for ever.
func refused(t *testing.T, path, want string) {
	t.Helper()
	_, err := regular.Open(path)
	require.ErrorIs(t, err, regular.ErrNotRegular)
	require.ErrorContains(t, err, path+": "+want)
	_, err = regular.ReadFile(path, 1<<20)
	require.ErrorIs(t, err, regular.ErrNotRegular)
}

func TestWhatIsNoFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	refused(t, dir, "a folder, not a regular file")
	_, err := regular.Open(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = regular.ReadFile(filepath.Join(dir, "none"), 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "link")))
	refused(t, filepath.Join(dir, "link"), "a folder")
	if info, err := os.Stat(os.DevNull); err == nil && info.Mode()&fs.ModeDevice != 0 {
		refused(t, os.DevNull, "a device")
	}
}

func TestSocketsAreNotOpened(t *testing.T) {
	t.Chdir(t.TempDir()) // the name of a socket must be short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip("no sockets in folders here: ", err)
	}
	defer l.Close()
	refused(t, "socket", "a socket")
}

func TestFilesBeyondTheLimitAreNotReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o666))
	b, err := regular.ReadFile(path, 5)
	require.NoError(t, err)
	require.Equal(t, "12345", string(b))
	_, err = regular.ReadFile(path, 4)
	require.ErrorContains(t, err, path+": more than the 4 bytes")
	require.NoError(t, os.Truncate(path, 1<<40)) // without a block on the disk
	_, err = regular.ReadFile(path, 1<<10)
	require.ErrorContains(t, err, "more than the 1024 bytes")
}

func TestWhereAFileMayBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, regular.Replaceable(file))
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	require.NoError(t, regular.Replaceable(file))
	require.NoFileExists(t, filepath.Join(dir, "other"), regular.Replaceable(filepath.Join(dir, "other")))
	require.ErrorIs(t, regular.Replaceable(dir), regular.ErrNotRegular)
	require.ErrorIs(t, regular.Replaceable(filepath.Join(dir, "none", "file")), fs.ErrNotExist)
	require.Error(t, regular.Replaceable(filepath.Join(file, "below")))
}
