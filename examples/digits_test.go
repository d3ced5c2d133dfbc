package examples_test

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/viz"
)

// writeDigits writes the first n zeros and ones of MNIST as PNG files, a folder for each class.
func writeDigits(t *testing.T, dir string, n int) {
	t.Helper()
	ds, err := mnist.Train()
	require.NoError(t, err)
	e := data.Example{X: make([]float32, mnist.Side*mnist.Side), Labels: make([]int32, 1)}
	var written [2]int
	for i := 0; min(written[0], written[1]) < n; i++ {
		require.NoError(t, ds.Read(i, e))
		class := e.Labels[0]
		if class > 1 || written[class] == n {
			continue
		}
		ds.Info().Preprocess.Undo(e.X)
		img := image.NewGray(image.Rect(0, 0, mnist.Side, mnist.Side))
		for p, v := range e.X {
			img.SetGray(p%mnist.Side, p/mnist.Side, color.Gray{Y: uint8(255*v + 0.5)})
		}
		folder := filepath.Join(dir, []string{"zero", "one"}[class])
		require.NoError(t, os.MkdirAll(folder, 0o777))
		require.NoError(t, viz.WritePNG(filepath.Join(folder, fmt.Sprint(written[class], ".png")), img))
		written[class]++
	}
}
