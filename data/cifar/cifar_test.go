package cifar

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// record is one whose planes are filled with r, g and b.
func record(labels []byte, r, g, b byte) []byte {
	out := bytes.Clone(labels)
	for _, v := range []byte{r, g, b} {
		out = append(out, bytes.Repeat([]byte{v}, Side*Side)...)
	}
	return out
}

func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	return dir
}

func ten() map[string][]byte {
	files := map[string][]byte{"test_batch.bin": record([]byte{9}, 0, 0, 0), "batches.meta.txt": []byte("not of interest")}
	for i := range 5 {
		files[fmt.Sprintf("data_batch_%d.bin", i+1)] = append(record([]byte{byte(i)}, byte(i), 100, 255), record([]byte{8}, 1, 2, 3)...)
	}
	return files
}

func hundred() map[string][]byte {
	var names strings.Builder
	for i := range 100 {
		fmt.Fprintf(&names, "class_%d\n", i)
	}
	return map[string][]byte{
		"train.bin":            append(record([]byte{19, 99}, 1, 2, 3), record([]byte{0, 7}, 4, 5, 6)...),
		"test.bin":             record([]byte{5, 0}, 0, 0, 0),
		"fine_label_names.txt": []byte(names.String()),
	}
}

// example returns the bytes of an image, and its class.
func example(t *testing.T, ds data.Dataset, i int) (r, g, b, class int) {
	t.Helper()
	e := data.Example{X: make([]float32, pixels), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(i, e))
	p := ds.Info().Preprocess
	channel := func(c int) int {
		plane := e.X[c*Side*Side : (c+1)*Side*Side]
		for _, v := range plane {
			require.Equal(t, plane[0], v)
		}
		return int((plane[0]*p.Std[c]+p.Mean[c])*255 + .5)
	}
	return channel(0), channel(1), channel(2), int(e.Labels[0])
}

func TestLoad10(t *testing.T) {
	train, test, err := Load10(folder(t, ten()))
	require.NoError(t, err)
	require.Equal(t, 10, train.Len())
	require.Equal(t, 1, test.Len())
	require.Equal(t, shape.F32(3, 32, 32), train.Info().Input)
	for i := range 5 {
		r, g, b, class := example(t, train, 2*i)
		require.Equal(t, []int{i, 100, 255, i}, []int{r, g, b, class})
	}
	_, _, _, class := example(t, test, 0)
	require.Equal(t, "truck", test.Info().Classes[class])
}

func TestLoad100(t *testing.T) {
	files := hundred()
	train, test, err := Load100(folder(t, files))
	require.NoError(t, err)
	require.Equal(t, 2, train.Len())
	r, g, b, class := example(t, train, 0)
	require.Equal(t, []int{1, 2, 3, 99}, []int{r, g, b, class})
	_, _, _, class = example(t, train, 1)
	require.Equal(t, "class_7", train.Info().Classes[class])
	require.Equal(t, train.Info(), test.Info())

	delete(files, "fine_label_names.txt")
	train, _, err = Load100(folder(t, files))
	require.NoError(t, err)
	require.Len(t, train.Info().Classes, 100)
	_, _, _, class = example(t, train, 1)
	require.Equal(t, "beetle", train.Info().Classes[class])
	for class, name := range map[int]string{0: "apple", 19: "cattle", 50: "mouse", 58: "pickup_truck", 99: "worm"} {
		require.Equal(t, name, train.Info().Classes[class])
	}

	train, _, err = Load100Coarse(folder(t, files))
	require.NoError(t, err)
	require.Len(t, train.Info().Classes, 20)
	for i, name := range []string{"vehicles_2", "aquatic_mammals"} {
		_, _, _, class = example(t, train, i)
		require.Equal(t, name, train.Info().Classes[class])
	}
}

// The statistics of the training images, as published with the widely used recipes, red first.
func TestChannelsAreNormalisedByTheirOwnStatistics(t *testing.T) {
	for _, c := range []struct {
		load      func(string) (data.Dataset, data.Dataset, error)
		files     map[string][]byte
		r, g, b   float32 // of the first image
		mean, std [3]float32
	}{
		{Load10, ten(), 0, 100, 255, [3]float32{.4914, .4822, .4465}, [3]float32{.2470, .2435, .2616}},
		{Load100, hundred(), 1, 2, 3, [3]float32{.5071, .4865, .4409}, [3]float32{.2673, .2564, .2762}},
		{Load100Coarse, hundred(), 1, 2, 3, [3]float32{.5071, .4865, .4409}, [3]float32{.2673, .2564, .2762}},
	} {
		train, _, err := c.load(folder(t, c.files))
		require.NoError(t, err)
		e := data.Example{X: make([]float32, pixels), Labels: make([]int32, 1)}
		require.NoError(t, train.Read(0, e))
		for i, v := range []float32{c.r, c.g, c.b} {
			require.InDelta(t, (v/255-c.mean[i])/c.std[i], e.X[i*Side*Side], 1e-5, "channel %d", i)
		}
	}
}

// A file of nothing but zeros is one of records, of any size.
func TestSparseFilesAreNotRead(t *testing.T) {
	dir := folder(t, ten())
	path := filepath.Join(dir, "data_batch_4.bin")
	require.NoError(t, os.Truncate(path, 3073*1_000_001))
	_, _, err := Load10(dir)
	require.ErrorContains(t, err, path+": 3073003073 bytes are more than 1000000 records")
	dir = folder(t, hundred())
	require.NoError(t, os.Truncate(filepath.Join(dir, "fine_label_names.txt"), 1<<40))
	_, _, err = Load100(dir)
	require.ErrorContains(t, err, "fine_label_names.txt: more than the 65536 bytes")
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct {
		load          func(string) (data.Dataset, data.Dataset, error)
		good          map[string][]byte
		file, content string
		want          string
	}{
		{Load10, ten(), "data_batch_3.bin", "", "the file is empty"},
		{Load10, ten(), "data_batch_3.bin", string(record([]byte{10}, 0, 0, 0)), "record 0 has label 10; want 0 to 9"},
		{Load10, ten(), "test_batch.bin", string(record([]byte{1}, 0, 0, 0)[:3072]), "record 0 is not whole"},
		{Load10, ten(), "test_batch.bin", string(record([]byte{1}, 0, 0, 0)) + "\x01", "record 1 is not whole"},
		{Load100, hundred(), "train.bin", string(record([]byte{20, 3}, 0, 0, 0)), "record 0 has label 20; want 0 to 19"},
		{Load100, hundred(), "train.bin", string(record([]byte{1, 100}, 0, 0, 0)), "record 0 has label 100; want 0 to 99"},
		{Load100, hundred(), "test.bin", string(record([]byte{1, 1}, 0, 0, 0)) + "\x01", "record 1 is not whole"},
		{Load100, hundred(), "fine_label_names.txt", "apple\nbear\n", "2 names; want 100"},
	} {
		dir := folder(t, c.good)
		path := filepath.Join(dir, c.file)
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o644))
		_, _, err := c.load(dir)
		require.ErrorContains(t, err, "cifar: "+path)
		require.ErrorContains(t, err, c.want)
	}
	dir := folder(t, ten())
	require.NoError(t, os.Remove(filepath.Join(dir, "data_batch_5.bin")))
	_, _, err := Load10(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "data_batch_5.bin")
}

func TestReadErrorsComeThrough(t *testing.T) {
	whole := record([]byte{1, 2}, 0, 0, 0)
	for _, n := range []int{0, 1, 2, 3, 500, len(whole)} {
		r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(io.ErrClosedPipe))
		_, _, err := cifar100.records(r, nil, nil)
		require.ErrorIs(t, err, io.ErrClosedPipe, "after %d bytes", n)
	}
}

// FuzzRecords holds that no file makes records panic, and that what it accepts is consistent
// and is all of the file.
func FuzzRecords(f *testing.F) {
	f.Add(record([]byte{9}, 1, 2, 3), false)
	f.Add(append(record([]byte{19, 99}, 1, 2, 3), record([]byte{0, 0}, 3, 2, 1)...), true)
	f.Fuzz(func(t *testing.T, file []byte, fine bool) {
		d := cifar10
		if fine {
			d = cifar100
		}
		labels := d.labels
		images, classes, err := d.records(bytes.NewReader(file), nil, nil)
		if err != nil {
			return
		}
		n := len(classes)
		require.Len(t, images, n*pixels)
		require.Len(t, file, n*(len(labels)+pixels))
		for i, c := range classes {
			record := file[i*(len(labels)+pixels):]
			require.Equal(t, record[len(labels)-1], c)
			require.Less(t, int(c), labels[len(labels)-1])
			require.True(t, bytes.Equal(record[len(labels):][:pixels], images[i*pixels:][:pixels]))
		}
	})
}
