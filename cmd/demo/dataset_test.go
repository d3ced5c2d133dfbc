package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/shape"
)

// pictures makes a folder of small JPEG pictures, two of each class in train and one in val.
func pictures(t *testing.T, classes int) (dir string) {
	dir = t.TempDir()
	for class := range classes {
		img := image.NewRGBA(image.Rect(0, 0, 24, 16))
		for i := range 24 * 16 {
			img.SetRGBA(i%24, i/24, color.RGBA{uint8(255 * class / classes), uint8(9 * (i % 24)), uint8(i), 255})
		}
		for _, file := range []string{"train/%s/a.jpg", "train/%s/b.jpg", "val/%s/c.jpg"} {
			path := filepath.Join(dir, fmt.Sprintf(file, fmt.Sprintf("class%03d", class)))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) }), 0o644))
		}
	}
	return dir
}

// cifarFolder makes the files of CIFAR-10 with a few images.
func cifarFolder(t *testing.T) (dir string) {
	dir = t.TempDir()
	record := make([]byte, 1+3*32*32)
	for i := range 6 {
		name := fmt.Sprintf("data_batch_%d.bin", i+1)
		if i == 5 {
			name = "test_batch.bin"
		}
		record[0] = byte(i)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), bytes.Repeat(record, 6), 0o644))
	}
	return dir
}

func TestDataOfManyKinds(t *testing.T) {
	withTest := pictures(t, 3)
	require.NoError(t, os.CopyFS(filepath.Join(withTest, "test"), os.DirFS(filepath.Join(withTest, "train"))))
	m := models()["alexnet"]
	for _, c := range []struct {
		from                    string
		train, validation, last int
		name, prepared          string
	}{
		{"mnist", 55000, 5000, 10000, "test", "shorter-224"},
		{"cifar10:" + cifarFolder(t), 28, 2, 6, "test", "shorter-224"},
		{pictures(t, 3), 6, 3, 3, "validation", "shorter-256"},
		{withTest, 6, 3, 6, "test", "shorter-256"},
	} {
		s, err := loadData(context.Background(), c.from, m.image, m.image, m.preprocess, 0)
		require.NoError(t, err)
		last, name := s.last()
		require.Equal(t, c.name, name)
		require.Equal(t, []int{c.train, c.validation, c.last}, []int{s.train.Len(), s.validation.Len(), last.Len()})
		info := last.Info()
		require.Equal(t, m.image, info.Input.Shape)
		require.Equal(t, c.prepared, info.Preprocess.Image)
		require.Equal(t, m.preprocess.Mean, info.Preprocess.Mean)

		s.limit(2, 1)
		last, _ = s.last()
		require.Equal(t, []int{2, 1, 1}, []int{s.train.Len(), s.validation.Len(), last.Len()})
	}
}

func TestWhatIsNotReadIsToldInALine(t *testing.T) {
	dir, m := pictures(t, 2), models()["alexnet"]
	load := func() string {
		s, err := loadData(context.Background(), dir, m.image, m.image, m.preprocess, 0)
		require.NoError(t, err)
		var told bytes.Buffer
		require.NoError(t, s.tell(&told))
		return told.String()
	}
	require.Empty(t, load())
	for i, name := range []string{"a.heic", "b.heic", "c\n.psd", "d.svg", "e.avif"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, []string{"train", "val"}[i/4], "class000", name), nil, 0o644))
	}
	line := load()
	require.Equal(t, 1, strings.Count(line, "\n"))
	require.Contains(t, line, "not read, as no pictures of a class: 2 .heic (the first is "+filepath.Join(dir, "train", "class000", "a.heic")+"), 1 .psd (")
	require.Contains(t, line, ", and 1 kinds more")
}

// Images for training are larger where parts of them are cut out at random, and then the others
// are the centre of as large ones.
func TestDataForRandomParts(t *testing.T) {
	m, large := models()["alexnet"], shape.Of(3, 256, 256)
	for _, from := range []string{"cifar10:" + cifarFolder(t), pictures(t, 2)} {
		s, err := loadData(context.Background(), from, large, m.image, m.preprocess, 0)
		require.NoError(t, err)
		last, _ := s.last()
		require.Equal(t, large, s.train.Info().Input.Shape)
		require.Equal(t, m.image, last.Info().Input.Shape)
		require.Equal(t, large, wide(last.Info()))
	}
}

// A network for photographs learns a folder of pictures, and knows a picture again.
func TestTrainOnAFolderOfPictures(t *testing.T) {
	dir, out := pictures(t, 3), filepath.Join(t.TempDir(), "run")
	status, text, errs := demo(context.Background(), "train", "-model", "squeezenet", "-data", dir, "-decay", "5e-4", "-batch", "6", "-epochs", "1", "-out", out)
	require.Zero(t, status, errs)
	require.Contains(t, text, "6 images to train on, 3 for validation")
	require.Regexp(t, `(?m)^validation: loss \d+\.\d+, accuracy \d\.\d+ \(\d/3\)`, text)
	file := filepath.Join(out, "model.safetensors")
	status, text, errs = demo(context.Background(), "predict", "-weights", file, filepath.Join(dir, "val", "class001", "c.jpg"))
	require.Zero(t, status, errs)
	require.Regexp(t, `c.jpg: (class00\d \d+\.\d\d%  ){2}class00\d \d+\.\d\d%\n$`, text)
	status, text, errs = demo(context.Background(), "eval", "-weights", file, "-data", dir)
	require.Zero(t, status, errs)
	require.Contains(t, text, "/3)")

	damaged := filepath.Join(dir, "train", "class002", "b.jpg")
	require.NoError(t, os.Truncate(damaged, 300))
	status, _, errs = demo(context.Background(), "train", "-model", "squeezenet", "-data", dir, "-epochs", "1", "-out", out)
	require.Equal(t, 1, status)
	require.Contains(t, errs, damaged+": ")
	require.Equal(t, 1, strings.Count(errs, "\n"))
}
