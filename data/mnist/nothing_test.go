package mnist_test

import (
	"image"
	"os"
	"testing"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/internal/nothing"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Info":            mnist.Info,
			"Load":            mnist.Load,
			"LoadAs":          mnist.LoadAs,
			"LoadFS":          mnist.LoadFS,
			"Prepare":         mnist.Prepare,
			"Test":            mnist.Test,
			"Train":           mnist.Train,
			"TrainValidation": mnist.TrainValidation,
			"Validation":      mnist.Validation,
		},
		Good: func() []any {
			return []any{image.NewGray(image.Rect(0, 0, 28, 28)), os.DirFS(".")}
		},
	})
}
