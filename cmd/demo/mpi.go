//go:build mpi

package main

import (
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/mpi"
)

func init() {
	joinRanks = func(lib string) (dist.Group, error) { return mpi.Start(mpi.Options{Lib: lib}) }
}
