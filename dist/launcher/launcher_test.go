package launcher_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist/launcher"
	"github.com/plexaura/plexaura/dist/mpi/mpitest"
	"github.com/plexaura/plexaura/internal/nothing"
)

// env returns the variables of "NAME=value NAME=value".
func env(text string) func(string) string {
	values := map[string]string{}
	for _, pair := range strings.Fields(text) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestProcessesOfLaunchers(t *testing.T) {
	for _, c := range []struct {
		env     string
		want    launcher.Process
		several bool
	}{
		{"", launcher.Process{}, false},
		{"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 PMIX_RANK=1 SLURM_STEP_NUM_TASKS=2",
			launcher.Process{Launcher: "Open MPI's mpiexec", Rank: 1, Size: 4, LocalRank: 1, LocalSize: 2, PMIx: true, OpenMPI: true}, true},
		{"PMI_RANK=3 PMI_SIZE=8 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2 SLURM_STEPID=0 SLURM_STEP_NUM_TASKS=4",
			launcher.Process{Launcher: "MPICH's mpiexec", Rank: 3, Size: 8, LocalRank: 1, LocalSize: 2}, true},
		{"MPI_LOCALRANKID=0 MPI_LOCALNRANKS=2", launcher.Process{Launcher: "MPICH's mpiexec", Size: 2, LocalSize: 2}, true},
		{"PMI_RANK=0 PMI_SIZE=1 MPI_LOCALNRANKS=1", launcher.Process{Launcher: "MPICH's mpiexec", Size: 1, LocalSize: 1}, false},
		{"PALS_RANKID=5 PALS_SIZE=6 PALS_LOCAL_RANKID=2 PALS_LOCAL_SIZE=3", launcher.Process{Launcher: "PALS", Rank: 5, Size: 6, LocalRank: 2, LocalSize: 3}, true},
		{"PMI_SIZE=4", launcher.Process{Launcher: "a launcher with PMI", Size: 4}, true},
		{"PMI_RANK=5 PMI_SIZE=6 PMI_FD=7 SLURM_PROCID=5 SLURM_STEP_NUM_TASKS=6 SLURM_LOCALID=1 SLURM_NODEID=1 SLURM_STEP_TASKS_PER_NODE=4,2",
			launcher.Process{Launcher: "a launcher with PMI", Rank: 5, Size: 6, LocalRank: 1, LocalSize: 2}, true},
		{"PMIX_RANK=3 SLURM_STEP_NUM_TASKS=16 SLURM_LOCALID=3 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=8(x2)",
			launcher.Process{Launcher: "a launcher with PMIx", Rank: 3, Size: 16, LocalRank: 3, LocalSize: 8, PMIx: true}, true},
		{"PMIX_RANK=1", launcher.Process{Launcher: "a launcher with PMIx", Rank: 1, PMIx: true}, true},
		{"SLURM_PROCID=9 SLURM_STEP_NUM_TASKS=11 SLURM_LOCALID=1 SLURM_NODEID=2 SLURM_STEP_TASKS_PER_NODE=4(x2),3 SLURM_NTASKS=11",
			launcher.Process{Launcher: "srun", Rank: 9, Size: 11, LocalRank: 1, LocalSize: 3}, true},
		{"SLURM_PROCID=9 SLURM_STEP_NUM_TASKS=11 SLURM_NODEID=3 SLURM_STEP_TASKS_PER_NODE=4(x2),3", launcher.Process{Launcher: "srun", Rank: 9, Size: 11}, true},

		// The shell of salloc, the script of sbatch, and the step that an interactive shell is.
		{"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_NPROCS=4 SLURM_TASKS_PER_NODE=2(x2)", launcher.Process{}, false},
		{"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0", launcher.Process{}, false},
		{"SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_STEPID=4294967290 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", launcher.Process{}, false},
		{"SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=1 PMIX_RANK=0", launcher.Process{}, false},

		// What is no number.
		{"OMPI_COMM_WORLD_RANK=x OMPI_COMM_WORLD_SIZE=-2", launcher.Process{Launcher: "Open MPI's mpiexec", PMIx: true, OpenMPI: true}, false},
		{"PMI_RANK=99999999999 PMI_SIZE=2147483648", launcher.Process{Launcher: "a launcher with PMI"}, false},
		{"SLURM_STEP_NUM_TASKS=2 SLURM_STEP_TASKS_PER_NODE=2(x", launcher.Process{Launcher: "srun", Size: 2}, true},
	} {
		p := launcher.Detect(env(c.env))
		require.Equal(t, c.want, p, c.env)
		require.Equal(t, c.several, p.Several(), c.env)
	}
}

// What Detect reads is listed, so that a test can take it out of its environment.
func TestEveryVariableIsListed(t *testing.T) {
	all := launcher.Variables()
	require.NotContains(t, all, "")
	for _, set := range []string{"", "OMPI_COMM_WORLD_RANK", "MPI_LOCALNRANKS", "PALS_RANKID", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"} {
		launcher.Detect(func(name string) string {
			require.True(t, name == "" || slices.Contains(all, name), name)
			if name == set {
				return "1"
			}
			return ""
		})
	}
}

// Launchers that are installed say what the table says.
func TestInstalledLaunchersSayWhoTheirProcessesAre(t *testing.T) {
	if os.Getenv("LAUNCHED") != "" { // by this test
		fmt.Printf("%+v\n", launcher.Detect(nil))
		return
	}
	all, err := mpitest.Find()
	if err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("LAUNCHED", "1")
	for _, l := range all {
		name := map[bool]string{true: "Open MPI's mpiexec", false: "MPICH's mpiexec"}[l.OpenMPI]
		out, err := l.Command(3, self, "-test.run", "TestInstalledLaunchers").CombinedOutput()
		require.NoError(t, err, "%s", out)
		said := regexp.MustCompile(`\{Launcher:(.*) Rank:(\d) Size:3 LocalRank:(\d) LocalSize:3 `).FindAllStringSubmatch(string(out), -1)
		require.Len(t, said, 3, "%s", out)
		var ranks, localRanks []string // in any order, each by its own
		for _, m := range said {
			require.Equal(t, name, m[1])
			ranks, localRanks = append(ranks, m[2]), append(localRanks, m[3])
		}
		require.ElementsMatch(t, []string{"0", "1", "2"}, ranks)
		require.ElementsMatch(t, []string{"0", "1", "2"}, localRanks)
	}
	out, err := exec.Command(self, "-test.run", "TestInstalledLaunchers").CombinedOutput()
	require.NoError(t, err)
	if !launcher.Detect(nil).Several() { // the test itself may be run by one
		require.Contains(t, string(out), fmt.Sprintf("%+v", launcher.Process{}))
	}
}

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Detect": launcher.Detect, "Variables": launcher.Variables},
		Types: []any{new(launcher.Process)},
		Good:  func() []any { return []any{launcher.Process{}, os.Getenv} },
	})
}
