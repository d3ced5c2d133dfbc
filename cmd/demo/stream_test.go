package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// archives makes a folder of archives: three of 8 pictures to train on, compressed or not, and one of 4 for
// validation. A picture has a light row or a light column.
func archives(t *testing.T, packed bool) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "classes.txt"), []byte("row\ncolumn\n"), 0o644))
	for i, path := range []string{"train/0.tar", "train/1.tar", "train/2.tar", "val/0.tar"} {
		n := 8
		if i == 3 {
			n = 4
		}
		var content bytes.Buffer
		w := tar.NewWriter(&content)
		for k := range n {
			img := image.NewGray(image.Rect(0, 0, 28, 28))
			for p := range 28 * 28 {
				x, y := p%28, p/28
				if k%2 == 0 && y == 3*k+i || k%2 == 1 && x == 3*k+i {
					img.SetGray(x, y, color.Gray{Y: 255})
				}
			}
			for name, b := range map[string][]byte{
				"png": encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) }), "cls": fmt.Append(nil, k%2),
			} {
				require.NoError(t, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%d-%d.%s", i, k, name), Mode: 0o644, Size: int64(len(b))}))
				_, err := w.Write(b)
				require.NoError(t, err)
			}
		}
		require.NoError(t, w.Close())
		path = filepath.Join(dir, path)
		if packed && i < 3 {
			path += ".gz"
			var small bytes.Buffer
			z := gzip.NewWriter(&small)
			_, err := z.Write(content.Bytes())
			require.NoError(t, err)
			require.NoError(t, z.Close())
			content = small
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content.Bytes(), 0o644))
	}
	return dir
}

// Archives train the same network, compressed or not; indexed, they have their own order.
func TestTrainOnAStreamOfArchives(t *testing.T) {
	plain, packed := archives(t, false), archives(t, true)
	folder := func(name string) string { return filepath.Join(t.TempDir(), name) }
	learnt := func(folder string, flags ...string) (out, values string) {
		status, out, errs := demo(context.Background(), append([]string{"train", "-model", "mnistnet", "-batch", "5", "-out", folder}, flags...)...)
		require.Zero(t, status, errs)
		return out, valuesIn(t, folder)
	}
	whole := folder("whole")
	out, want := learnt(whole, "-data", packed, "-stream", "-epochs", "2")
	require.Contains(t, out, "3 archives to train on, 4 for validation")
	require.Regexp(t, `(?m)^epoch 2/2: loss \d+\.\d+, accuracy \d\.\d+; validation loss`, out)
	require.Regexp(t, `(?m)^validation: loss \d+\.\d+, accuracy \d\.\d+ \(\d/4\)`, out)
	c, err := train.LoadCheckpoint(filepath.Join(whole, train.CheckpointFile))
	require.NoError(t, err)
	require.Equal(t, &train.Streamed{Buffer: 1000}, c.Progress.Streamed)
	require.Equal(t, 24, c.Progress.Epochs[1].Train.Examples)
	require.Equal(t, []string{"row", "column"}, c.Info.Classes)
	require.Equal(t, "shorter-28", c.Info.Preprocess.Image)

	_, have := learnt(folder("plain"), "-data", plain, "-stream", "-epochs", "2")
	require.Equal(t, want, have)
	_, ordered := learnt(folder("ordered"), "-data", packed, "-stream", "-epochs", "2", "-shuffle-buffer", "1")
	require.NotEqual(t, want, ordered)
	_, short := learnt(folder("short"), "-data", plain, "-stream", "-epochs", "2", "-steps-per-epoch", "3")
	require.NotEqual(t, want, short)
	out, _ = learnt(folder("indexed"), "-data", plain, "-epochs", "1")
	require.Contains(t, out, "24 images to train on, 4 for validation")

	// a run that is stopped goes on
	part := folder("part")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o, e := &trigger{text: "epoch 1/2", cancel: cancel}, bytes.Buffer{}
	require.Equal(t, 1, run(ctx, calledAs("./demo"), []string{"train", "-model", "mnistnet", "-batch", "5", "-out", part, "-data", packed, "-stream", "-epochs", "2"}, o, &e))
	require.Contains(t, e.String(), "saved; go on with: ./demo train -resume -out "+part)
	status, _, errs := demo(context.Background(), "train", "-resume", "-stream", "-shuffle-buffer", "1000", "-out", part)
	require.Zero(t, status, errs)
	require.Equal(t, want, valuesIn(t, part))
	status, _, errs = demo(context.Background(), "train", "-resume", "-shuffle-buffer", "10", "-out", part)
	require.Equal(t, 2, status)
	require.Contains(t, errs, "the run in "+part+" has -shuffle-buffer 1000, not 10")

	status, out, errs = demo(context.Background(), "eval", "-weights", filepath.Join(whole, train.CheckpointFile), "-data", packed)
	require.Zero(t, status, errs)
	require.Contains(t, out, "/4)")
	status, _, errs = demo(context.Background(), "calibrate", "-weights", filepath.Join(whole, train.CheckpointFile), "-data", packed, "-out", filepath.Join(t.TempDir(), "ranges.json"))
	require.Equal(t, 1, status)
	require.Contains(t, errs, "are in compressed archives, which cannot be indexed; unpack them\n")
}

// valuesIn returns the values of the checkpoint in a folder.
func valuesIn(t *testing.T, folder string) string {
	t.Helper()
	c, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	var values strings.Builder
	for _, name := range c.Store.Names() {
		v, err := c.Store.Value(name)
		require.NoError(t, err)
		fmt.Fprintln(&values, name, v.Data())
	}
	return values.String()
}

func TestStreamsOnTheCommandLineThatAreRefused(t *testing.T) {
	dir := archives(t, true)
	cut := archives(t, false)
	require.NoError(t, os.Truncate(filepath.Join(cut, "train", "1.tar"), 2000))
	unnamed := archives(t, false)
	require.NoError(t, os.Remove(filepath.Join(unnamed, "classes.txt")))
	one := archives(t, false)
	require.NoError(t, os.WriteFile(filepath.Join(one, "classes.txt"), []byte("row\n"), 0o644))
	alone := archives(t, false)
	require.NoError(t, os.RemoveAll(filepath.Join(alone, "val")))
	for _, c := range []struct{ flags, want string }{
		{"-data mnist -stream", "-stream: mnist has no archives train/*.tar"},
		{"-data " + dir, "are compressed, so that they cannot be indexed; give -stream, or unpack them"},
		{"-stream -limit 5 -data " + dir, "-limit: with -stream there is none: -steps-per-epoch ends an epoch"},
		{"-stream -balance -data " + dir, "-balance: with -stream there is none: it needs the labels of all images"},
		{"-stream -skip-damaged -data " + dir, "-skip-damaged: with -stream there is none"},
		{"-stream -schedule cosine -data " + dir, "-schedule cosine needs the number of steps of an epoch, which is not known with -stream; give -steps-per-epoch, or -schedule plateau"},
		{"-shuffle-buffer 5", "-shuffle-buffer and -steps-per-epoch are of -stream, which is not given"},
		{"-stream -shuffle-buffer -5 -data " + dir, "-shuffle-buffer -5: at least 1 and at most 16,777,216, or 0 for 1,000"},
		{"-stream -steps-per-epoch 1 -epochs 1 -batch 24 -shuffle-buffer 1 -data " + cut, "train/1.tar, at byte "},
		{"-stream -data " + unnamed, "has archives, but no classes.txt with the names of the classes"},
		{"-stream -data " + one, `classes.txt names only one class, ["row"]`},
		{"-stream -data " + alone, "has archives in train, but none in val"},
	} {
		status, _, errs := demo(context.Background(), append([]string{"train", "-model", "mnistnet", "-out", filepath.Join(t.TempDir(), "run")}, strings.Fields(c.flags)...)...)
		require.NotZero(t, status, c.flags)
		require.Contains(t, errs, c.want)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

func TestArchivesForModelsOfPhotographs(t *testing.T) {
	m, large := models()["squeezenet"], shape.Of(3, 256, 256)
	s, err := loadData(context.Background(), archives(t, false), large, m.image, m.preprocess, 0)
	require.NoError(t, err)
	require.Equal(t, large, s.train.Info().Input.Shape)
	require.Equal(t, m.image, s.validation.Info().Input.Shape)
	require.Equal(t, m.preprocess.Mean, s.train.Info().Preprocess.Mean)
	s, err = loadData(context.Background(), archives(t, true), large, m.image, m.preprocess, 0)
	require.NoError(t, err)
	require.Equal(t, large, s.info().Input.Shape)
	require.Nil(t, s.train)
}
