package main

import (
	"bytes"
	"crypto/sha256"
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

	"github.com/plexaura/plexaura/dist/launcher"
	"github.com/plexaura/plexaura/dist/mpi/mpitest"
	"github.com/plexaura/plexaura/train"
)

// demoWithMPI builds the demo with MPI, once.
var demoWithMPI = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "demo")
	build := exec.Command("go", "build", "-tags", "mpi", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return program, err
})

var every = flag.Bool("every", false, "test every MPI launcher that is installed, not only the first")

// launchers returns launchers of this machine, the first or with -every all, and the demo with MPI.
func launchers(t *testing.T) ([]mpitest.Launcher, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	all, err := mpitest.Find()
	if err != nil {
		t.Skip(err)
	}
	if !*every {
		all = all[:1]
	}
	program, err := demoWithMPI()
	require.NoError(t, err)
	return all, program
}

// A run of 4 shards leaves the same files on 1, 2 and 4 ranks, under any launcher. The network has batch
// normalisation and dropout, and the pictures are augmented.
func TestRanksUnderMPILeaveTheSameFiles(t *testing.T) {
	all, program := launchers(t)
	train := func(cmd func(program string, args ...string) *exec.Cmd) (sum [32]byte) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "run")
		c := cmd(program, "train", "-model", "mnistnet", "-limit", "300", "-test-limit", "100", "-epochs", "2", "-augment", "mnist", "-shards", "4", "-out", out)
		printed, err := c.CombinedOutput()
		require.NoError(t, err, "%s", printed)
		require.Equal(t, 1, strings.Count(string(printed), "saved in "), "%s", printed)
		file, err := os.ReadFile(filepath.Join(out, "model.safetensors"))
		require.NoError(t, err)
		return sha256.Sum256(file)
	}
	want := train(func(program string, args ...string) *exec.Cmd { return exec.Command(program, args...) })
	for _, l := range all {
		for _, ranks := range []int{2, 4} {
			got := train(func(program string, args ...string) *exec.Cmd { return l.Command(ranks, program, args...) })
			require.Equal(t, want, got, "%s, %d ranks", l.Name, ranks)
		}
	}
}

// A search of rates in 4 shards draws the same picture on 1, 2 and 4 ranks, and suggests the same rate, once.
func TestRanksUnderMPIFindTheSameRate(t *testing.T) {
	all, program := launchers(t)
	find := func(cmd func(program string, args ...string) *exec.Cmd) (said string, picture []byte) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "run")
		printed, err := cmd(program, "train", "-limit", "640", "-test-limit", "100", "-find-lr", "-shards", "4", "-out", out).CombinedOutput()
		require.NoError(t, err, "%s", printed)
		found := regexp.MustCompile(`the loss had fallen half way at a rate of .*\n`).FindAllString(string(printed), -1)
		require.Len(t, found, 1, "%s", printed)
		picture, err = os.ReadFile(out + "-find-lr.png")
		require.NoError(t, err)
		return found[0], picture
	}
	said, picture := find(func(program string, args ...string) *exec.Cmd { return exec.Command(program, args...) })
	for _, l := range all {
		for _, ranks := range []int{2, 4} {
			again, same := find(func(program string, args ...string) *exec.Cmd { return l.Command(ranks, program, args...) })
			require.Equal(t, said, again, "%s, %d ranks", l.Name, ranks)
			require.True(t, bytes.Equal(picture, same), "%s, %d ranks", l.Name, ranks)
		}
	}
}

// ranksOf returns the processes of program that a launcher has started.
func ranksOf(program string) (pids []int) {
	entries, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, e := range entries {
		if exe, err := os.Readlink(e); err == nil && exe == program {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(e)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// A rank that is killed, or hangs, ends the run, and the checkpoint is whole.
func TestARankThatIsKilledEndsTheRun(t *testing.T) {
	all, program := launchers(t)
	for _, l := range all {
		for i, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGKILL} {
			out := filepath.Join(t.TempDir(), "run")
			var printed bytes.Buffer
			c := l.Command(2, program, "train", "-limit", "500", "-test-limit", "100", "-epochs", "100000", "-timeout", "2s", "-out", out)
			c.Stdout, c.Stderr = &printed, &printed
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, c.Start())
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			file := filepath.Join(out, train.CheckpointFile)
			require.Eventually(t, func() bool {
				_, err := os.Stat(file)
				return err == nil && len(ranksOf(program)) == 2
			}, time.Minute, 10*time.Millisecond)
			pids := ranksOf(program)
			require.NoError(t, syscall.Kill(pids[i%2], signal))
			select {
			case err := <-ended:
				require.Error(t, err, "%s", printed.String())
			case <-time.After(30 * time.Second):
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				t.Fatalf("%s, %v: the run goes on", l.Name, signal)
			}
			for _, pid := range ranksOf(program) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			ck, err := train.LoadCheckpoint(file)
			require.NoError(t, err)
			require.NotEmpty(t, ck.Progress.Epochs)
			if signal == syscall.SIGSTOP {
				require.Contains(t, printed.String(), "waited")
			}
		}
	}
}

// What ranks cannot agree on is one line, before the first step.
func TestRanksWithOtherFlags(t *testing.T) {
	all, program := launchers(t)
	for _, l := range all {
		out := filepath.Join(t.TempDir(), "run")
		args := []string{"train", "-limit", "200", "-test-limit", "100", "-epochs", "1", "-out", out}
		c := l.Command(1, program, append(args, "-seed", "1")...)
		c.Args = append(append(c.Args, ":", "-n", "1", program), append(args, "-seed", "2")...)
		printed, err := c.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 1, strings.Count(string(printed), `ranks 0 and 1 differ in seed: "1" and "2"`), "%s", printed)
		require.NoFileExists(t, filepath.Join(out, train.CheckpointFile))
	}
}

// A program without MPI does not train as many times as there are ranks; one rank prints why.
func TestALauncherOfAProgramWithoutMPI(t *testing.T) {
	const build = "which was built without -tags mpi and would train as many times; build it by: go build -tags mpi ./cmd/demo\n"
	for _, c := range []struct{ env, want string }{
		{"PMI_SIZE=4", "demo train: a launcher has started 4 ranks of this program, " + build},
		{"PMI_SIZE=4 PMI_RANK=2", ""},
		{"OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0", "demo train: a launcher has started 2 ranks of this program, " + build},
		{"SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=0", "demo train: a launcher has started 8 ranks of this program, " + build},
		{"PMIX_RANK=3", "demo train: a launcher has started several ranks of this program, " + build},
	} {
		t.Run(c.env, func(t *testing.T) {
			launchedWith(t, c.env)
			status, _, stderr := demo(t.Context(), "train", "-limit", "100", "-out", filepath.Join(t.TempDir(), "run"))
			require.Equal(t, statusFailed, status)
			require.Equal(t, c.want, stderr)
		})
	}
}

// A shell in an allocation of Slurm has variables of one, and starts a program once.
func TestAnAllocationIsNoLauncher(t *testing.T) {
	for _, env := range []string{
		"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_NPROCS=4",
		"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0",
		"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_STEPID=4294967290 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0",
	} {
		t.Run(env, func(t *testing.T) {
			launchedWith(t, env)
			status, _, stderr := demo(t.Context(), "train", "-limit", "64", "-test-limit", "32", "-epochs", "1", "-out", filepath.Join(t.TempDir(), "run"))
			require.Zero(t, status, stderr)
		})
	}
}

// launchedWith sets the variables of "NAME=value NAME=value", and no others of launchers.
func launchedWith(t *testing.T, env string) {
	t.Helper()
	for _, name := range launcher.Variables() {
		t.Setenv(name, "")
	}
	for _, pair := range strings.Fields(env) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// A network whose tensors have layouts other than rows is trained in shards as well.
func TestShardsOfANetworkWithOtherLayouts(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	status, _, stderr := demo(t.Context(), "train", "-model", "mnistnet", "-limit", "64", "-test-limit", "32", "-batch", "32", "-epochs", "1", "-shards", "2", "-out", out)
	require.Zero(t, status, stderr)
}
