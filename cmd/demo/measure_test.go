package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	"github.com/plexaura/plexaura/train/metrics"
)

func TestWhatIsNotMeasuredIsAMistake(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"train -metrics f2":                      `-metrics: no metric "f2"; there are accuracy, balanced_accuracy, precision, `,
		"train -metrics f1.macro,f1.macro":       "-metrics: f1.macro is there twice",
		"eval -metrics top0":                     `-metrics: no metric "top0"; there are accuracy`,
		"train -best f1.macro":                   "-best f1.macro: that is not measured; there are loss, accuracy, and those of -metrics",
		"train -metrics recall.class -best top2": "-best top2: that is not measured; there are loss, accuracy, recall.class, and",
		"train -patience -1":                     "-patience -1: at least 1 and at most 1,000,000, or 0 for never",
		"train -find-lr -resume":                 "-find-lr begins with new weights; leave -resume out",
	} {
		status, out, errs := demo(context.Background(), append(strings.Fields(args), "-out", dir+"/run")...)
		if strings.HasPrefix(args, "eval") {
			status, out, errs = demo(context.Background(), strings.Fields(args)...)
		}
		require.Equal(t, 2, status, errs)
		require.Empty(t, out)
		require.Contains(t, errs, want)
		require.Equal(t, 1, strings.Count(errs, "\n"), "one line: %q", errs)
	}
	for args, want := range map[string]string{
		"-metrics f1":                 "f1: it is that of class 1 of two, and there are 10 classes; take f1.macro, f1.micro, f1.weighted, f1.class",
		"-metrics mae":                "mae: the output is float32(N,10) and the target int32(N); want floating point of the same shape",
		"-csv " + dir:                 "not a regular file",
		"-tensorboard /dev/null/logs": "/dev/null",
	} {
		status, _, errs := demo(context.Background(), brief(dir+"/run", strings.Fields(args)...)...)
		require.Equal(t, 1, status, errs)
		require.Contains(t, errs, want)
		require.Equal(t, 1, strings.Count(errs, "\n"), "one line: %q", errs)
		require.NoDirExists(t, dir+"/run")
	}
}

// What is measured is printed, drawn and kept; a run that stopped early and is resumed stays stopped.
func TestARunKeepsTheBestAndStopsEarly(t *testing.T) {
	dir := t.TempDir()
	folder, table := filepath.Join(dir, "run"), filepath.Join(dir, "epochs.csv")
	flags := []string{
		"-epochs", "30", "-lr", ".2", "-metrics", "f1.macro,recall.class", "-best", "f1.macro", "-patience", "2", "-schedule", "plateau", "-step", "1",
		"-csv", table, "-tensorboard", filepath.Join(folder, "logs"),
	}
	status, _, errs := demo(context.Background(), brief(folder)...) // a run that is there already moves aside
	require.Zero(t, status, errs)
	status, out, errs := demo(context.Background(), brief(folder, flags...)...)
	require.Zero(t, status, errs)
	require.Regexp(t, `epoch 1/30: loss \d\.\d{4}, accuracy 0\.\d{4}, f1\.macro 0\.\d{4}; validation loss \d\.\d{4}, accuracy 0\.\d{4}, f1\.macro 0\.\d{4}; `, out)
	require.Regexp(t, `stopped early: the validation f1\.macro has not improved for 2 epochs, since epoch \d+\n`, out)
	require.Regexp(t, `best by validation f1\.macro: epoch \d+, 0\.\d{4}; tested with these weights, best\.safetensors\n`, out)
	require.Regexp(t, `test: loss .*, f1\.macro 0\.\d{4}, after`, out)
	logs, err := os.ReadDir(filepath.Join(folder, "logs"))
	require.NoError(t, err)
	require.Len(t, logs, 1, "the earlier run did not take the file along")
	rows, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Contains(t, string(rows), "validation_recall.class.9")

	kept, err := train.LoadCheckpoint(filepath.Join(folder, callbacks.BestFile))
	require.NoError(t, err)
	last, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	require.NoError(t, err)
	require.Len(t, last.Progress.Epochs, len(kept.Progress.Epochs)+2)
	require.Less(t, last.Progress.Rate, kept.Progress.Epochs[0].Rate, "the rate was not reduced on the plateau")

	status, tested, errs := demo(context.Background(), "eval", "-weights", filepath.Join(folder, callbacks.BestFile), "-test-limit", "32", "-metrics", "f1.macro,top3")
	require.Zero(t, status, errs)
	require.Regexp(t, `^loss .*\naccuracy .*\nf1\.macro 0\.\d{4}\ntop3 [01]\.\d{4}\n$`, tested)
	f1 := strings.Fields(tested)[6]
	require.Contains(t, out, ", f1.macro "+f1+", after", "the test is that of the best weights")

	before := weights(t, folder)
	status, out, errs = demo(context.Background(), "train", "-resume", "-out", folder)
	require.Zero(t, status, errs)
	require.NotContains(t, out, "epoch 1/30")
	require.Contains(t, out, "stopped early")
	require.Equal(t, before, weights(t, folder))
	status, out, errs = demo(context.Background(), "train", "-resume", "-patience", "3", "-out", folder)
	require.Zero(t, status, errs)
	require.Contains(t, out, "/30: loss", "with more patience it goes on")
	for args, want := range map[string]string{"-best loss": "has -best f1.macro, not loss", "-metrics f1.micro": "has -metrics f1.macro,recall.class, not f1.micro"} {
		status, _, errs = demo(context.Background(), append([]string{"train", "-resume", "-out", folder}, strings.Fields(args)...)...)
		require.Equal(t, 2, status)
		require.Contains(t, errs, want)
	}
}

// The search for a rate trains nothing, and leaves a picture beside the folder.
func TestTheSearchForARateLeavesTheRunAsItWas(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	before := weights(t, folder)
	status, out, errs := demo(context.Background(), brief(folder, "-limit", "2000", "-find-lr")...)
	require.Zero(t, status, errs)
	require.Regexp(t, `\d+ steps with rates from 1e-06 \D+[\d.]+, drawn in \S+run-find-lr\.png\nthe loss had fallen half way at a rate of [\d.]+; try: -lr [\d.]+\n`, out)
	require.Equal(t, before, weights(t, folder))
	b, err := os.ReadFile(folder + "-find-lr.png")
	require.NoError(t, err)
	_, err = png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
}

func TestCurvesShowMetrics(t *testing.T) {
	values := func(v float64) metrics.Values {
		return metrics.Values{{Name: "accuracy", Value: v}, {Name: "f1.macro", Value: v}, {Name: "recall.class.0", Value: v}, {Name: "recall.class.1", Value: v}}
	}
	var epochs []train.Epoch
	for n := 1; n <= 3; n++ {
		epochs = append(epochs, train.Epoch{Number: n, Train: train.Metrics{Values: values(.1)}, Validation: &train.Metrics{Values: values(.2)}})
	}
	panels := morePanels(epochs)
	require.Len(t, panels, 2)
	require.Equal(t, "f1.macro", panels[0].Heading)
	require.Len(t, panels[0].Series, 2)
	require.Equal(t, []float64{.1, .1, .1}, panels[0].Series[0].Y)
	require.Equal(t, "recall", panels[1].Heading)
	require.Equal(t, "class 1", panels[1].Series[1].Name)
	require.Equal(t, []float64{.2, .2, .2}, panels[1].Series[1].Y)
	require.Empty(t, morePanels([]train.Epoch{{Number: 1}}))
}
