package mpi_test

import (
	"fmt"

	"github.com/plexaura/plexaura/dist/mpi"
)

// Without a launcher there is one rank.
func Example() {
	g, err := mpi.Start(mpi.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	fmt.Println("rank", g.Rank(), "of", g.Size())
	// Output: rank 0 of 1
}
