//go:build linux && (amd64 || arm64)

package mpi

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/launcher"
	"github.com/plexaura/plexaura/dist/mpi/mpitest"
)

var every = flag.Bool("every", false, "test every launcher that is installed, not only the first")

// each runs a test for the launchers that are installed: the first or, with -every, all of them.
func each(t *testing.T, f func(t *testing.T, l mpitest.Launcher)) {
	all, err := mpitest.Find()
	if err != nil {
		t.Skip(err)
	}
	t.Setenv(LibVariable, "")
	if !*every {
		all = all[:1]
	}
	for _, l := range all {
		t.Run(l.Name, func(t *testing.T) { f(t, l) })
	}
}

// most is how long a launch may take: that of a failure, which is to be told in 30 seconds, and the start.
const most = 60 * time.Second

// output is what ranks write, which a test may read while they run.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// begin starts this test's program as ranks.
func begin(t *testing.T, l mpitest.Launcher, ranks int, role string, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd, out := l.Command(ranks, self, append([]string{"-as", role}, args...)...), new(output)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	require.NoError(t, cmd.Start())
	return cmd, out
}

// end waits for the launcher, and fails the test if it takes too long.
func end(t *testing.T, cmd *exec.Cmd, out *output) error {
	t.Helper()
	late := time.AfterFunc(most, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	require.True(t, late.Stop(), "the ranks did not end within %v:\n%s", most, out)
	return err
}

func launch(t *testing.T, l mpitest.Launcher, ranks int, role string, args ...string) (string, error) {
	t.Helper()
	cmd, out := begin(t, l, ranks, role, args...)
	err := end(t, cmd, out)
	return out.String(), err
}

// done returns how many ranks reached their end.
func done(out string) int { return strings.Count(out, "done: rank ") }

func TestMPIGroupsConform(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		for ranks, role := range map[int]string{1: "conform", 2: "conform", 3: "cut", 4: "conform"} {
			out, err := launch(t, l, ranks, role, "-seed", strconv.FormatInt(time.Now().UnixNano(), 10))
			require.NoError(t, err, "%d ranks, %s:\n%s", ranks, role, out)
			require.Equal(t, ranks, done(out), out)
		}
	})
}

func TestALibraryForOneThreadConforms(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, "funneled")
		require.NoError(t, err, out)
		require.Equal(t, 3, done(out), out)
	})
}

// The launcher's library is found beside it; MPICH of PyPI has that of the standard's ABI and its own.
func TestEveryABIConforms(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		own, err := l.Lib()
		if err != nil {
			t.Skip("no library beside the launcher: ", err)
		}
		abi := mpichABI.name
		if l.OpenMPI {
			abi = openABI.name
		}
		libs := map[string]string{own: abi}
		if standard := filepath.Join(filepath.Dir(own), "libmpi_abi.so.1"); !l.OpenMPI {
			libs[standard] = standardABI.name
		}
		for lib, abi := range libs {
			out, err := launch(t, l, 2, "conform", "-lib", lib)
			require.NoError(t, err, out)
			require.Equal(t, 2, strings.Count(out, "ABI of "+abi+", "+lib), out)
		}
	})
}

func TestNilIsStillAPanic(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 2, "nil")
		require.NoError(t, err, out)
		require.Equal(t, 2, done(out), out)
	})
}

var isRank = regexp.MustCompile(`process (\d+) is rank (\d+)`)

// processes waits until the ranks have said which processes they are.
func processes(t *testing.T, out *output, ranks int) map[int]int {
	t.Helper()
	pids := map[int]int{}
	require.Eventually(t, func() bool {
		for _, m := range isRank.FindAllStringSubmatch(out.String(), -1) {
			pid, _ := strconv.Atoi(m[1])
			rank, _ := strconv.Atoi(m[2])
			pids[rank] = pid
		}
		return len(pids) == ranks
	}, most, time.Millisecond, "%v", out)
	return pids
}

// gone waits until no process of the ranks is left.
func gone(t *testing.T, pids map[int]int) {
	t.Helper()
	for rank, pid := range pids {
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, most, 5*time.Millisecond, "rank %d is still there", rank)
	}
}

var kills = flag.Int("kills", 3, "how often a rank is killed, for each launcher")

func TestAKilledRankEndsAll(t *testing.T) {
	times := *kills
	if testing.Short() {
		times = 1
	}
	each(t, func(t *testing.T, l mpitest.Launcher) {
		for i := range times {
			cmd, out := begin(t, l, 3, "wait")
			pids := processes(t, out, 3)
			time.Sleep(time.Duration(i*i) * time.Millisecond)
			require.NoError(t, syscall.Kill(pids[i%3], syscall.SIGKILL))
			require.Error(t, end(t, cmd, out), out)
			gone(t, pids)
		}
	})
}

func TestARankThatStopsIsNamedAndEndsAll(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		for role, op := range map[string]string{"stop": "SumFloat64", "stop-big": "Exchange"} {
			out, err := launch(t, l, 3, role)
			require.Error(t, err, out)
			require.Regexp(t, `rank [02] of 3: `+op+` waited [12](\.\d+)?s for rank 1: context deadline exceeded`, out)
		}
	})
}

func TestAbortEndsAllAndSaysWhy(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, "abort")
		require.Error(t, err, out)
		require.Contains(t, out, "rank 1 of 3: no space left\n")
	})
}

func TestARankThatLeavesEndsAll(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, "leave")
		require.Error(t, err, out)
		require.Zero(t, done(out), out)
	})
}

// Some launchers end the others, some leave them to wait.
func TestARankThatDoesNotStartEndsAll(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, early)
		require.Error(t, err, out)
		require.Zero(t, done(out), out)
	})
}

// raced reports that the race detector is on, with which calls of C allocate.
var raced bool

func TestMPIOperationsAllocateNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 2, "allocate")
		require.NoError(t, err, out)
	})
}

func TestLengthsThatDifferAreTold(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 2, "lengths")
		require.Error(t, err, out)
		require.Contains(t, out, "Close: MPI cannot be finalised after a failure; Abort ends all ranks")
		require.Regexp(t, `expecting 4 bytes: rank 0 of 2: Exchange waited .* for rank 1: the message from or to rank 1, of 4 bytes here: .*(?i:truncate)`, out)
		require.Contains(t, out, "rank 1 sends 5 bytes to rank 0, which expects 6")
	})
}

func TestMPIRanksThatDisagreeAreTold(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 2, "differ")
		require.Error(t, err, "a process with a failed group does not finalise MPI")
		require.NotContains(t, out, "no error")
		require.Contains(t, out, "Close: MPI cannot be finalised")
		require.Regexp(t, "rank 0 calls Barrier, and rank 1 SumFloat64|rank 1 calls SumFloat64, and rank 0 Barrier", out)
	})
}

// MPICH 5 refuses to finalise where a message has not been received.
func TestGroupsEndAfterARankWasLate(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, "late")
		require.NoError(t, err, out)
		require.Equal(t, 3, done(out), out)
	})
}

func TestARankInAnotherOperationIsNamed(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, 3, "elsewhere")
		require.Error(t, err, out)
		require.Regexp(t, `rank [02] of 3: SumFloat64 waited [34](\.\d+)?s for rank 1: context deadline exceeded \(rank 1 waits in Broadcast\)|`+
			`rank 1 of 3: Broadcast waited [34](\.\d+)?s for ranks 0, 2: context deadline exceeded \(rank 0 waits in SumFloat64, rank 2 waits in SumFloat64\)`, out)
	})
}

func TestTheLibraryOfAnotherLauncherIsRefused(t *testing.T) {
	all, err := mpitest.Find()
	if err != nil {
		t.Skip(err)
	}
	t.Setenv(LibVariable, "")
	tried := false
	for _, l := range all {
		for _, other := range all {
			lib, err := other.Lib()
			if err != nil || other.OpenMPI == l.OpenMPI {
				continue
			}
			tried = true
			out, err := launch(t, l, 2, "conform", "-lib", lib)
			require.Error(t, err, out)
			mpiexec := map[bool]string{true: "Open MPI's mpiexec", false: "MPICH's mpiexec"}[l.OpenMPI]
			require.Contains(t, out, "belongs to another launcher than "+mpiexec+", which started 2 processes: start the program with the library's own, or name the library of "+mpiexec+" by "+LibVariable)
			require.NotContains(t, out, "panic")
		}
	}
	if !tried {
		t.Skip("needs launchers of MPICH and of Open MPI; .ci/mpi installs both")
	}
}

func TestWhatIsNoLibraryIsOneLine(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		dir := t.TempDir()
		half := filepath.Join(dir, "libmpi.so")
		require.NoError(t, os.WriteFile(half, []byte("INPUT(libmpi.so.12)"), 0o644))
		for lib, says := range map[string]string{
			filepath.Join(dir, "none.so"): "none of " + dir + "/none.so is there",
			half:                          "file too short",
			"libc.so.6":                   "it has no MPI_Get_library_version; MPI 3.0 or later is needed",
		} {
			out, err := launch(t, l, 2, "conform", "-lib", lib)
			require.Error(t, err)
			require.Contains(t, out, says)
			require.Regexp(t, `(?m)^rank failed: mpi: no library of (MPICH|Open MPI)'s mpiexec: [^\n]*; name one by PLEXAURA_MPI_LIB$`, out)
		}
	})
}

func TestTheVariableNamesTheLibrary(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		t.Setenv(LibVariable, "/none/libmpi.so.12")
		out, err := launch(t, l, 2, "conform")
		require.Error(t, err)
		require.Contains(t, out, "none of /none/libmpi.so.12 is there")
	})
}

// A library that is asked for is loaded, launcher or not.
func TestALibraryWithoutALauncherIsAGroupOfOne(t *testing.T) {
	each(t, func(t *testing.T, l mpitest.Launcher) {
		lib, err := l.Lib()
		if err != nil {
			t.Skip("no library beside the launcher: ", err)
		}
		self, err := os.Executable()
		require.NoError(t, err)
		out, err := exec.Command(self, "-as", "conform", "-lib", lib).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "done: rank 0 of 1, ")
	})
}

func TestWithoutALauncherItIsAGroupOfOne(t *testing.T) {
	for _, name := range launcher.Variables() {
		t.Setenv(name, "")
	}
	t.Setenv(LibVariable, "")
	g, err := Start(Options{})
	require.NoError(t, err)
	require.Equal(t, 1, g.Size())
	require.NoError(t, g.Barrier(context.Background()))
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	require.NotContains(t, string(maps), "libmpi")
}

func TestParentsOfProcesses(t *testing.T) {
	require.Equal(t, 17, parent("42 (a) b (c) S 17 42 42 0 -1"))
	for _, bad := range []string{"", "42", "42 (x)", ") S", "42 (x) S y"} {
		require.Zero(t, parent(bad), bad)
	}
	require.NotEmpty(t, ancestors())
}

func TestLibrariesBesideALauncher(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"bin/mpiexec.hydra", "bin/python", "lib/libmpi.so.12", "lib64/libmpi_abi.so.1", "lib/libmpi.so.40/x"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), nil, 0o755))
	}
	names := libraryNames(launcher.Process{})
	require.Equal(t, []string{filepath.Join(dir, "lib/libmpi.so.12"), filepath.Join(dir, "lib64/libmpi_abi.so.1")},
		beside([]string{filepath.Join(dir, "bin/python"), filepath.Join(dir, "bin/mpiexec.hydra")}, names))
	require.Empty(t, beside([]string{"/usr/bin/mpiexec"}, names), "the loader finds these")
	require.Equal(t, "libmpi.so.40", libraryNames(launcher.Process{PMIx: true})[0])
	require.Equal(t, "libmpi_abi.so.1", libraryNames(launcher.Process{})[0])
}

func TestRequestsKeepWhatCHasWrittenWhenTheyGrow(t *testing.T) {
	for _, a := range []abi{standardABI, openABI, mpichABI} {
		l, r := &library{abi: a}, requests{}
		for i := range 100 {
			at := r.add(l, nil, i, false)
			require.Equal(t, uintptr(i)*a.handle, at-address(&r.handles[0]))
			copy(dist.Bytes(r.handles)[uintptr(i)*a.handle:], fmt.Sprintf("%04d", i))
		}
		for i := range 100 {
			require.Equal(t, fmt.Sprintf("%04d", i), string(dist.Bytes(r.handles)[uintptr(i)*a.handle:][:4]))
		}
		require.LessOrEqual(t, r.status(l, 100)-address(&r.statuses[0]), uintptr(8*len(r.statuses)))
	}
}
