package atomicfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/stretchr/testify/require"
)

func put(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// requireOnly checks that the folder holds that one file, with that content.
func requireOnly(t *testing.T, path, content string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(b))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestWriteMakesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, atomicfile.Write(path, put("first, which is longer")))
	requireOnly(t, path, "first, which is longer")
	require.NoError(t, atomicfile.Write(path, put("second")))
	requireOnly(t, path, "second")
}

func TestFailureLeavesTheOldContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, atomicfile.Write(path, put("old")))
	broken := errors.New("broken")
	err := atomicfile.Write(path, func(w io.Writer) error {
		_ = put("half of the new")(w)
		return broken
	})
	require.ErrorIs(t, err, broken)
	requireOnly(t, path, "old")
}

func TestFailureLeavesNothingNew(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, atomicfile.Write(filepath.Join(dir, "weights"), func(io.Writer) error { return io.ErrShortWrite }))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestPanicRemovesTheTemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, atomicfile.Write(path, put("old")))
	require.Panics(t, func() {
		_ = atomicfile.Write(path, func(io.Writer) error { panic("in the middle") })
	})
	requireOnly(t, path, "old")
}

func TestMissingFolderIsAnError(t *testing.T) {
	err := atomicfile.Write(filepath.Join(t.TempDir(), "no", "weights"), put("x"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFolderIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, os.Mkdir(path, 0o777))
	require.ErrorContains(t, atomicfile.Write(path, put("x")), "not a regular file")
	require.DirExists(t, path)
}

func TestOldContentIsThereWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, atomicfile.Write(path, put("old")))
	require.NoError(t, atomicfile.Write(path, func(w io.Writer) error {
		if err := put("new")(w); err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		require.Equal(t, "old", string(b))
		return err
	}))
	requireOnly(t, path, "new")
}

func TestPermissionsAndLinksStay(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("no permission bits or links there")
	}
	dir := t.TempDir()
	path, link := filepath.Join(dir, "weights"), filepath.Join(dir, "latest")
	require.NoError(t, atomicfile.Write(path, put("old")))
	require.NoError(t, os.Chmod(path, 0o606)) // whatever the umask is
	require.NoError(t, os.Symlink("weights", link))
	require.NoError(t, atomicfile.Write(link, put("new")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o606), info.Mode().Perm())
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "weights", target)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(b))
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, atomicfile.Write("weights", put("here")))
	wd, err := os.Getwd()
	require.NoError(t, err)
	requireOnly(t, filepath.Join(wd, "weights"), "here")
}

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "epoch.txt")
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "epoch 3")
		return err
	})
	b, _ := os.ReadFile(path)
	fmt.Println(strings.TrimSpace(string(b)), err)
	// Output: epoch 3 <nil>
}
