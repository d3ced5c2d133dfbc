//go:build !linux || !(amd64 || arm64)

package mpi

import (
	"fmt"
	"os"
	"runtime"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/launcher"
)

func start(o Options) (dist.Group, error) {
	if launcher.Detect(os.Getenv).Launcher == "" && o.Lib == "" && os.Getenv(LibVariable) == "" {
		return dist.Single(), nil
	}
	return nil, fmt.Errorf("mpi: not available on %s/%s: only on Linux on amd64 and arm64", runtime.GOOS, runtime.GOARCH)
}
