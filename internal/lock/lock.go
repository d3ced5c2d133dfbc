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

// Lock is a file that this process has. It is released when the process ends, however it does.
type Lock struct {
	file *os.File
	path string
}

// Owner is who has a lock.
type Owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host,omitempty"`
	Since time.Time `json:"since"`
}

// HeldError says that another has the lock, and who, where that could be read.
type HeldError struct {
	Path  string
	Owner Owner
}

// Error is such as "in use by process 4711 since 2026-01-31 12:00:00".
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

// Take locks the file at path, which it makes if there is none, for this process. Another that has
// it, in this process too, is a [HeldError]. File systems without locks grant it to everyone.
func Take(path string) (*Lock, error) {
	for range 100 { // each other turn saw the file removed by whoever had it
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

// current tells that the path still leads to the file that was locked.
func (l *Lock) current() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.path)
	return err == nil && os.SameFile(ours, there)
}

// sign writes into the file who has it. A failure is no reason not to have it.
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

// ownerOf reads who has the lock; it waits a moment for one that has only just taken it.
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

// Release gives the file back and removes it.
func (l *Lock) Release() error {
	if runtime.GOOS == "windows" { // which removes no file that is open
		err := l.file.Close()
		_ = os.Remove(l.path) // another may have it by now
		return err
	}
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.file.Close())
}
