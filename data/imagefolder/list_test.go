package imagefolder

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

func open(dir string) (*Folder, error) {
	return Open(context.Background(), filepath.Join(dir, "train"), shape.Of(3, 8, 8), way)
}

func put(t testing.TB, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o644))
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	dir := colours(t)
	blue, red := filepath.Join(dir, "train", "blue"), filepath.Join(dir, "train", "red")
	for _, name := range []string{"a.heic", "b.HEIC", "deep/c.heic", "d.psd", "Makefile", ".hidden.heic", ".hidden/e.heic"} {
		put(t, blue, name)
	}
	put(t, dir, "train", "stray.jpg")
	require.NoError(t, os.Symlink(red, filepath.Join(blue, "linked")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(blue, "broken.png")))
	f, err := open(dir)
	require.NoError(t, err)
	require.Equal(t, 4, f.Len())
	require.Equal(t, []LeftOut{
		{".heic", 3, filepath.Join(blue, "a.heic")},
		{".psd", 1, filepath.Join(blue, "d.psd")},
		{".txt", 1, filepath.Join(red, "notes.txt")},
		{"files without ending", 1, filepath.Join(blue, "Makefile")},
		{"links that lead nowhere", 1, filepath.Join(blue, "broken.png")},
		{"links to folders", 1, filepath.Join(blue, "linked")},
		{"pictures in no class", 1, filepath.Join(dir, "train", "stray.jpg")},
	}, f.LeftOut())
	require.Equal(t, "3 .heic (the first is "+filepath.Join(blue, "a.heic")+")", f.LeftOut()[0].String())
}

// Each file may have an ending of its own.
func TestEndingsThatAreToldApartHaveABound(t *testing.T) {
	dir := colours(t)
	for i := range 3 * maxReasons {
		put(t, dir, "train", "blue", fmt.Sprintf("x.%d", i))
	}
	f, err := open(dir)
	require.NoError(t, err)
	require.Equal(t, maxReasons+1, len(f.LeftOut()))
	require.Equal(t, "of other endings", f.LeftOut()[0].What)
}

func TestEveryEndingOfAPicture(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.JPG", "b.jpe", "c.jfif", "d.JFIF", "e.PNG", "f.JpEg"} {
		path := filepath.Join(dir, "train", "one", name)
		write(t, path, plain(9, 9, color.NRGBA{0, 255, 0, 255}))
	}
	f, err := open(dir)
	require.NoError(t, err)
	require.Equal(t, 6, f.Len())
	require.Empty(t, f.LeftOut())
	e := data.Example{X: make([]float32, 3*8*8), Labels: make([]int32, 1)}
	for i := range f.Len() {
		require.NoError(t, f.Read(i, e), f.Path(i))
	}
}

const composed, decomposed = "caf\u00e9", "cafe\u0301"

// named makes a part with a picture in each of the folders, or skips where names cannot be such.
func named(t *testing.T, dir, part string, folders ...string) {
	t.Helper()
	for _, name := range folders {
		path := filepath.Join(dir, part, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Skip("no such names here: ", err)
		}
		write(t, filepath.Join(path, "x.png"), plain(9, 9, color.NRGBA{}))
	}
	entries, err := os.ReadDir(filepath.Join(dir, part))
	require.NoError(t, err)
	if len(entries) != len(folders) {
		t.Skip("the file system takes the names for one")
	}
}

// One system stores "é" as one rune, another as two: the classes are the same, in one order.
func TestClassesAreInOneFormOfUnicode(t *testing.T) {
	dir := t.TempDir()
	named(t, dir, "train", composed, "caff", "cab")
	named(t, dir, "val", decomposed, "caff", "cab")
	train, validation, err := Load(context.Background(), dir, shape.Of(3, 8, 8), shape.Of(3, 8, 8), way)
	require.NoError(t, err)
	require.Equal(t, []string{"cab", "caff", composed}, validation.Info().Classes)
	require.Equal(t, train.Info().Classes, validation.Info().Classes)
	e := data.Example{X: make([]float32, 3*8*8), Labels: make([]int32, 1)}
	for i := range 3 {
		require.NoError(t, validation.Read(i, e))
		require.Equal(t, int32(i), e.Labels[0])
	}
}

func TestTwoFormsOfOneNameAreAnError(t *testing.T) {
	dir := t.TempDir()
	named(t, dir, "train", composed, decomposed)
	_, err := open(dir)
	require.ErrorContains(t, err, `in two forms of Unicode, "cafe\u0301" and "caf\u00e9"`)
}

func TestAClassIsNamedInUTF8(t *testing.T) {
	dir := t.TempDir()
	named(t, dir, "train", "good", "b\xff\xfed")
	_, err := open(dir)
	require.ErrorContains(t, err, `b\xff\xfed" is a class whose name is not in UTF-8`)
}

// Files and folders below that of the class may have any names.
func TestPicturesMayHaveNamesThatAreNotUTF8(t *testing.T) {
	dir := t.TempDir()
	named(t, dir, "train", "good")
	path := filepath.Join(dir, "train", "good", "\xff", "\xfe.png")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Skip("no such names here: ", err)
	}
	write(t, path, plain(9, 9, color.NRGBA{}))
	f, err := open(dir)
	require.NoError(t, err)
	require.Equal(t, 2, f.Len())
	require.Equal(t, path, f.Path(1))
	require.NoError(t, f.Read(1, data.Example{X: make([]float32, 3*8*8), Labels: make([]int32, 1)}))
}

func TestListingEndsWithItsContext(t *testing.T) {
	dir, cause := colours(t), errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	_, _, err := Load(ctx, dir, shape.Of(3, 8, 8), shape.Of(3, 8, 8), way)
	require.ErrorIs(t, err, cause)
}
