package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/lock"
)

// lockFile is the file in a run's folder that is locked.
const lockFile = ".lock"

// FolderLock is the lock on a run's folder. Only one run at a time can hold it. [Fit] holds it
// while it runs. A program that loads the checkpoint before, or writes into the folder afterwards,
// takes the lock itself and passes it as Config.Lock.
type FolderLock struct {
	path string   // with a final symbolic link resolved
	made []string // folders that were created, the outermost first
	lock *lock.Lock
}

// LockFolder locks a folder for a run. It creates the folder if it is missing. If path is a
// symbolic link, it locks the folder that the link points to. The operating system releases the
// lock when the process ends, even if it is killed.
//
// It is an error if path is not a folder, if another run holds the lock, which the error names, or
// if the folder contains other things than a run. A folder is accepted if it is empty, if it
// contains all of [CheckpointFile], [MetricsFile] and [SettingsFile], possibly with other files, or
// if it contains some of these and nothing else.
func LockFolder(path string) (*FolderLock, error) {
	l, err := lockFolder(path)
	return l, prefixed(err)
}

func lockFolder(path string) (l *FolderLock, err error) {
	l = &FolderLock{}
	if l.path, err = resolved(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(l.path); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder for a run: it is %s", path, kind(info.Mode()))
	}
	if err := l.make(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.check(path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.lock, err = lock.Take(filepath.Join(l.path, lockFile)); err != nil {
		if held := (*lock.HeldError)(nil); errors.As(err, &held) {
			err = fmt.Errorf("the run in %s is %w", path, held)
		}
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// resolved returns the path of the folder that path leads to, which need not exist.
func resolved(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if base := filepath.Base(real); err == nil && (base == "." || base == "..") {
		return filepath.Abs(real)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if err == nil {
		return real, nil
	}
	target, err := os.Readlink(path)
	switch {
	case err != nil: // not a link
		return filepath.Clean(path), nil
	case filepath.IsAbs(target):
		return target, nil
	}
	return filepath.Join(filepath.Dir(path), target), nil
}

// make creates the folder and its missing parents.
func (l *FolderLock) make() error {
	for dir := l.path; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		l.made = append(l.made, dir)
	}
	slices.Reverse(l.made)
	return os.MkdirAll(l.path, 0o777)
}

// check rejects a folder that contains other things than a run. The error calls the folder path.
func (l *FolderLock) check(path string) error {
	entries, err := os.ReadDir(l.path)
	if err != nil {
		return err
	}
	other, have := "", 0
	for _, e := range entries {
		switch name := e.Name(); {
		case name == CheckpointFile, name == MetricsFile, name == SettingsFile:
			have++
		case name != lockFile && !temporary(name):
			other = name
		}
	}
	if other != "" && have < 3 {
		return fmt.Errorf("%s is not a folder of a run: it contains %q, but not all of %s, %s and %s; choose another folder", path, other, CheckpointFile, MetricsFile, SettingsFile)
	}
	return nil
}

// temporary reports whether name is a file that a run leaves behind if it is killed while saving.
func temporary(name string) bool {
	return name == nextFile || strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp")
}

// Close releases the lock. It removes folders that were created for the run and are empty.
func (l *FolderLock) Close() (err error) {
	if l == nil {
		return nil
	}
	if l.lock != nil {
		err = l.lock.Release()
		l.lock = nil
	}
	for _, dir := range slices.Backward(l.made) {
		if os.Remove(dir) != nil { // not empty
			break
		}
	}
	l.made = nil
	return err
}

// moved records what was moved from one folder to another.
type moved struct {
	from, to string // to is empty if nothing was moved
	names    []string
}

// makeRoom moves an earlier run, if its checkpoint exists, to a new folder next to this one. The
// checkpoint is moved last, so that it is always in one folder with the files it needs.
func (l *FolderLock) makeRoom() (m moved, err error) {
	if _, err := os.Lstat(filepath.Join(l.path, CheckpointFile)); errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	entries, err := os.ReadDir(l.path)
	if err != nil {
		return m, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); name != CheckpointFile && name != lockFile && !temporary(name) {
			names = append(names, name)
		}
	}
	m.from = l.path
	if m.to, err = newFolder(l.path); err != nil {
		return m, fmt.Errorf("making a folder next to %s for the run in it: %w", l.path, err)
	}
	for _, name := range append(names, CheckpointFile) {
		if err := os.Rename(filepath.Join(m.from, name), filepath.Join(m.to, name)); err != nil {
			return moved{}, errors.Join(fmt.Errorf("moving the run in %s: %w", l.path, err), m.undo())
		}
		m.names = append(m.names, name)
	}
	return m, nil
}

// newFolder creates a folder named after another, with a number appended.
func newFolder(beside string) (string, error) {
	for i := 1; ; i++ {
		dir := fmt.Sprintf("%s-%d", beside, i)
		if err := os.Mkdir(dir, 0o777); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
}

// undo moves everything back.
func (m moved) undo() (err error) {
	if m.to == "" {
		return nil
	}
	for _, name := range slices.Backward(m.names) {
		err = errors.Join(err, os.Rename(filepath.Join(m.to, name), filepath.Join(m.from, name)))
	}
	return errors.Join(err, os.Remove(m.to))
}
