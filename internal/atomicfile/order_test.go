package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder notes what Write does, and lets what is named by fail fail.
type recorder struct {
	done []string
	fail string
}

var errBroken = errors.New("broken")

func (r *recorder) do(what string, f func() error) error {
	r.done = append(r.done, what)
	if what == r.fail {
		return errBroken
	}
	return f()
}

func (r *recorder) system() system {
	return system{
		create: func(path string) (f file, err error) {
			err = r.do("create", func() error {
				f, err = create(path)
				return err
			})
			return &recorded{f, r, false}, err
		},
		rename: func(from, to string) error { return r.do("rename", func() error { return os.Rename(from, to) }) },
		openFolder: func(dir string) (folder, error) {
			f, err := openFolder(dir)
			return recordedFolder{f, r, dir}, err
		},
		name: runtime.GOOS,
	}
}

type recordedFolder struct {
	folder
	r    *recorder
	path string
}

func (f recordedFolder) Sync() error {
	return f.r.do("sync "+filepath.Base(f.path), f.folder.Sync)
}

type recorded struct {
	file
	r      *recorder
	closed bool
}

func (f *recorded) Chmod(m fs.FileMode) error {
	return f.r.do("chmod", func() error { return f.file.Chmod(m) })
}

func (f *recorded) Sync() error { return f.r.do("sync", f.file.Sync) }

func (f *recorded) Write(b []byte) (n int, err error) {
	err = f.r.do("write", func() error {
		n, err = f.file.Write(b)
		return err
	})
	return n, err
}

// Close is noted once: a second time is harmless.
func (f *recorded) Close() error {
	if f.closed {
		return f.file.Close()
	}
	f.closed = true
	return f.r.do("close", f.file.Close)
}

// steps is the order in which a file is replaced. Content that is not on the disk before its file
// has the name, and a name that is not on the disk before Write returns, are lost with the power.
var steps = []string{"create", "chmod", "write", "sync", "close", "rename", "sync run"}

func replace(t *testing.T, fail string) (r *recorder, path string, err error) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("an open file cannot be removed there")
	}
	path = filepath.Join(t.TempDir(), "run", "weights")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
	r = &recorder{fail: fail}
	return r, path, r.system().write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	})
}

func TestTheOrderOfReplacingAFile(t *testing.T) {
	r, path, err := replace(t, "")
	require.NoError(t, err)
	require.Equal(t, steps, r.done)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(b))
}

// Whatever fails is told, nothing but closing follows it, and up to the renaming the old file is
// there as it was, alone.
func TestEachStepMayFail(t *testing.T) {
	for i, step := range steps {
		r, path, err := replace(t, step)
		require.ErrorIs(t, err, errBroken, step)
		for _, after := range r.done[i+1:] {
			require.Equal(t, "close", after, "after %s failed", step)
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		want := "old"
		if step == "sync run" {
			want = "new"
		}
		require.Equal(t, want, string(b), step)
		left, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, left, 1, step)
	}
}

// unsynced is a folder of which Sync says err.
type unsynced struct{ err error }

func (f unsynced) Sync() error { return f.err }
func (unsynced) Close() error  { return nil }

// A file system that cannot sync a folder does not make a file that was written a failure; a disk
// that is broken does.
func TestAFolderThatCannotBeSynced(t *testing.T) {
	for _, c := range []struct {
		system         string
		opening, after error
		want           error
	}{
		{"linux", nil, nil, nil},
		{"linux", fs.ErrPermission, nil, nil},
		{"linux", nil, errors.ErrUnsupported, nil},
		{"linux", nil, &fs.PathError{Op: "sync", Err: syscall.EINVAL}, nil},
		{"linux", nil, errBroken, errBroken},
		{"windows", nil, errBroken, nil},
	} {
		s := system{name: c.system, openFolder: func(string) (folder, error) { return unsynced{c.after}, c.opening }}
		require.Equal(t, c.want, s.syncFolder("run"), "%+v", c)
	}
}
