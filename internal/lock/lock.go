package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// Lock is a file that is locked by this process. It is released when the process ends, in whatever
// way.
type Lock struct {
	file *os.File
	path string
}

// Owner is the holder of a lock.
type Owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host,omitempty"`
	Since time.Time `json:"since"`
}

// HeldError reports that another process holds the lock, and which one, if that could be read.
type HeldError struct {
	Path  string
	Owner Owner
}

// Error returns a message such as "in use by process 4711 since 2026-01-31 12:00:00".
func (e *HeldError) Error() string {
	if e.Owner.PID == 0 {
		return "in use by another process"
	}
	where := ""
	if host, err := os.Hostname(); err == nil && e.Owner.Host != "" && e.Owner.Host != host {
		where = fmt.Sprintf(" on %q", e.Owner.Host)
	}
	return fmt.Sprintf("in use by process %d%s since %s", e.Owner.PID, where, e.Owner.Since.Local().Format(time.DateTime))
}

// Take locks the file at path for this process, and creates it if necessary. If the lock is held,
// also by this process, the error is a [HeldError]. On file systems without locks Take always
// succeeds.
func Take(path string) (*Lock, error) {
	for range 100 { // the file may be removed by its previous holder in between
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "lock", Path: path, Err: errors.New("not a regular file")}
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		held, err := try(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if held {
			f.Close()
			return nil, &HeldError{path, ownerOf(path)}
		}
		if l := (&Lock{f, path}); l.current() {
			return l, l.sign()
		}
		f.Close()
	}
	return nil, &HeldError{Path: path}
}

// current reports whether path still leads to the locked file.
func (l *Lock) current() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.path)
	return err == nil && os.SameFile(ours, there)
}

// sign writes the owner into the file. The lock is valid even if this fails.
func (l *Lock) sign() error {
	host, _ := os.Hostname()
	b, err := json.Marshal(Owner{os.Getpid(), host, time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if l.file.Truncate(0) == nil {
		_, _ = l.file.WriteAt(append(b, '\n'), 0)
	}
	return nil
}

// ownerOf reads the owner. It waits a moment for an owner that has only just taken the lock.
func ownerOf(path string) (o Owner) {
	for range 5 {
		f, err := os.Open(path)
		if err != nil {
			return Owner{}
		}
		b, err := io.ReadAll(io.LimitReader(f, 4096))
		f.Close()
		if err == nil && json.Unmarshal(b, &o) == nil {
			return o
		}
		time.Sleep(10 * time.Millisecond)
	}
	return Owner{}
}

// Release releases the lock and removes the file.
func (l *Lock) Release() error {
	if runtime.GOOS == "windows" { // cannot remove an open file
		err := l.file.Close()
		_ = os.Remove(l.path) // another process may have locked it already
		return err
	}
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.file.Close())
}
