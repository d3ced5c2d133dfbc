//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/safetensors"
)

// Ctrl-C ends a command, whatever it is doing, with one line or what it has to print, and leaves
// whole files: the test binary is the program, in a folder of its own.
func TestCtrlCEndsEveryCommand(t *testing.T) {
	trained := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), "train", "-epochs", "1", "-limit", "64", "-test-limit", "10", "-out", trained)
	require.Zero(t, status, errs)
	self, err := os.Executable()
	require.NoError(t, err)
	weights := filepath.Join(trained, "model.safetensors")
	for _, args := range []string{
		"train -out run", "train -ui 127.0.0.1:0 -out run", "watch -ui 127.0.0.1:0 " + trained, "serve -addr 127.0.0.1:0 -weights " + weights, "eval -weights " + weights,
		"inspect -weights " + weights + " -out page", "lecture all -out lecture", "lecture overfit -out lecture", "bench", "bench -layers alexnet",
		"gradcheck", "parity", "verify", "verify -vm gorgonia", "explain -weights " + weights + " conv1.weight", "program -train", "summary", "version",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for one that hangs
			defer cancel()
			cmd := exec.CommandContext(ctx, self, strings.Fields(args)...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = &out, &errs, dir, append(os.Environ(), asDemo+"=1", "TMPDIR="+dir)
			require.NoError(t, cmd.Start())
			time.Sleep(150 * time.Millisecond)
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended
			err := cmd.Wait()
			require.NoError(t, ctx.Err(), "it does not end")
			if err != nil && cmd.ProcessState.ExitCode() == 1 {
				require.Regexp(t, `^[^\n]*(interrupted|stopped)[^\n]*\n$`, errs.String())
			} else {
				require.True(t, err == nil || cmd.ProcessState.ExitCode() == -1, "%v: %s", err, errs.String())
				require.Empty(t, errs.String())
			}
			requireWhole(t, dir)
		})
	}
}

// requireWhole fails for a file that has not been written to its end.
func requireWhole(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		require.NotEqual(t, ".tmp", filepath.Ext(file))
		if strings.HasSuffix(file, ".safetensors") {
			_, err = safetensors.ReadFile(file)
			require.NoError(t, err, file)
		}
		return nil
	})
	require.True(t, err == nil || errors.Is(err, fs.ErrNotExist), err)
}
