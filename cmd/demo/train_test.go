package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
)

// brief is a run of a moment.
func brief(folder string, more ...string) []string {
	return append([]string{"train", "-limit", "96", "-test-limit", "32", "-batch", "32", "-epochs", "2", "-out", folder}, more...)
}

// Every flag that says how to train changes what is learnt.
func TestNoFlagOfTrainIsIgnored(t *testing.T) {
	dir := t.TempDir()
	learnt := map[string]string{}
	for _, flags := range []string{
		"", "-batch 16", "-decay .1", "-augment mnist", "-lr .01", "-seed 2", "-limit 64", "-schedule cosine", "-step 1", "-step 1 -gamma .1",
		"-epochs 3", "-model lenet1998",
		"-optimizer adam", "-optimizer adamw -decay .1", "-optimizer rmsprop", "-optimizer muon", "-optimizer lion", "-optimizer lamb",
		"-loss focal", "-class-weights balanced", "-class-weights 1,2,3,1,1,1,1,1,1,1", "-ignore-label 3", "-balance", "-drop-last -batch 40", "-batch 40", "-mix mixup", "-mix cutmix",
		"-augment trivial",
	} {
		folder := filepath.Join(dir, flags)
		status, _, errs := demo(context.Background(), append(brief(folder), strings.Fields(flags)...)...)
		require.Zero(t, status, errs)
		values := valuesIn(t, folder)
		require.NotContains(t, learnt, values, "as with %q", learnt[values])
		learnt[values] = flags
	}
}

// Stopped before there is anything to save, a command says so, and what was there stays; after that
// the earlier run has a folder of its own.
func TestWhatStoppingLeaves(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "run")
	stop := func(text string, args []string) (out, errs string) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o, e := &trigger{text: text, cancel: cancel}, bytes.Buffer{}
		require.Equal(t, 1, run(ctx, calledAs("./demo"), args, o, &e))
		return o.String(), e.String()
	}
	_, errs := stop("images to train on", brief(folder))
	require.Equal(t, "demo train: stopped before the first step; nothing is saved, and "+folder+" is as it was\n", errs)
	require.NoDirExists(t, folder)

	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	first := weights(t, folder)
	_, errs = stop("images to train on", brief(folder, "-seed", "2"))
	require.Contains(t, errs, "nothing is saved, and "+folder+" is as it was")
	require.Equal(t, first, weights(t, folder))
	require.NoDirExists(t, folder+"-1")

	out, errs := stop("epoch 1/2", brief(folder, "-seed", "2"))
	require.Equal(t, "demo train: stopped at a whole step and saved; go on with: ./demo train -resume -out "+folder+"\n", errs)
	require.Contains(t, out, "the earlier run in "+folder+" has been moved to "+folder+"-1\n")
	require.Equal(t, first, weights(t, folder+"-1"))
	require.NotEqual(t, first, weights(t, folder))

	_, errs = stop("images to train on", []string{"train", "-resume", "-out", folder})
	require.Contains(t, errs, "saved; go on with: ./demo train -resume -out "+folder, "it is saved as it was")
}

// A folder that another has is left to it.
func TestARunInUseIsRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	l, err := train.LockFolder(folder)
	require.NoError(t, err)
	for _, args := range [][]string{brief(folder), {"train", "-resume", "-epochs", "3", "-out", folder}} {
		status, out, errs := demo(context.Background(), args...)
		require.Equal(t, 1, status)
		require.Empty(t, out)
		require.Contains(t, errs, fmt.Sprintf("demo train: the run in %s is in use by process %d since 2", folder, os.Getpid()))
	}
	require.NoError(t, l.Close())
}

func TestEpochsOfAResumedRunAreTheTotal(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	before := weights(t, folder)
	status, _, errs = demo(context.Background(), "train", "-resume", "-epochs", "1", "-out", folder)
	require.Equal(t, 2, status)
	require.Equal(t, "demo train: -resume: the run in "+folder+" has 2 epochs already, and -epochs 1 is the total; give more, or leave it out\n", errs)
	status, _, errs = demo(context.Background(), "train", "-resume", "-epochs", "2", "-out", folder)
	require.Zero(t, status, errs)
	require.Equal(t, before, weights(t, folder))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var e bytes.Buffer
	require.Equal(t, 1, run(ctx, calledAs("demo"), []string{"train", "-resume", "-epochs", "4", "-out", folder}, &trigger{text: "epoch 3/4", cancel: cancel}, &e))
	status, _, errs = demo(context.Background(), "train", "-resume", "-epochs", "2", "-out", folder)
	require.Equal(t, 2, status)
	require.Contains(t, errs, "has 3 epochs already")
}

// The settings of a checkpoint may be from anywhere.
func TestSettingsOfACheckpointAreChecked(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	file := filepath.Join(folder, train.CheckpointFile)
	c, err := train.LoadCheckpoint(file)
	require.NoError(t, err)
	c.Settings = bytes.Replace(c.Settings, []byte(`"batch":32`), []byte(`"batch":9223372036854775807`), 1)
	require.NoError(t, c.Save(file))
	status, _, errs = demo(context.Background(), "train", "-resume", "-out", folder)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "-resume: the settings in "+folder+": -batch 9223372036854775807: at least 1 and at most 65,536")
}

func TestCurvesShowTheValidation(t *testing.T) {
	draw := func(validation *train.Metrics) []byte {
		r := trainRun{folder: t.TempDir()}
		var epochs []train.Epoch
		for n := 1; n <= 3; n++ {
			epochs = append(epochs, train.Epoch{Number: n, Train: train.Metrics{LossSum: 9 / float64(n), Examples: 10, Labels: 10, Correct: n}, Validation: validation})
		}
		require.NoError(t, r.drawCurves(epochs))
		png, err := os.ReadFile(filepath.Join(r.folder, "curves.png"))
		require.NoError(t, err)
		return png
	}
	none := draw(nil)
	good, bad := draw(&train.Metrics{LossSum: 1, Examples: 10, Labels: 10, Correct: 9}), draw(&train.Metrics{LossSum: 9, Examples: 10, Labels: 10, Correct: 1})
	require.NotEqual(t, none, good)
	require.NotEqual(t, good, bad)
}
