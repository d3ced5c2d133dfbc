package launcher

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Process is what a launcher says of one of the processes that it started. The zero value is a process
// that no launcher started.
type Process struct {
	Launcher  string // such as "Open MPI's mpiexec"; "" if there is none
	Rank      int    // among all processes, from 0; 0 if the launcher does not say
	Size      int    // how many processes the launcher started; 0 if it does not say
	LocalRank int    // among the processes on this machine, from 0; 0 if the launcher does not say
	LocalSize int    // how many of them are on this machine; 0 if the launcher does not say

	PMIx    bool // it tells its processes of each other by PMIx, as Open MPI's does, rather than by PMI
	OpenMPI bool // it is Open MPI's
}

// Several reports whether the launcher started more than one process.
func (p Process) Several() bool { return p.Size > 1 || p.Rank > 0 }

// The variables of Slurm that only the tasks of a job step have, those that srun starts. An allocation sets
// SLURM_NTASKS as well, for the shell of salloc and the script of sbatch, where a program is
// alone; and the script has SLURM_PROCID, which is 0.
const (
	stepTasks        = "SLURM_STEP_NUM_TASKS"
	stepTasksPerNode = "SLURM_STEP_TASKS_PER_NODE"
	stepNode         = "SLURM_NODEID"
)

// row is a launcher, and the variables in which it says what a Process has; "" is what it does not say.
// It is the one if a process has any of the marks.
type row struct {
	name                             string
	marks                            []string
	rank, size, localRank, localSize string
	pmix, open                       bool
}

// table has the launchers in the order in which they are looked for: that of MPI sets its own
// variables inside a step of the cluster's. The sources are
//
//   - Open MPI: "Environment variables set by mpirun" in its manual, mpirun(1);
//   - Hydra, the mpiexec of MPICH and Intel MPI: src/pm/hydra/proxy/pmip_cb.c of MPICH;
//   - PALS, of HPE Cray: "Environment variables" in its mpiexec(1);
//   - PMI and PMIx: PMI_RANK and PMI_SIZE of PMI-1 and PMI-2 (Slurm's src/plugins/mpi/pmi2, Flux),
//     PMIX_RANK of the PMIx standard, section 3.4.2;
//   - Slurm: "Output environment variables" in srun(1) and sbatch(1).
var table = []row{
	{name: "Open MPI's mpiexec", marks: []string{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, rank: "OMPI_COMM_WORLD_RANK", size: "OMPI_COMM_WORLD_SIZE",
		localRank: "OMPI_COMM_WORLD_LOCAL_RANK", localSize: "OMPI_COMM_WORLD_LOCAL_SIZE", pmix: true, open: true},
	{name: "MPICH's mpiexec", marks: []string{"MPI_LOCALRANKID", "MPI_LOCALNRANKS"}, rank: "PMI_RANK", size: "PMI_SIZE",
		localRank: "MPI_LOCALRANKID", localSize: "MPI_LOCALNRANKS"},
	{name: "PALS", marks: []string{"PALS_RANKID"}, rank: "PALS_RANKID", size: "PALS_SIZE", localRank: "PALS_LOCAL_RANKID", localSize: "PALS_LOCAL_SIZE"},
	{name: "a launcher with PMI", marks: []string{"PMI_RANK", "PMI_SIZE"}, rank: "PMI_RANK", size: "PMI_SIZE", localRank: "SLURM_LOCALID", localSize: stepTasksPerNode},
	{name: "a launcher with PMIx", marks: []string{"PMIX_RANK"}, rank: "PMIX_RANK", size: stepTasks, localRank: "SLURM_LOCALID", localSize: stepTasksPerNode, pmix: true},
	{name: "srun", marks: []string{stepTasks}, rank: "SLURM_PROCID", size: stepTasks, localRank: "SLURM_LOCALID", localSize: stepTasksPerNode},
}

// Detect returns what the variables of a process say of it. getenv returns the value of a variable, ""
// if there is none; nil stands for [os.Getenv].
//
// A step of Slurm with one task is taken for no launcher, since the interactive shell of an allocation
// is one. What is not a number from 0 to 2³¹-1 is taken for not said.
func Detect(getenv func(string) string) Process {
	if getenv == nil {
		getenv = os.Getenv
	}
	isSet := func(name string) bool { return getenv(name) != "" }
	for _, r := range table {
		if !slices.ContainsFunc(r.marks, isSet) {
			continue
		}
		p := r.read(getenv)
		if r.size == stepTasks && p.Size == 1 {
			continue
		}
		return p
	}
	return Process{}
}

func (r row) read(getenv func(string) string) Process {
	local := number(getenv(r.localSize))
	if r.localSize == stepTasksPerNode {
		local = onNode(getenv(stepTasksPerNode), number(getenv(stepNode)))
	}
	p := Process{
		Launcher: r.name, PMIx: r.pmix, OpenMPI: r.open,
		Rank: number(getenv(r.rank)), Size: number(getenv(r.size)), LocalRank: number(getenv(r.localRank)), LocalSize: local,
	}
	if p.Size == 0 && p.LocalSize > 1 { // MPICH's with PMIx says only the latter
		p.Size = p.LocalSize
	}
	return p
}

// number returns the number in text, and 0 where there is none.
func number(text string) int {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// onNode returns the number of tasks on a node in a list as Slurm writes it: "4(x2),3" has 4 on each of
// nodes 0 and 1, and 3 on node 2. It is 0 where the list has none for the node.
func onNode(list string, node int) int {
	for part := range strings.SplitSeq(list, ",") {
		tasks, times, repeated := strings.Cut(part, "(x")
		nodes := 1
		if repeated {
			nodes = number(strings.TrimSuffix(times, ")"))
		}
		if node < nodes {
			return number(tasks)
		}
		node -= nodes
	}
	return 0
}

// Variables returns the names of the variables that Detect reads.
func Variables() []string {
	names := []string{stepNode}
	for _, r := range table {
		names = append(names, r.marks...)
		names = append(names, r.rank, r.size, r.localRank, r.localSize)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
