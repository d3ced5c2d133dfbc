// Package local makes groups whose ranks are goroutines of this process, for tests and for running
// several ranks on one machine without a launcher.
//
//	err := local.Run(4, func(g dist.Group) error {
//		return g.Barrier(context.Background())
//	})
//
// Operations copy memory, and check that the ranks agree on the operation, the root and all lengths.
//
// Knows dist and internal/rescue. Never imports an MPI library.
package local
