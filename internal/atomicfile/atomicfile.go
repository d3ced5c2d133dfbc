package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/plexaura/plexaura/internal/regular"
)

// Write replaces the file at path by what write writes, or creates it. The content is written to a
// temporary file in the same folder, synced to disk, and then renamed. If anything fails, an
// existing file is unchanged and the temporary file is removed; it is left behind only if the
// process is killed.
//
// An existing file keeps its permissions. A symbolic link stays, and its target is replaced.
func Write(path string, write func(io.Writer) error) error {
	return system{create, os.Rename, openFolder, runtime.GOOS}.write(path, write)
}

// system is the part of the operating system that Write uses. Tests replace it, to check the order
// of calls and to make each of them fail.
type system struct {
	create     func(path string) (file, error)
	rename     func(from, to string) error
	openFolder func(dir string) (folder, error)
	name       string // as in runtime.GOOS
}

// file is the part of an [os.File] that Write needs.
type file interface {
	io.WriteCloser
	Name() string
	Chmod(fs.FileMode) error
	Sync() error
}

// folder is the part of an [os.File] that syncFolder needs.
type folder interface {
	io.Closer
	Sync() error
}

func (s system) write(path string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := regular.Replaceable(path); err != nil {
		return err
	}
	old, missing := os.Stat(path)
	f, err := s.create(path)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	defer f.Close()           // closing twice is harmless; write may panic
	if missing == nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := s.rename(f.Name(), path); err != nil {
		return err
	}
	return s.syncFolder(filepath.Dir(path))
}

// create creates a new file next to path. Unlike os.CreateTemp it honours the user's umask.
func create(path string) (file, error) {
	dir, base := filepath.Split(path)
	for range 100 {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("no free name for a temporary file beside it")}
}

// syncFolder makes the new name durable, if the platform and the file system support it.
func (s system) syncFolder(dir string) error {
	if s.name == "windows" || s.name == "js" || s.name == "plan9" {
		return nil
	}
	d, err := s.openFolder(dir)
	if err != nil {
		return nil // a folder that is writable but not readable
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func openFolder(dir string) (folder, error) { return os.Open(dir) }
