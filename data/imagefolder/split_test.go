package imagefolder

import (
	"context"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// classesOf makes a folder of classes with the given numbers of pictures.
func classesOf(t testing.TB, numbers map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	for class, n := range numbers {
		for i := range n {
			write(t, filepath.Join(dir, class, fmt.Sprintf("%d.png", i)), plain(16, 16, color.NRGBA{A: 255}))
		}
	}
	return dir
}

func TestAFolderOfClassesIsSplitByNames(t *testing.T) {
	numbers := map[string]int{"cat": 20, "dog": 11, "owl": 2}
	dir := classesOf(t, numbers)
	split := func(dir string, fraction float64) (*Folder, *Folder) {
		train, validation, err := Split(context.Background(), dir, shape.Of(3, 16, 16), shape.Of(3, 12, 14), way, fraction)
		require.NoError(t, err)
		return train, validation
	}
	train, validation := split(dir, .2)
	require.Equal(t, shape.F32(3, 12, 14), validation.Info().Input)
	require.Equal(t, shape.F32(3, 16, 16), train.Info().Input)
	require.Equal(t, []string{"cat", "dog", "owl"}, validation.Info().Classes)
	labels, err := data.Labels(validation)
	require.NoError(t, err)
	require.Equal(t, []int32{0, 0, 0, 0, 1, 1, 2}, labels)
	paths := func(f *Folder) (p []string) {
		for i := range f.Len() {
			rel, err := filepath.Rel(f.dir, f.Path(i))
			require.NoError(t, err)
			p = append(p, rel)
		}
		return p
	}
	all := append(paths(train), paths(validation)...)
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 33)
	require.NotEqual(t, []string{"cat/0.png", "cat/1.png", "cat/10.png", "cat/11.png"}, paths(validation)[:4], "not the first ones")

	_, elsewhere := split(classesOf(t, numbers), .2)
	require.Equal(t, paths(validation), paths(elsewhere))
	_, most := split(dir, .99)
	labels, err = data.Labels(most)
	require.NoError(t, err)
	require.Len(t, labels, 19+10+1)
}

func TestSplitSaysWhatIsWrong(t *testing.T) {
	dir := classesOf(t, map[string]int{"cat": 3, "dog": 1})
	split := func(fraction float64, input shape.Shape) error {
		_, _, err := Split(context.Background(), dir, shape.Of(3, 16, 16), input, way, fraction)
		return err
	}
	require.ErrorContains(t, split(.2, shape.Of(3, 8, 8)), "dog has only one picture, 0.png; want two")
	require.ErrorContains(t, split(1, shape.Of(3, 8, 8)), "a fraction of 1 for validation; want a number between 0 and 1")
	require.ErrorContains(t, split(.2, shape.Of(3, 17, 17)), "17 by 17")
}
