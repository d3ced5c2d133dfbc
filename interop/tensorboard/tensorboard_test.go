package tensorboard_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/tensorboard"
)

// found is what testdata/read.py prints.
type found struct {
	Scalars    map[string][][2]float64
	Histograms map[string][]struct {
		Step                        int64
		Min, Max, Num, Sum, Squares float64
		Limits, Counts              []float64
	}
	Images map[string][][4]any
	Graph  [][5]any
}

// read returns what TensorBoard reads in a folder. It skips the test where Python has none.
func read(t *testing.T, folder string) (f found) {
	t.Helper()
	interpreter, err := python.Find("tensorboard.backend.event_processing.event_accumulator")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(interpreter, filepath.Join("testdata", "read.py"), folder)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "%s", &errs)
	require.NoError(t, json.Unmarshal(out.Bytes(), &f))
	return f
}

func picture() image.Image {
	img := image.NewRGBA(image.Rect(2, 3, 9, 8))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	img.Set(4, 4, color.RGBA{255, 128, 0, 255})
	return img
}

func TestTensorBoardReadsWhatIsWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "logs", "run")
	w, err := tensorboard.Create(folder)
	require.NoError(t, err)
	values := []float32{-1, -0.5, 0, 0.25, 3, float32(math.NaN()), float32(math.Inf(1))}
	for step := range int64(2000) {
		require.NoError(t, w.Scalar("loss/training", step, 1/float64(step+1)))
	}
	require.NoError(t, w.Scalar("Größe\t", -3, -2.5))
	require.NoError(t, w.Histogram("conv1.weight", 7, values))
	require.NoError(t, w.Histogram("constant", 8, []float32{2, 2, 2}))
	require.NoError(t, w.Histogram("nothing", 8, values[5:]))
	require.NoError(t, w.Image("digits", 9, picture()))
	require.NoError(t, w.Graph([]tensorboard.Node{
		{Name: "input", Op: "Input", Shape: []int64{-1, 1, 28, 28}},
		{Name: "conv1/weight", Op: "Param", Shape: []int64{6, 1, 5, 5}},
		{Name: "conv1/Conv2D", Op: "Conv2D", Inputs: []string{"input", "conv1/weight"}, Shape: []int64{-1, 6, 24, 24}, About: "lenet.go:12"},
	}))
	require.NoError(t, w.Close())

	f := read(t, folder)
	require.Len(t, f.Scalars, 2)
	require.Len(t, f.Scalars["loss/training"], 2000)
	for step, v := range f.Scalars["loss/training"] {
		require.Equal(t, [2]float64{float64(step), float64(float32(1 / float64(step+1)))}, v)
	}
	require.Len(t, f.Histograms, 2)
	h := f.Histograms["conv1.weight"][0]
	require.Equal(t, []float64{-1, 3, 5, 1.75, 1 + .25 + .0625 + 9}, []float64{h.Min, h.Max, h.Num, h.Sum, h.Squares})
	require.EqualValues(t, 7, h.Step)
	require.Len(t, h.Limits, 30)
	counts := make([]float64, 30)
	for _, v := range values[:5] {
		counts[min(29, int((v+1)/4*30))]++
	}
	require.Equal(t, counts, h.Counts)
	require.Equal(t, []float64{3}, f.Histograms["constant"][0].Counts)
	img := f.Images["digits"][0]
	require.Equal(t, []any{9., 7., 5.}, img[:3])
	b, err := hex.DecodeString(img[3].(string))
	require.NoError(t, err)
	decoded, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, color.RGBAModel.Convert(picture().At(4, 4)), color.RGBAModel.Convert(decoded.At(2, 1)))
	require.Equal(t, [][5]any{
		{"input", "Input", []any{}, []any{-1., 1., 28., 28.}, ""},
		{"conv1/weight", "Param", []any{}, []any{6., 1., 5., 5.}, ""},
		{"conv1/Conv2D", "Conv2D", []any{"input", "conv1/weight"}, []any{-1., 6., 24., 24.}, "lenet.go:12"},
	}, f.Graph)
}

// A run that goes on after a checkpoint repeats steps that were written before.
func TestARestartDropsWhatComesLater(t *testing.T) {
	folder := t.TempDir()
	for _, from := range []int64{0, 5} {
		w, err := tensorboard.Create(folder)
		require.NoError(t, err)
		if from > 0 {
			require.NoError(t, w.Restart(from))
		}
		for step := from; step < 8; step++ {
			require.NoError(t, w.Scalar("loss", step, float64(10*from+step)))
		}
		require.NoError(t, w.Close())
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, [][2]float64{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 55}, {6, 56}, {7, 57}}, read(t, folder).Scalars["loss"])
}

// Without Python too: each record has its length and both checksums.
func TestRecordsHaveTheirChecksums(t *testing.T) {
	var file bytes.Buffer
	w := tensorboard.NewWriter(&file)
	require.NoError(t, w.Scalar("loss", 1, 2))
	require.NoError(t, w.Flush())
	crc := func(b []byte) uint32 {
		c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return (c>>15 | c<<17) + 0xa282ead8
	}
	b, records := file.Bytes(), 0
	for ; len(b) > 0; records++ {
		n := binary.LittleEndian.Uint64(b)
		require.Equal(t, crc(b[:8]), binary.LittleEndian.Uint32(b[8:]))
		require.Equal(t, crc(b[12:12+n]), binary.LittleEndian.Uint32(b[12+n:]))
		b = b[16+n:]
	}
	require.Equal(t, 2, records)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestMistakesAreErrors(t *testing.T) {
	w := tensorboard.NewWriter(new(bytes.Buffer))
	require.ErrorContains(t, w.Scalar("", 0, 1), `the tag "" is empty or not UTF-8`)
	require.ErrorContains(t, w.Scalar("a\xff", 0, 1), "not UTF-8")
	require.ErrorContains(t, w.Image("a", 0, image.NewRGBA(image.Rect(0, 0, 0, 3))), "a picture of 0×3")
	require.ErrorContains(t, w.Image("a", 0, image.NewUniform(color.White)), "a picture of")
	require.ErrorContains(t, w.Graph([]tensorboard.Node{{Name: "a"}, {Name: "a"}}), `"a" of a node is there twice`)
	require.ErrorContains(t, w.Graph([]tensorboard.Node{{Name: "a", Inputs: []string{"b"}}}), `node "a" has the input "b", which is no node`)
	require.NoError(t, w.Close())

	w = tensorboard.NewWriter(full{})
	require.ErrorContains(t, errors.Join(w.Scalar("a", 0, 1), w.Flush()), "tensorboard: no space left")
	require.ErrorContains(t, w.Scalar("a", 0, 1), "no space left")

	w, err := tensorboard.Create(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.ErrorContains(t, w.Scalar("a", 0, 1), "closed")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = tensorboard.Create(file)
	require.ErrorContains(t, err, "file")
	require.Equal(t, 1, strings.Count(err.Error(), "tensorboard: "))
}

func TestAScalarAllocatesNothing(t *testing.T) {
	w := tensorboard.NewWriter(discard{})
	step := int64(0)
	add := func() { step++; _ = w.Scalar("loss/training", step, 0.5) }
	for range 5000 {
		add()
	}
	require.Zero(t, allocs.PerRun(1000, add))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Create": tensorboard.Create, "NewWriter": tensorboard.NewWriter},
		Types: []any{new(tensorboard.Writer)},
		Good: func() []any {
			return []any{tensorboard.NewWriter(new(bytes.Buffer)), picture(), new(bytes.Buffer), "tag", int64(1)}
		},
	})
}
