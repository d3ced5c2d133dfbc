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

// lockFile is the file in a run's folder that its lock is on.
const lockFile = ".lock"

// FolderLock is the right to keep a run in a folder, which one run has at a time. [Fit] takes it
// for as long as it runs; a program takes it by itself, and hands it on as Config.Lock, where it
// loads the checkpoint before or writes into the folder afterwards.
type FolderLock struct {
	path string   // without a symbolic link at its end
	made []string // folders that were made for it, the outermost first
	lock *lock.Lock
}

// LockFolder takes a folder for a run, and makes it if it is missing. A symbolic link stays, and
// what it leads to is the folder. The system gives the lock back when the process ends, even by
// being killed.
//
// It is an error where path is no folder, where another run has it, which is named, and where there
// are other things than a run in it: it holds one where it is empty, where it has a [CheckpointFile],
// [MetricsFile] and [SettingsFile], with whatever else, or some of these and nothing else.
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
		return nil, fmt.Errorf("%s is no folder for a run: it is %s", path, kind(info.Mode()))
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

// resolved is the folder that a path leads to, which need not exist, by its name.
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
	case err != nil: // it is no link
		return filepath.Clean(path), nil
	case filepath.IsAbs(target):
		return target, nil
	}
	return filepath.Join(filepath.Dir(path), target), nil
}

// make makes the folder and those above it that are missing.
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

// check refuses a folder with other things than a run, which path names.
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
		return fmt.Errorf("%s is no folder of a run: it holds %q, and not all of %s, %s and %s; take another folder", path, other, CheckpointFile, MetricsFile, SettingsFile)
	}
	return nil
}

// temporary tells what a run that was killed while it saved leaves behind.
func temporary(name string) bool {
	return name == nextFile || strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp")
}

// Close lets others have the folder. Folders that were made for it and are empty go.
func (l *FolderLock) Close() (err error) {
	if l == nil {
		return nil
	}
	if l.lock != nil {
		err = l.lock.Release()
		l.lock = nil
	}
	for _, dir := range slices.Backward(l.made) {
		if os.Remove(dir) != nil { // there is something in it
			break
		}
	}
	l.made = nil
	return err
}

// moved is what was moved from one folder to another.
type moved struct {
	from, to string // to is empty where nothing was
	names    []string
}

// makeRoom moves an earlier run, if there is a checkpoint of one, to a new folder beside this one.
// The checkpoint goes last: at any moment it has in its folder what it needs.
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
		return m, fmt.Errorf("no room beside %s for the run in it: %w", l.path, err)
	}
	for _, name := range append(names, CheckpointFile) {
		if err := os.Rename(filepath.Join(m.from, name), filepath.Join(m.to, name)); err != nil {
			return moved{}, errors.Join(fmt.Errorf("the run in %s stays: %w", l.path, err), m.undo())
		}
		m.names = append(m.names, name)
	}
	return m, nil
}

// newFolder makes a folder with the name of another and a number.
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
