//go:build race

package mpi

func init() { raced = true }
