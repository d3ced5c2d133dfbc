package main

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMistakesOfLearning(t *testing.T) {
	for flags, want := range map[[2]string]string{
		{"-optimizer", "best"}:    `no optimizer "best"; there are adam, adamw, lamb, lion, muon, rmsprop, sgd`,
		{"-loss", "none"}:         `no loss "none"; there are cross-entropy, focal`,
		{"-mix", "stir"}:          `-mix "stir" is none; there are cutmix, mixup, none`,
		{"-class-weights", "1,x"}: `-class-weights: "x" is no number from 0`,
		{"-class-weights", "1,2"}: `-class-weights has 2 numbers; the data have 10 classes`,
		{"-ignore-label", "ten"}:  `-ignore-label: no class "ten"; there are 10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9`,
		{"-split", "1"}:           `-split 1: at least 0.001 and at most 0.999, or 0 for no split`,
		{"-split", ".2"}:          `mnist holds pictures, the model takes images (1,28,28) of a dataset`,
	} {
		status, _, errs := demo(context.Background(), brief(filepath.Join(t.TempDir(), "run"), flags[0], flags[1])...)
		require.NotZero(t, status, flags)
		require.Contains(t, errs, want)
	}
	status, _, errs := demo(context.Background(), brief(filepath.Join(t.TempDir(), "run"), "-loss", "focal", "-class-weights", "balanced")...)
	require.NotZero(t, status)
	require.Contains(t, errs, "-class-weights are of the loss cross-entropy, not of focal")
	status, _, errs = demo(context.Background(), brief(filepath.Join(t.TempDir(), "run"), "-mix", "mixup", "-ignore-label", "1")...)
	require.NotZero(t, status)
	require.Contains(t, errs, "leave -mix or -ignore-label out")
}

// A folder of classes is split, damaged pictures end the run unless they are to be left out, and then
// they are listed; eval tests what was kept.
func TestAFolderOfClassesWithDamage(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "run")
	for class := range 2 {
		for i := range 5 {
			img := image.NewRGBA(image.Rect(0, 0, 33, 32))
			for p := range 33 * 32 {
				img.Set(p%33, p/33, color.RGBA{uint8(200 * class), uint8(p), uint8(i * 40), 255})
			}
			path := filepath.Join(dir, "class"+strconv.Itoa(class), strconv.Itoa(i)+".png")
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			f, err := os.Create(path)
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, img))
			require.NoError(t, f.Close())
		}
	}
	bad := filepath.Join(dir, "class1", "2.png")
	require.NoError(t, os.Truncate(bad, 90))
	args := []string{"train", "-model", "squeezenet", "-data", dir, "-split", ".4", "-epochs", "1", "-batch", "3", "-out", out}
	status, _, errs := demo(context.Background(), args...)
	require.NotZero(t, status)
	require.Contains(t, errs, bad)
	status, text, errs := demo(context.Background(), append(args, "-skip-damaged", "-drop-last")...)
	require.Zero(t, status, errs)
	require.Contains(t, text, "1 damaged ")
	require.Contains(t, text, "  "+bad+": ")
	status, text, errs = demo(context.Background(), "eval", "-weights", filepath.Join(out, "model.safetensors"), "-data", dir, "-split", ".4", "-tta", "nothing")
	require.NotZero(t, status, text)
	require.Contains(t, errs, `-tta "nothing" is none; there are all, flip, none, shift`)
}

// What a run tests at its end by several views of each image is what eval finds by the same views, and not by one.
func TestARunIsTestedByViews(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	status, text, errs := demo(context.Background(), brief(out, "-tta", "all")...)
	require.Zero(t, status, errs)
	tested := regexp.MustCompile(`\S+: loss (\S+), (accuracy \S+ \(\S+\))`).FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, tested, text)
	last := tested[len(tested)-1]
	evaluated := func(tta string) string {
		status, text, errs := demo(context.Background(), "eval", "-weights", filepath.Join(out, "model.safetensors"), "-tta", tta, "-test-limit", "32")
		require.Zero(t, status, errs)
		return text
	}
	require.Contains(t, evaluated("all"), "loss "+last[1]+"\n"+last[2])
	require.NotContains(t, evaluated("none"), "loss "+last[1]+"\n")
}
