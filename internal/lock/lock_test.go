package lock_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/lock"
)

// holder is the file that this binary, run by a test, locks until it is killed or the test is:
// then its standard input ends.
const holder = "LOCK_TEST_FILE"

func TestMain(m *testing.M) {
	path := os.Getenv(holder)
	if path == "" {
		os.Exit(m.Run())
	}
	_, err := lock.Take(path)
	fmt.Println("locked", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestTheSecondIsToldOfTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lock.Take(path)
	require.NoError(t, err)
	_, err = lock.Take(path)
	var held *lock.HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, os.Getpid(), held.Owner.PID)
	require.Regexp(t, `^in use by process \d+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, err.Error())
	require.NoError(t, first.Release())
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist, "nothing is left behind")
	again, err := lock.Take(path)
	require.NoError(t, err)
	require.NoError(t, again.Release())
}

// A killed process leaves its file behind, and no lock.
func TestAKilledOwnerHasItNoLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), holder+"="+path)
	_, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	err := errors.Join(inErr, outErr)
	if err = errors.Join(err, cmd.Start()); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked <nil>\n", line)

	_, err = lock.Take(path)
	var held *lock.HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, cmd.Process.Pid, held.Owner.PID)

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.FileExists(t, path)
	l, err := lock.Take(path)
	require.NoError(t, err)
	require.NoError(t, l.Release())
}

// Of many at a time one has it, whoever removes the file meanwhile.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var group sync.WaitGroup
	var having sync.Mutex
	taken := make(chan int, 8*200)
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				l, err := lock.Take(path)
				if err != nil {
					continue
				}
				if !having.TryLock() {
					t.Error("two have the lock")
					return
				}
				taken <- i
				having.Unlock()
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.NotEmpty(t, taken)
}

func TestWhatIsNoFileIsNotLocked(t *testing.T) {
	dir := t.TempDir()
	_, err := lock.Take(dir)
	require.ErrorContains(t, err, "not a regular file")
	_, err = lock.Take(filepath.Join(dir, "missing", "lock"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
