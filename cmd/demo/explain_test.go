package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/train"
)

func TestAGradientIsExplained(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	file := filepath.Join(folder, train.CheckpointFile)
	explained := func(args ...string) string {
		status, out, errs := demo(context.Background(), append([]string{"explain", "-weights", file, "-n", "16"}, args...)...)
		require.Zero(t, status, errs)
		return out
	}
	out := explained("conv1.weight")
	require.Regexp(t, `^the gradient of the loss by conv1.weight, float32\(6,1,5,5\), on 16 images: norm [\d.e-]+, root mean square [\d.e-]+, 0 of 150 elements are zero\n`, out)
	order := []string{"\nloss ", "\nfc3 ", "\nfc2 ", "\nfc1 ", "\nconv2 ", "\nconv1 ", "\nconv1.weight "}
	for i := range order[1:] {
		require.Contains(t, out, order[i])
		require.Less(t, strings.Index(out, order[i]), strings.Index(out, order[i+1]))
	}
	require.Equal(t, out, func() string {
		_, out, _ := demo(context.Background(), "explain", "conv1.weight", "-weights", file, "-n", "16")
		return out
	}(), "the name may stand before the flags")
	require.NotContains(t, explained("fc3.weight"), "\nfc2 ", "it is not on the way")

	c, err := train.LoadCheckpoint(file)
	require.NoError(t, err)
	low := make([]float32, 120)
	for i := range low {
		low[i] = -1e6
	}
	require.NoError(t, c.Store.Set("fc1.bias", tensor.New(tensor.WithBacking(low))))
	require.NoError(t, c.Save(file))
	out = explained("conv1.weight")
	require.Contains(t, out, "norm 0, root mean square 0, 150 of 150 elements are zero")
	require.Regexp(t, `\nall 120 units of ReLU \(layer 8, .*\) are dead`, out)
	require.Regexp(t, `\nno gradient arrives at ReLU \(layer 4, `, out)

	status, stdout, errs := demo(context.Background(), "explain", "-weights", file, "conv9.weight")
	require.Equal(t, 2, status)
	require.Empty(t, stdout)
	require.Contains(t, errs, `lenet has no parameter "conv9.weight"; it has conv1.weight, conv1.bias, `)
	require.Equal(t, 1, strings.Count(errs, "\n"))
}

func TestSaturationIsTold(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder, "-model", "lenet1998")...)
	require.Zero(t, status, errs)
	file := filepath.Join(folder, train.CheckpointFile)
	c, err := train.LoadCheckpoint(file)
	require.NoError(t, err)
	name := c.Store.Names()[0]
	for _, n := range c.Store.Names() {
		if strings.HasSuffix(n, "c1.bias") || strings.HasSuffix(n, "C1.bias") {
			name = n
		}
	}
	v, err := c.Store.Value(name)
	require.NoError(t, err)
	for i := range v.Float32s() {
		v.Float32s()[i] = 5
	}
	require.NoError(t, c.Store.Set(name, v))
	require.NoError(t, c.Save(file))
	status, out, errs := demo(context.Background(), "explain", "-weights", file, "-n", "8", strings.TrimSuffix(name, "bias")+"weight")
	require.Zero(t, status, errs)
	require.Regexp(t, `\n\d+\.\d% of the values of Tanh \(layer .*\) lie where it is flat\n`, out)
}

func TestADivergingRunNamesLayerAndImages(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), "train", "-limit", "640", "-test-limit", "32", "-lr", "1e6", "-epochs", "3", "-out", folder)
	require.Equal(t, 1, status)
	require.Regexp(t, `^demo train: epoch 1 of 3, batch \d+ of 10 \(step \d+\): .*; the first such value arose in epoch 1, batch \d+, in the (forward|backward) pass.*\(layer \w+, \w+\.go:\d+\).*; (it comes from|the batch has) examples \d+, `, errs)
	require.Equal(t, 1, strings.Count(errs, "\n"))
	require.NoDirExists(t, folder, "nothing is saved")
}
