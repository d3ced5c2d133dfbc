package fashion

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
)

//go:embed sample/*-ubyte.gz
var files embed.FS

// sample is decoded once per process; it is never written.
var sample = sync.OnceValues(func() (parts [2]data.Dataset, err error) {
	folder, err := fs.Sub(files, "sample")
	if err == nil {
		parts[0], parts[1], err = mnist.LoadFS(folder, Info())
	}
	if err != nil {
		return parts, fmt.Errorf("fashion: the sample: %w", err)
	}
	return parts, nil
})

// Sample returns the embedded images: 2,000 of the 60,000 training images and 1,000 of the 10,000
// test images, drawn at random, for programs that must run without the four files. It is too small
// for results to be compared with published ones.
func Sample() (train, test data.Dataset, err error) {
	parts, err := sample()
	return parts[0], parts[1], err
}
