package fashion

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/idx"
	"github.com/plexaura/plexaura/data/mnist"
)

var (
	from   = flag.String("from", "/usr/share/datasets/fashion-mnist", "the `folder` with the published files")
	update = flag.Bool("update", false, "draw the sample anew from the published files")
)

// sampled says how the sample is drawn, what becomes of it uncompressed, and how many images of
// each class are in it.
var sampled = []struct {
	name   string
	n      int
	sha256 string // of the pixels of all images
	counts [10]int
}{
	{"train", 2000, "c76566eec6edbded8f8c8b47c5f703a170927eae7f3261dbcf356596762297d4", [10]int{213, 196, 200, 218, 188, 201, 186, 200, 213, 185}},
	{"t10k", 1000, "0878e0dd86efab019c55d0a0357b205bd6dd86df90416b45e937ca412f2c605d", [10]int{109, 83, 94, 114, 95, 116, 92, 94, 93, 110}},
}

const seedOfSample = 2017

// raw returns the pixels and labels of all examples, as they are in the files.
func raw(t *testing.T, ds data.Dataset) (pixels, labels []byte) {
	t.Helper()
	p := ds.Info().Preprocess
	x, label := make([]float32, mnist.Side*mnist.Side), make([]int32, 1)
	for i := range ds.Len() {
		require.NoError(t, ds.Read(i, data.Example{X: x, Labels: label}))
		for _, v := range x {
			pixels = append(pixels, byte(math.Round(255*float64(v*p.Std[0]+p.Mean[0]))))
		}
		labels = append(labels, byte(label[0]))
	}
	return pixels, labels
}

func TestTheSampleIsWhatItWas(t *testing.T) {
	train, test, err := Sample()
	require.NoError(t, err)
	for i, ds := range []data.Dataset{train, test} {
		want := sampled[i]
		require.Equal(t, Info(), ds.Info())
		require.Equal(t, want.n, ds.Len())
		pixels, labels := raw(t, ds)
		var counts [10]int
		for _, l := range labels {
			counts[l]++
		}
		require.Equal(t, want.counts, counts)
		sum := sha256.Sum256(pixels)
		require.Equal(t, want.sha256, hex.EncodeToString(sum[:]))
	}
}

// TestTheSampleIsDrawnFromThePublishedFiles draws it again, and writes it where -update is given.
func TestTheSampleIsDrawnFromThePublishedFiles(t *testing.T) {
	train, test, err := Load(*from)
	if errors.Is(err, fs.ErrNotExist) && !*update {
		t.Skip("no published files in " + *from)
	}
	require.NoError(t, err)
	for i, ds := range []data.Dataset{train, test} {
		part := sampled[i]
		_, chosen, err := data.Split(ds, part.n, seedOfSample)
		require.NoError(t, err)
		pixels, labels := raw(t, chosen)
		if *update {
			store(t, part.name+"-images-idx3-ubyte.gz", idx.Array{Type: idx.Uint8, Dims: []int{part.n, mnist.Side, mnist.Side}, Data: pixels})
			store(t, part.name+"-labels-idx1-ubyte.gz", idx.Array{Type: idx.Uint8, Dims: []int{part.n}, Data: labels})
			continue
		}
		have := make([]data.Dataset, 2)
		have[0], have[1], err = Sample()
		require.NoError(t, err)
		havePixels, haveLabels := raw(t, have[i])
		require.Equal(t, labels, haveLabels)
		require.True(t, bytes.Equal(pixels, havePixels))
	}
}

func store(t *testing.T, name string, a idx.Array) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(append(a.Header(), a.Data...))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(filepath.Join("sample", name), b.Bytes(), 0o666))
}
