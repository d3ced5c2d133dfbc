// Package mpi makes a dist.Group of the processes that an MPI launcher such as mpiexec or srun
// started, by an MPI library that is found and loaded at run time, without cgo:
//
//	g, err := mpi.Start(mpi.Options{})
//
// Any library with the ABI of MPI 5.0 (libmpi_abi.so), with that of Open MPI (libmpi.so.40), or with
// that of MPICH (libmpi.so.12: Intel MPI, MVAPICH and Cray MPICH too) will do, as long as it belongs to
// the launcher. [Start] says how it is found. A program that no launcher started is a group of one,
// and loads nothing.
//
// The package works on Linux on amd64 and arm64; elsewhere it compiles, and Start returns an error where
// there is a launcher. A program that imports it is linked dynamically, by purego.
//
// Operations are non-blocking ones of MPI, begun and polled by the caller's goroutine, so that no
// thread is stuck in C and contexts end the wait.
//
// Ranks that disagree about an operation, its root or lengths get an error: neighbours compare what they
// call, since MPI itself takes the messages of one operation for those of another.
//
// Knows dist, and dist/launcher, which reads what launchers say. Never imports anything else of ours, and nothing but commands imports it.
package mpi
