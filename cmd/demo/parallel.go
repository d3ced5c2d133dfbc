package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/launcher"
	"github.com/plexaura/plexaura/train"
)

// sharding are the flags of training in shards, on the ranks that a launcher such as mpiexec starts.
type sharding struct {
	wire    string
	timeout time.Duration
	lib     string // of MPI

	group   dist.Group
	trained bool // the ranks are done with each other
}

func (s *sharding) declare(c *call, shards *int, local *bool) {
	c.IntVar(shards, "shards", 0, "compute each batch in `K` parts: the same number gives the same bits on any number of ranks; 0 means one for each rank")
	c.BoolVar(local, "local-batchnorm", false, "with -shards, normalise each part by its own moments instead of those of the batch")
	c.StringVar(&s.wire, "wire", dist.Exact.String(), "how gradients travel between ranks: "+list(wires()))
	c.DurationVar(&s.timeout, "timeout", 30*time.Second, "how long a rank waits for the others before it ends the run")
	c.StringVar(&s.lib, "mpi-lib", "", "the `file` of the MPI library, in a program built with -tags mpi; empty means that of the launcher")
}

func wires() map[string]dist.Wire {
	m := map[string]dist.Wire{}
	for _, w := range []dist.Wire{dist.Exact, dist.BFloat16, dist.Library} {
		m[w.String()] = w
	}
	return m
}

// alike returns err, a mistake in the command line that every rank finds by itself, so that only the first
// one prints it.
func alike(err error) error {
	if err != nil && launcher.Detect(os.Getenv).Rank > 0 {
		return silent{err}
	}
	return err
}

// begin joins the ranks, if a launcher has started several.
func (s *sharding) begin() (err error) {
	if _, ok := wires()[s.wire]; !ok {
		return usagef("-wire %s: there are %s", s.wire, list(wires()))
	}
	switch {
	case joinRanks != nil:
		s.group, err = joinRanks(s.lib)
	case s.lib != "":
		err = usagef("-mpi-lib: this program was built without -tags mpi")
	default:
		s.group, err = dist.Single(), refuseRanks(launcher.Detect(os.Getenv))
	}
	if err == nil && s.group.Size() > 1 {
		shareCores()
	}
	return err
}

// refuseRanks is the error of a program without MPI that is one of several. The first rank prints it, or all do if
// it is not known how many there are.
func refuseRanks(p launcher.Process) error {
	const built = "of this program, which was built without -tags mpi and would train as many times; build it by: go build -tags mpi ./cmd/demo"
	switch {
	case !p.Several():
		return nil
	case p.Size == 0:
		return fmt.Errorf("a launcher has started several ranks %s", built)
	}
	return alike(fmt.Errorf("a launcher has started %d ranks %s", p.Size, built))
}

// joinRanks joins the ranks that a launcher started, with the MPI library in a file or, if that is "", that of
// the launcher. It is nil in a program without MPI.
var joinRanks func(lib string) (dist.Group, error)

// shareCores gives a rank its part of the machine's processors, unless the launcher has bound it to some, or
// the user has said.
func shareCores() {
	if os.Getenv("GOMAXPROCS") != "" || runtime.NumCPU() < onlineCPUs() {
		return
	}
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/max(1, launcher.Detect(os.Getenv).LocalSize)))
}

// onlineCPUs returns the number of processors of the machine, 0 if it is not known.
func onlineCPUs() (n int) {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return 0
	}
	var lo, hi int
	switch k, _ := fmt.Sscanf(string(list), "%d-%d", &lo, &hi); k {
	case 1:
		return 1
	case 2:
		return hi - lo + 1
	}
	return 0
}

// rank returns the rank of this process, 0 if it is the only one.
func (s *sharding) rank() int { return s.group.Rank() }

// config returns how batches are computed.
func (s *sharding) config(shards int, local bool) train.Parallel {
	return train.Parallel{Group: s.group, Shards: shards, LocalBatchNorm: local, Wire: wires()[s.wire], Timeout: s.timeout}
}

// end ends this rank's part. An error before or within training that the other ranks do not know of ends
// them too.
func (s *sharding) end(err error) error {
	switch {
	case s.group.Size() == 1:
		return err
	case err != nil && !s.trained:
		s.group.Abort(err)
		return fmt.Errorf("rank %d: %w", s.rank(), err)
	}
	closed := s.group.Close()
	if err != nil && s.rank() > 0 {
		return silent{err}
	}
	return errors.Join(err, closed)
}

// ended takes note of what train.Fit returned: where all ranks know of the error, none is waiting.
func (s *sharding) ended(err error) {
	var shared *train.SharedError
	s.trained = err == nil || errors.As(err, &shared)
}

// silent is an error that another rank reports.
type silent struct{ error }

func (s silent) Unwrap() error { return s.error }
