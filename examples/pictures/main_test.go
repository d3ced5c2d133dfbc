package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Stripes in files are learnt, and a picture is given its name by the weights.
func TestAFolderOfPicturesIsLearnt(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	for part, n := range map[string]int{"train": 32, "val": 16} {
		for i := range n {
			for _, class := range []string{"across", "down"} {
				write(t, filepath.Join(dir, part, class, fmt.Sprintf("%d.png", i)), stripes(r, class == "down"))
			}
		}
	}
	var out bytes.Buffer
	predictor, err := learn(t.Context(), &out, dir, filepath.Join(dir, "run"), 24, 10)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 10)
	require.Regexp(t, regexp.MustCompile(`(9\d\.\d|100\.0) % of 32 validation pictures right$`), lines[9])

	out.Reset()
	require.NoError(t, name(t.Context(), &out, predictor, filepath.Join(dir, "val", "down", "3.png")))
	require.Contains(t, out.String(), "3.png:  down ")
}

func TestAFolderWithoutPicturesIsToldWithItsName(t *testing.T) {
	dir := t.TempDir()
	_, err := learn(t.Context(), os.Stdout, dir, filepath.Join(dir, "run"), 24, 1)
	require.ErrorContains(t, err, filepath.Join(dir, "train"))
}

func stripes(r *rand.Rand, down bool) image.Image {
	m, phase := image.NewRGBA(image.Rect(0, 0, 30, 26)), r.IntN(6)
	for y := range 26 {
		for x := range 30 {
			at := y
			if down {
				at = x
			}
			v := uint8(r.IntN(60))
			if (at+phase)%6 < 3 {
				v += 150
			}
			m.SetRGBA(x, y, color.RGBA{v, v, v, 255})
		}
	}
	return m
}

func write(t *testing.T, path string, m image.Image) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, m))
	require.NoError(t, f.Close())
}
