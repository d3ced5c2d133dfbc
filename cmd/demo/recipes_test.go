package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every recipe's flags are some that train takes, and flags that are given come before them.
func TestRecipesAreFlagsOfTrain(t *testing.T) {
	for name, recipe := range trainingRecipes() {
		cmd := commands()[0]
		require.Equal(t, "train", cmd.name)
		c := newCall(cmd, []string{"-recipe", name, "-epochs", "3"}, newOutput(nil))
		r := trainRun{call: c}
		r.declare()
		require.NoError(t, c.parse(false))
		line, err := c.follow(r.followed)
		require.NoError(t, err, name)
		require.Contains(t, line, recipe.flags)
		require.Equal(t, 3, r.settings.Epochs)
		require.NoError(t, r.settings.check())
		require.NoError(t, r.choose())
	}
}

func TestARecipePrintsItsFlags(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	status, stdout, stderr := demo(t.Context(), "train", "-recipe", "mnist-fast", "-limit", "256", "-test-limit", "64", "-epochs", "1", "-out", out)
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "recipe mnist-fast, for 99 % of MNIST in five seconds on two cores: train -model lenet")

	status, _, stderr = demo(t.Context(), "train", "-recipe", "imagenet", "-out", out)
	require.Equal(t, statusMisused, status)
	require.Contains(t, stderr, `no recipe "imagenet"; there are cifar10, fashion-mnist, mnist, mnist-fast`)
	status, _, stderr = demo(t.Context(), "train", "-recipe", "mnist", "-resume", "-out", out)
	require.Equal(t, statusMisused, status)
	require.Contains(t, stderr, "leave -recipe out")
}
