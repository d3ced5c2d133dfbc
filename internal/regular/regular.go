package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular is wrapped by errors about files that are not regular files.
var ErrNotRegular = errors.New("not a regular file")

// Open opens the file at path, following symbolic links, for reading. If it is not a regular file,
// Open does not open it and returns an [fs.PathError] that says what it is and wraps
// [ErrNotRegular].
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := check("open", path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil { // the name may belong to another file by now
		err = check("open", path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadFile returns the content of the file at path. A file with more than limit bytes is an error;
// no more than limit bytes are read.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("more than the %d bytes that such a file may have", limit)}
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Replaceable returns an error if no regular file can be written to path, as a new file or
// replacing an existing one: if there is something else, or no folder for it. It is for checks
// before long work, and opens nothing.
func Replaceable(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		return check("write", path, info)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if info, err = os.Stat(dir); err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "write", Path: path, Err: fmt.Errorf("%s is %s, not a folder", dir, kind(info.Mode()))}
	}
	return err
}

// Same reports whether both paths lead to the same file or folder, which is there.
func Same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// check returns an error if a file is not a regular file. op is the intended operation.
func check(op, path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: fmt.Errorf("%s, %w", kind(info.Mode()), ErrNotRegular)}
}

// kind describes a file with the given mode.
func kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a file of another kind"
}
