//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/plain"
)

// pipe makes a named pipe, in place of a file that is there. Whoever opens it waits for ever.
func pipe(t *testing.T, path string) string {
	t.Helper()
	require.NoError(t, os.RemoveAll(path))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return path
}

// Wherever a command takes a path, a pipe is refused before anything is opened, computed or
// changed.
func TestPipesAreRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	run := at("run")
	status, _, errs := demo(context.Background(), "train", "-epochs", "1", "-limit", "64", "-test-limit", "10", "-out", run)
	require.Zero(t, status, errs)
	p := pipe(t, at("pipe.png"))
	pipe(t, at("mnist", "train-labels-idx1-ubyte.gz"))
	pipe(t, at("cifar", "data_batch_1.bin"))
	pipe(t, at("cifar", "fine_label_names.txt"))
	pipe(t, at("page", "index.html"))
	for _, part := range []string{"train", "val"} {
		pipe(t, at("pictures", part, "class", "x.png"))
	}
	for _, args := range []string{
		"predict -weights " + run + "/model.safetensors " + p,
		"predict -weights " + p + " x.png",
		"predict -weights " + p + " -model lenet x.png",
		"eval -weights " + p,
		"eval -weights " + p + " -model lenet",
		"eval -weights " + run + "/model.safetensors -data " + p,
		"eval -weights " + run + "/model.safetensors -data " + at("mnist"),
		"eval -weights " + run + "/model.safetensors -confusion " + p,
		"parity -curve " + p,
		"lecture sobel -image " + p + " -out " + at("new"),
		"lecture edges -out " + p,
		"lecture all -short -out " + at("page"),
		"train -out " + p,
		"train -resume -out " + p,
		"train -data " + p,
		"train -data " + at("mnist") + " -out " + at("new"),
		"train -data mnist:" + at("mnist") + " -out " + at("new"),
		"train -data cifar10:" + at("cifar") + " -out " + at("new"),
		"train -data cifar100:" + at("cifar") + " -out " + at("new"),
		"train -model squeezenet -data " + at("pictures") + " -out " + at("new"),
	} {
		refusesPipe(t, args)
	}
	require.NoFileExists(t, at("new"))
}

// A run goes on only where all its files can be replaced.
func TestPipesInARunsFolderAreRefused(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), "train", "-epochs", "1", "-limit", "64", "-test-limit", "10", "-out", whole)
	require.Zero(t, status, errs)
	files, err := os.ReadDir(whole)
	require.NoError(t, err)
	require.Len(t, files, 5)
	for _, f := range files {
		run := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.CopyFS(run, os.DirFS(whole)))
		pipe(t, filepath.Join(run, f.Name()))
		refusesPipe(t, "train -resume -epochs 2 -out "+run)
		if f.Name() != "model.safetensors" {
			require.Equal(t, weights(t, whole), weights(t, run), "nothing was trained")
		}
	}
}

// refusesPipe runs a command line that is to end in an error of one line.
func refusesPipe(t *testing.T, args string) {
	t.Helper()
	status, _, stderr := demo(context.Background(), strings.Fields(args)...)
	require.Equal(t, 1, status, "%s: %s", args, stderr)
	require.Equal(t, 1, strings.Count(stderr, "\n"), "%s: %s", args, stderr)
	require.Regexp(t, "pipe|no pictures", stderr, args)
	require.Empty(t, plain.Repeats(stderr), args)
}
