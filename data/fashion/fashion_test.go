package fashion

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/idx"
	"github.com/plexaura/plexaura/data/mnist"
)

func write(t *testing.T, dir, name string, content []byte, dims ...int) {
	t.Helper()
	a := idx.Array{Type: idx.Uint8, Dims: dims}
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), append(a.Header(), content...), 0o644))
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	pixels := make([]byte, 2*mnist.Side*mnist.Side)
	pixels[mnist.Side*mnist.Side] = 255
	write(t, dir, "train-images-idx3-ubyte", pixels, 2, mnist.Side, mnist.Side)
	write(t, dir, "train-labels-idx1-ubyte", []byte{9, 3}, 2)
	write(t, dir, "t10k-images-idx3-ubyte", pixels[:784], 1, mnist.Side, mnist.Side)
	write(t, dir, "t10k-labels-idx1-ubyte", []byte{0}, 1)
	train, test, err := Load(dir)
	require.NoError(t, err)
	require.Equal(t, 2, train.Len())
	require.Equal(t, 1, test.Len())
	require.Equal(t, Info(), train.Info())
	require.NoError(t, Info().Err())
	e := data.Example{X: make([]float32, 784), Labels: make([]int32, 1)}
	require.NoError(t, train.Read(1, e))
	require.Equal(t, "Dress", train.Info().Classes[e.Labels[0]])
	require.InDelta(t, (1-Mean)/Std, e.X[0], 1e-6)
	require.InDelta(t, -Mean/Std, e.X[1], 1e-6)

	require.NoError(t, os.Remove(filepath.Join(dir, "t10k-labels-idx1-ubyte")))
	_, _, err = Load(dir)
	require.ErrorContains(t, err, "fashion: mnist: neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz is there")
	require.ErrorContains(t, err, dir)
}
