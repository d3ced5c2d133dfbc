package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/inspectpage"
	"github.com/plexaura/plexaura/internal/plain"
)

// hugePNG is the beginning of a picture that says it has so many pixels a side.
func hugePNG(side uint32) []byte {
	header := make([]byte, 13)
	binary.BigEndian.PutUint32(header, side)
	binary.BigEndian.PutUint32(header[4:], side)
	header[8] = 8 // bits, grey
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b.Write(header)
	sum := crc32.ChecksumIEEE(append([]byte("IHDR"), header...))
	_ = binary.Write(&b, binary.BigEndian, sum)
	return b.Bytes()
}

func TestInspectWritesAPageWithALineAStep(t *testing.T) {
	dir := t.TempDir()
	run, out := filepath.Join(dir, "run"), filepath.Join(dir, "a", "page")
	status, _, errs := demo(context.Background(), "train", "-epochs", "1", "-limit", "256", "-test-limit", "64", "-out", run)
	require.Zero(t, status, errs)
	file := filepath.Join(run, "model.safetensors")
	digit, _ := writeDigit(t, dir, 3)
	status, stdout, errs := demo(context.Background(), "inspect", "-weights", file, "-n", "60", "-channels", "4", "-out", out, digit)
	require.Zero(t, status, errs)
	page := filepath.Join(out, "index.html")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 8, stdout)
	for i, step := range []string{"data set", "images", "filters", "patches", "embedding", "mistakes", "parameters"} {
		require.Regexp(t, `^`+string(rune('1'+i))+`/7 `+step+` +\d+\.\d s$`, lines[i])
	}
	require.Equal(t, page, lines[7])
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Less(t, len(html), inspectpage.MaxPage)
	require.Contains(t, string(html), "Inside lenet")
	require.Contains(t, string(html), filepath.Base(digit))
	require.Contains(t, string(html), "Of 60 images")
	require.NotContains(t, string(html), dir, "the page tells nothing of where files are")

	t.Run("bad input", func(t *testing.T) { inspectRefuses(t, dir, file) })
}

func inspectRefuses(t *testing.T, dir, weights string) {
	huge, empty, text := filepath.Join(dir, "huge.png"), filepath.Join(dir, "empty"), filepath.Join(dir, "text.png")
	require.NoError(t, os.WriteFile(huge, hugePNG(60000), 0o644))
	require.NoError(t, os.WriteFile(text, []byte("text"), 0o644))
	require.NoError(t, os.Mkdir(empty, 0o755))
	blank := filepath.Join(dir, "blank.png")
	require.NoError(t, os.WriteFile(blank, encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 9, 9))) }), 0o644))
	for _, c := range []struct {
		args string
		want string
	}{
		{huge, "huge.png: a picture of 60000 by 60000 pixels is too large"},
		{text, "no picture that can be read"},
		{blank, "blank"},
		{dir + "/none.png", "none.png"},
		{"-data " + empty, "has no pictures in train/CLASS, nor the files of MNIST"},
		{"-data " + cifarFolder(t), "nor the files of MNIST"},
		{"-data cifar10:" + cifarFolder(t), "the images of cifar10"},
		{"-model alexnet", `is for the model "lenet", not "alexnet"`},
		{"-out " + text, "text.png is a file, not a folder"},
	} {
		out := filepath.Join(dir, "never")
		args := append([]string{"inspect", "-weights", weights, "-out", out, "-n", "8"}, strings.Fields(c.args)...)
		status, stdout, stderr := demo(context.Background(), args...)
		require.Equal(t, 1, status, stderr)
		require.Empty(t, stdout, c.args)
		require.Contains(t, stderr, c.want)
		require.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %q", stderr)
		require.Empty(t, plain.Repeats(stderr), stderr)
		_, err := os.Stat(out)
		require.ErrorIs(t, err, os.ErrNotExist, "what was refused leaves nothing behind")
	}
}

// Weights of PyTorch's file format that are another network's.
func TestInspectRefusesTheWeightsOfAnotherModel(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	status, _, errs := demo(context.Background(), "train", "-epochs", "1", "-limit", "64", "-test-limit", "64", "-out", run)
	require.Zero(t, status, errs)
	file := filepath.Join(run, "model.safetensors")
	renamed := strings.NewReplacer(`"model":"lenet"`, `"model":"lenet1998"`)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	size := binary.LittleEndian.Uint64(raw)
	header := renamed.Replace(string(raw[8 : 8+size]))
	require.NotEqual(t, string(raw[8:8+size]), header)
	for len(header)%8 != 0 {
		header += " "
	}
	other := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	other = append(append(other, header...), raw[8+size:]...)
	require.NoError(t, os.WriteFile(file, other, 0o644))
	status, stdout, stderr := demo(context.Background(), "inspect", "-weights", file, "-n", "8", "-out", filepath.Join(dir, "page"))
	require.Equal(t, 1, status, stderr)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "conv1.weight")
	require.Contains(t, stderr, "the weights are those of another model")
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
}
