package mnist

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/idx"
	"github.com/stretchr/testify/require"
)

// example returns one image's pixels, from 0 to 1 without normalisation, and its label.
func example(t testing.TB, ds data.Dataset, i int) ([]float32, int) {
	t.Helper()
	x, label := make([]float32, Side*Side), make([]int32, 1)
	require.NoError(t, ds.Read(i, data.Example{X: x, Labels: label}))
	for j := range x {
		x[j] = float32(math.Round(255*float64(x[j]*Std+Mean))) / 255
	}
	return x, int(label[0])
}

func histogram(t *testing.T, ds data.Dataset) (count [10]int) {
	t.Helper()
	for i := range ds.Len() {
		_, label := example(t, ds, i)
		count[label]++
	}
	return count
}

// The numbers of each digit are those that the literature gives for MNIST.
func TestTrainAndTestAreTheDatabase(t *testing.T) {
	train, err := Train()
	require.NoError(t, err)
	require.Equal(t, 60_000, train.Len())
	require.Equal(t, [10]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, histogram(t, train))
	test, err := Test()
	require.NoError(t, err)
	require.Equal(t, 10_000, test.Len())
	require.Equal(t, [10]int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, histogram(t, test))
	require.Equal(t, Info(), test.Info())
	require.NoError(t, test.Info().Err())
}

func TestChecksumsOfTheUncompressedFiles(t *testing.T) {
	published := checksums(t)
	for _, f := range []file{trainPart.images, trainPart.labels, testPart.images, testPart.labels} {
		_, err := f.read(embedded, true, anything)
		require.NoError(t, err)
		require.Equal(t, published[f.name], f.sha256)
		f.sha256 = strings.Repeat("0", 64)
		_, err = f.read(embedded, true, anything)
		require.ErrorContains(t, err, f.name+".gz is not the file of the database")
	}
}

// checksums reads the list that sha256sum made of the published files.
func checksums(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/mnist-raw.sha256")
	require.NoError(t, err)
	sums := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		sums[f[1]] = f[0]
	}
	return sums
}

func anything(idx.Array) error { return nil }

func TestMeanAndStdAreThoseOfTheTrainingImages(t *testing.T) {
	a, err := trainPart.images.read(embedded, false, anything)
	require.NoError(t, err)
	var sum, squares float64
	for _, v := range a.Data {
		x := float64(v) / 255
		sum += x
		squares += x * x
	}
	n := float64(len(a.Data))
	mean := sum / n
	require.InDelta(t, Mean, mean, 5e-5)
	require.InDelta(t, Std, math.Sqrt(squares/n-mean*mean), 5e-5)
}

// Images of a set are told apart by their pixels; MNIST has no image twice.
func TestTrainValidationIsAPartition(t *testing.T) {
	train, validation, err := TrainValidation()
	require.NoError(t, err)
	require.Equal(t, 55_000, train.Len())
	require.Equal(t, 5_000, validation.Len())
	seen := map[uint64]bool{}
	seed := maphash.MakeSeed()
	for _, ds := range []data.Dataset{train, validation} {
		for i := range ds.Len() {
			x, _ := example(t, ds, i)
			seen[maphash.Comparable(seed, [Side * Side]float32(x))] = true
		}
	}
	require.Len(t, seen, 60_000)
	// Pinned: the choice must not change from version to version.
	require.Equal(t, [10]int{486, 550, 533, 470, 486, 449, 503, 518, 504, 501}, histogram(t, validation))
}

// folder writes files and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666))
	}
	return dir
}

func images(n int) string {
	a := idx.Array{Type: idx.Uint8, Dims: []int{n, Side, Side}}
	return string(a.Header()) + strings.Repeat("\x80", n*Side*Side)
}

func labels(l ...byte) string {
	return string(idx.Array{Type: idx.Uint8, Dims: []int{len(l)}}.Header()) + string(l)
}

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, s)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestLoadReadsAFolder(t *testing.T) {
	train, test, err := Load(folder(t, map[string]string{
		"train-images-idx3-ubyte":    images(3),
		"train-labels-idx1-ubyte.gz": zipped(t, labels(9, 0, 5)),
		"t10k-images-idx3-ubyte.gz":  zipped(t, images(1)),
		"t10k-labels-idx1-ubyte":     labels(7),
		"README":                     "not of interest",
	}))
	require.NoError(t, err)
	require.Equal(t, 3, train.Len())
	require.Equal(t, 1, test.Len())
	x, label := example(t, train, 2)
	require.Equal(t, 5, label)
	require.Equal(t, float32(128)/255, x[0])
}

func TestLoadOfTheDatabaseIsTheDatabase(t *testing.T) {
	_, test, err := Load(".")
	require.NoError(t, err)
	own, err := Test()
	require.NoError(t, err)
	for _, i := range []int{0, 9_999} {
		x, label := example(t, test, i)
		wantX, wantLabel := example(t, own, i)
		require.Equal(t, wantX, x)
		require.Equal(t, wantLabel, label)
	}
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	good := map[string]string{
		"train-images-idx3-ubyte": images(2),
		"train-labels-idx1-ubyte": labels(1, 2),
		"t10k-images-idx3-ubyte":  images(1),
		"t10k-labels-idx1-ubyte":  labels(3),
	}
	for _, c := range []struct{ file, content, want string }{
		{"train-images-idx3-ubyte", "", "mnist: train-images-idx3-ubyte: idx header: the file is truncated"},
		{"train-images-idx3-ubyte", images(2)[:1000], "mnist: train-images-idx3-ubyte: idx data, [2 28 28] uint8: the file is truncated: 984 of 1568 bytes, or less"},
		{"train-images-idx3-ubyte", images(2) + "x", "more bytes follow"},
		{"train-images-idx3-ubyte", "\x89PNG", "not an idx file"},
		{"train-images-idx3-ubyte", labels(1, 2), "mnist: train-images-idx3-ubyte: [2] uint8; want uint8 images of 28 by 28"},
		{"train-labels-idx1-ubyte", images(2), "mnist: train-labels-idx1-ubyte: [2 28 28] uint8; want a list of uint8 labels"},
		{"train-labels-idx1-ubyte", labels(1), "mnist: train-images-idx3-ubyte: 2 images, but train-labels-idx1-ubyte has 1 labels"},
		{"t10k-labels-idx1-ubyte", labels(10), "mnist: t10k-labels-idx1-ubyte: data: example 0 has class 10; want 0 to 9"},
		{"t10k-labels-idx1-ubyte", zipped(t, labels(1))[:25], "mnist: t10k-labels-idx1-ubyte: idx data, [1] uint8: the file is truncated"},
		{"t10k-labels-idx1-ubyte", "missing", "mnist: neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz is there"},
	} {
		dir := folder(t, good)
		path := filepath.Join(dir, c.file)
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o666))
		if c.content == "missing" {
			require.NoError(t, os.Remove(path))
		}
		_, _, err := Load(dir)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, dir)
		require.NotContains(t, err.Error(), "\n")
	}
	empty := folder(t, map[string]string{"train-images-idx3-ubyte": images(0), "train-labels-idx1-ubyte": labels()})
	_, _, err := Load(empty)
	require.ErrorContains(t, err, "mnist: train-images-idx3-ubyte: no images")
	_, _, err = Load(filepath.Join(empty, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = Validation(nil)
	require.ErrorContains(t, err, "no dataset")
}

// A header may claim what it likes: there are as many images as labels.
func TestImagesAreAsManyAsLabelsBeforeTheyAreRead(t *testing.T) {
	huge := string(idx.Array{Type: idx.Uint8, Dims: []int{10_000_000, Side, Side}}.Header())
	_, _, err := Load(folder(t, map[string]string{"train-labels-idx1-ubyte": labels(1, 2), "train-images-idx3-ubyte": huge}))
	require.ErrorContains(t, err, "10000000 images, but train-labels-idx1-ubyte has 2 labels")
}

func ExampleTest() {
	test, err := Test()
	if err != nil {
		fmt.Println(err)
		return
	}
	batches, err := data.NewLoader(test, data.Batching{Size: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for b, err := range batches.Epoch(0) {
		fmt.Println(b.X.Shape(), b.Y, err)
		break
	}
	// Output: (4, 1, 28, 28) [7  2  1  0] <nil>
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if _, err := trainPart.load(embedded, Info(), true); err != nil {
			b.Fatal(err)
		}
	}
}
