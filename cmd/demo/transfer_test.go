package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/train"
)

// learntValue returns the bytes of a value of a run.
func learntValue(t *testing.T, folder, name string) []byte {
	f, err := safetensors.ReadFile(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	v, ok := f.Tensor(name)
	require.True(t, ok, name)
	return v.Data
}

// In one command: the body of one run, a head that is made anew, layers that are frozen at first.
func TestARunBeginsWithTheWeightsOfAnother(t *testing.T) {
	dir := t.TempDir()
	body := filepath.Join(dir, "body")
	status, _, errs := demo(context.Background(), brief(body)...)
	require.Zero(t, status, errs)
	from := []string{"-from", filepath.Join(body, train.CheckpointFile), "-replace", "fc3.*", "-freeze", "conv*,fc1.weight", "-lr-scale", "fc2.*=0.1"}

	frozen := filepath.Join(dir, "frozen")
	status, out, errs := demo(context.Background(), brief(frozen, from...)...)
	require.Zero(t, status, errs)
	require.Contains(t, out, "from model.safetensors, safetensors: 8 values loaded\n  made anew: fc3.bias, fc3.weight\nfrozen: 5 of 10 parameters\n")
	for _, name := range []string{"conv1.weight", "conv2.bias", "fc1.weight"} {
		require.Equal(t, learntValue(t, body, name), learntValue(t, frozen, name), name)
	}
	require.NotEqual(t, learntValue(t, body, "fc1.bias"), learntValue(t, frozen, "fc1.bias"))

	later := filepath.Join(dir, "later")
	status, out, errs = demo(context.Background(), brief(later, append(from, "-unfreeze-at", "2")...)...)
	require.Zero(t, status, errs)
	require.Contains(t, out, "frozen up to epoch 1: 5 of 10 parameters\n")
	require.NotEqual(t, learntValue(t, body, "conv1.weight"), learntValue(t, later, "conv1.weight"))

	// A run that stops in between goes on without the file it began with.
	stopped := filepath.Join(dir, "stopped")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := &trigger{text: "epoch 1/2", cancel: cancel}
	var told strings.Builder
	require.Equal(t, 1, run(ctx, calledAs("demo"), brief(stopped, append(from, "-unfreeze-at", "2")...), stop, &told))
	require.NoError(t, os.RemoveAll(body))
	status, out, errs = demo(context.Background(), "train", "-resume", "-out", stopped)
	require.Zero(t, status, errs)
	require.NotContains(t, out, "values loaded")
	require.Equal(t, weights(t, later), weights(t, stopped))
	status, _, errs = demo(context.Background(), "train", "-resume", "-out", stopped, "-freeze", "fc*")
	require.NotZero(t, status)
	require.Contains(t, errs, "-freeze conv*,fc1.weight, not fc*")
}

func TestMistakesOfTransferAreOneLineAndLoseNothing(t *testing.T) {
	dir := t.TempDir()
	body := filepath.Join(dir, "body")
	status, _, errs := demo(context.Background(), brief(body)...)
	require.Zero(t, status, errs)
	file := filepath.Join(body, train.CheckpointFile)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	half := filepath.Join(dir, "half")
	require.NoError(t, os.WriteFile(half, whole[:len(whole)/2], 0o666))
	other := filepath.Join("..", "..", "interop", "pytorch", "testdata", "net.pth")
	before := weights(t, body)
	for _, tt := range []struct{ flags, want string }{
		{"-from " + other, "the weights are those of another model: missing conv1.bias, "},
		{"-from " + other, "allow that by -partial, or have it made anew by -replace or -head"},
		{"-from " + half, "-from: transfer: " + half},
		{"-from " + file + " -replace fd3.*", `Replace: "fd3.*" matches no parameter; near it are fc3.*`},
		{"-from " + file + " -partial classifier.*", `Partial: "classifier.*" matches no parameter`},
		{"-freeze cnv1.*", `-freeze: "cnv1.*" matches no parameter; near it are conv1.*`},
		{"-freeze *", `Freeze: "*" leave no parameter to train`},
		{"-lr-scale con1.*=2", `-lr-scale: "con1.*" matches no parameter; near it are conv1.*`},
		{"-lr-scale conv1.*", "-lr-scale conv1.*: want PATTERN=FACTOR"},
		{"-lr-scale conv1.*=0", "-lr-scale conv1.*=0: the factor is above 0"},
		{"-lr-scale conv1.*=NaN", "-lr-scale conv1.*=NaN: the factor is above 0"},
		{"-partial fc.*", "-partial says how the weights of -from may differ; give that too"},
		{"-head", "-head says how the weights of -from may differ; give that too"},
		{"-unfreeze-at 2", "-unfreeze-at 2: nothing is frozen; give -freeze too"},
		{"-freeze conv* -unfreeze-at 1", "-unfreeze-at 1: at least 2 and at most 1,000,000, or 0 for never"},
		{"-freeze conv* -unfreeze-at 3", "UnfreezeAt is 3; want an epoch from 2 to the last, 2, or 0 for never"},
	} {
		status, _, errs := demo(context.Background(), brief(body, strings.Fields(tt.flags)...)...)
		require.NotZero(t, status, tt.flags)
		require.Contains(t, errs, tt.want)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
		require.Equal(t, before, weights(t, body))
	}
}
