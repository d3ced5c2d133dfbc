package mpi

import (
	"io"
	"time"

	"github.com/plexaura/plexaura/dist"
)

// LibVariable is the environment variable that names the MPI library, where Options do not.
const LibVariable = "PLEXAURA_MPI_LIB"

// Options say how to start. The zero value is right for most programs.
type Options struct {
	// Lib is the file of the MPI library, or its name for the system's loader, such as
	// "/opt/mpich/lib/libmpi.so.12". Empty stands for the value of PLEXAURA_MPI_LIB, or where that is
	// empty for the library that Start finds.
	Lib string

	// Stderr gets the one line that Abort writes; nil stands for os.Stderr.
	Stderr io.Writer

	// Timeout limits how long Start, and Close, wait for the other ranks; 0 stands for a minute.
	Timeout time.Duration

	funneled bool // call the library from one thread only, as if it granted no more
	chunk    int  // bytes of a message; 0 stands for maxChunk
}

// Start joins the processes that a launcher started, and returns this one's rank among them. It is
// called once in a process. Close finalises MPI; a process that ends without it makes the launcher
// end the others.
//
// The library is the one of Options.Lib or of the variable PLEXAURA_MPI_LIB. Else it is looked for
// beside the launcher, which is found among the processes that this one descends from; then where the
// system's loader looks, LD_LIBRARY_PATH first; then beside the mpiexec of PATH. The launcher's variables
// say whether Open MPI's library or MPICH's is to be preferred.
//
// A program without a launcher's variables, and without Options.Lib, is a group of one: no library
// is loaded. It is an error if there is no library, if it has none of the ABIs, or if it
// sees one process although the launcher started several, because it belongs to another launcher.
//
// The Group has a method String, which names the library.
func Start(o Options) (dist.Group, error) { return start(o) }
