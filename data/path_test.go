package data_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
)

// filed has a file for each example.
type filed struct{ data.Dataset }

func (filed) Path(i int) string { return fmt.Sprint(i, ".png") }

func TestFilesAreThoseOfTheExample(t *testing.T) {
	all := filed{counting(t, 6)}
	some, err := data.Subset(all, []int{4, 1})
	require.NoError(t, err)
	again, err := data.WithPreprocess(data.Limit(some, 1), data.Preprocess{Mean: []float32{1}, Std: []float32{2}})
	require.NoError(t, err)
	require.Equal(t, "3.png", data.Path(all, 3))
	require.Equal(t, "1.png", data.Path(some, 1))
	require.Equal(t, "4.png", data.Path(again, 0))
	for _, none := range []string{data.Path(counting(t, 6), 1), data.Path(nil, 0), data.Path(some, 2), data.Path(some, -1)} {
		require.Empty(t, none)
	}
}
