//go:build unix

package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
)

// A named pipe would be waited for.
func TestPipesAreNotOpened(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := train.LockFolder(pipe)
	require.EqualError(t, err, "train: "+pipe+" is not a folder for a run: it is a named pipe")
	_, err = train.LoadCheckpoint(pipe)
	require.ErrorContains(t, err, "a named pipe")

	c := config(t)
	c.Folder = filepath.Join(dir, "run")
	fit(t, c)
	c.Resume, c.Epochs = load(t, c.Folder), 4
	for _, name := range []string{train.SettingsFile, train.MetricsFile} {
		file := filepath.Join(c.Folder, name)
		require.NoError(t, os.Remove(file))
		require.NoError(t, syscall.Mkfifo(file, 0o600))
		c.OnStep = func(train.Step) error { return errors.New("a step was made before it was told") }
		_, err = train.Fit(context.Background(), c)
		require.ErrorContains(t, err, name+": a named pipe")
	}
}
