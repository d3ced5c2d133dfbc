// Package mpitest finds MPI launchers for tests, and runs programs by them.
//
// Knows the operating system. Never imports anything of ours.
package mpitest
