package imagefolder

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
)

// plain is a picture in one colour.
func plain(w, h int, c color.NRGBA) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.SetNRGBA(i%w, i/w, c)
	}
	return img
}

func write(t testing.TB, path string, img image.Image) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	require.NoError(t, err)
	encode := func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 100}) }
	if filepath.Ext(path) == ".png" {
		encode = func(w io.Writer) error { return png.Encode(w, img) }
	}
	require.NoError(t, encode(f))
	require.NoError(t, f.Close())
}

// colours makes a dataset of two classes, red and blue, and returns its folder.
func colours(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	red, blue := color.NRGBA{255, 0, 51, 255}, color.NRGBA{0, 102, 255, 255}
	write(t, filepath.Join(dir, "train", "red", "b.png"), plain(40, 30, red))
	write(t, filepath.Join(dir, "train", "red", "a.JPEG"), plain(16, 16, red))
	write(t, filepath.Join(dir, "train", "red", "more", "c.jpg"), plain(20, 90, red))
	write(t, filepath.Join(dir, "train", "blue", "z.png"), plain(33, 17, blue))
	write(t, filepath.Join(dir, "val", "blue", "v.png"), plain(50, 50, blue))
	write(t, filepath.Join(dir, "val", "red", "v.png"), plain(50, 50, red))
	for _, ignored := range []string{"train/notes.txt", "train/red/notes.txt", "train/red/._b.png", "train/.cache/x.png"} {
		path := filepath.Join(dir, filepath.FromSlash(ignored))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("no picture"), 0o644))
	}
	return dir
}

var way = data.Preprocess{Image: picture.Shorter(16).String(), Mean: []float32{0, 0, .2}, Std: []float32{1, 1, .5}}

func load(t testing.TB, dir string) (train, validation *Folder) {
	t.Helper()
	train, validation, err := Load(context.Background(), dir, shape.Of(3, 16, 16), shape.Of(3, 12, 14), way)
	require.NoError(t, err)
	return train, validation
}

func TestPicturesAndClasses(t *testing.T) {
	dir := colours(t)
	train, validation := load(t, dir)
	require.Equal(t, data.Info{
		Input: shape.F32(3, 16, 16), Target: shape.I32(), Classes: []string{"blue", "red"}, Preprocess: way,
	}, train.Info())
	require.Equal(t, shape.F32(3, 12, 14), validation.Info().Input)
	require.Equal(t, 2, validation.Len())

	want := []struct {
		path  string
		class int32
	}{{"blue/z.png", 0}, {"red/a.JPEG", 1}, {"red/b.png", 1}, {"red/more/c.jpg", 1}}
	require.Equal(t, len(want), train.Len())
	for i, w := range want {
		require.Equal(t, filepath.Join(dir, "train", filepath.FromSlash(w.path)), train.Path(i))
		e := data.Example{X: make([]float32, 3*16*16), Labels: make([]int32, 1)}
		require.NoError(t, train.Read(i, e))
		require.Equal(t, w.class, e.Labels[0])
		rgb := [][]float32{{0, .4, 1.6}, {1, 0, 0}}[w.class] // normalised
		for j, v := range e.X {
			require.InDelta(t, rgb[j/256], v, 0.02, "%s, element %d", w.path, j)
		}
	}
}

func TestLinksAreFollowed(t *testing.T) {
	dir := colours(t)
	red := filepath.Join(dir, "train", "red")
	moved := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Rename(red, moved))
	if err := os.Symlink(moved, red); err != nil {
		t.Skip("no links here")
	}
	require.NoError(t, os.Symlink(filepath.Join(moved, "b.png"), filepath.Join(moved, "d.png")))
	train, _ := load(t, dir)
	require.Equal(t, 5, train.Len())
	e := data.Example{X: make([]float32, 3*16*16), Labels: make([]int32, 1)}
	require.NoError(t, train.Read(4, e))
}

func TestReadersMayShareAFolder(t *testing.T) {
	train, _ := load(t, colours(t))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			e := data.Example{X: make([]float32, 3*16*16), Labels: make([]int32, 1)}
			for i := range train.Len() {
				assert.NoError(t, train.Read(i, e))
				assert.Equal(t, int32(min(i, 1)), e.Labels[0])
			}
		})
	}
	group.Wait()
}

func TestReadNamesTheFile(t *testing.T) {
	train, _ := load(t, colours(t))
	e := data.Example{X: make([]float32, 3*16*16), Labels: make([]int32, 1)}
	for _, c := range []struct {
		picture int
		want    string
		spoil   func(path string) error
	}{
		{1, "no picture that can be read", func(path string) error { return os.WriteFile(path, []byte("junk"), 0o644) }},
		{2, "damaged", func(path string) error { return os.Truncate(path, 60) }},
		{0, "too long", func(path string) error { write(t, path, plain(1, 600_000, color.NRGBA{})); return nil }},
	} {
		require.NoError(t, c.spoil(train.Path(c.picture)))
		err := train.Read(c.picture, e)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, train.Path(c.picture))
	}
	require.NoError(t, os.Remove(train.Path(2)))
	require.ErrorIs(t, train.Read(2, e), os.ErrNotExist)
	require.ErrorContains(t, train.Read(4, e), "no picture 4 among 4")
	require.ErrorContains(t, train.Read(-1, e), "no picture -1")
	require.ErrorContains(t, train.Read(0, data.Example{X: e.X}), "room for 768 and 0 elements")
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	input := shape.Of(3, 8, 8)
	for want, spoil := range map[string]func(dir string) error{
		"no such file": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "val")) },
		`only the first has [], only the second ["green"]`: func(dir string) error {
			write(t, filepath.Join(dir, "val", "green", "x.png"), plain(9, 9, color.NRGBA{}))
			return nil
		},
		"blue: no pictures": func(dir string) error { return os.Remove(filepath.Join(dir, "train", "blue", "z.png")) },
		"val has no folders with pictures": func(dir string) error {
			if err := os.RemoveAll(filepath.Join(dir, "val", "red")); err != nil {
				return err
			}
			return os.RemoveAll(filepath.Join(dir, "val", "blue"))
		},
	} {
		t.Run(want, func(t *testing.T) {
			dir := colours(t)
			require.NoError(t, spoil(dir))
			_, _, err := Load(context.Background(), dir, input, input, way)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, dir)
		})
	}
	dir := colours(t)
	_, _, err := Load(context.Background(), dir, input, input, data.Preprocess{Image: "mnist"})
	require.ErrorContains(t, err, `preprocessing "mnist"; want that of a picture.Shorter, such as "shorter-256"`)
	_, _, err = Load(context.Background(), dir, input, shape.Of(3, 17, 17), way)
	require.ErrorContains(t, err, "17 by 17")
	_, _, err = Load(context.Background(), dir, shape.Of(1, 8, 8), input, way)
	require.ErrorContains(t, err, "preprocessing is for 3 channels")
}

func TestManyDifferencesAreCutShort(t *testing.T) {
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprint(i))
	}
	require.Equal(t, `only the first has ["0" "1" "2" "3" "4"] and 4 more, only the second []`, difference(many, nil))
}
