//go:build race && linux && (amd64 || arm64)

package mpi

func init() { raced = true }
