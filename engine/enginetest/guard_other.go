//go:build !linux

package enginetest

import "github.com/plexaura/plexaura/engine"

const hasGuards = false

// guarded returns ordinary memory.
func guarded(size int, behind bool) (mem []byte, free func(), err error) {
	return engine.Aligned(size), func() {}, nil
}
