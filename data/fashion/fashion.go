package fashion

import (
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/shape"
)

// Mean and Std are the mean and standard deviation of all pixels of the 60,000 training images, on
// a scale from 0 to 1.
const (
	Mean = 0.2860
	Std  = 0.3530
)

// Info describes the images: float32(1,28,28), normalised to mean 0 and standard deviation 1, and
// the published names of the classes.
func Info() data.Info {
	return data.Info{
		Input:  shape.F32(1, mnist.Side, mnist.Side),
		Target: shape.I32(),
		Classes: []string{
			"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
		},
		Preprocess: data.Preprocess{Mean: []float32{Mean}, Std: []float32{Std}},
	}
}

// Load reads a folder with the four files, which have the names of MNIST's. Each may be compressed
// by gzip, with the extension .gz. [mnist.Validation] splits the training images.
func Load(dir string) (train, test data.Dataset, err error) {
	if train, test, err = mnist.LoadAs(dir, Info()); err != nil {
		return nil, nil, fmt.Errorf("fashion: %w", err)
	}
	return train, test, nil
}
