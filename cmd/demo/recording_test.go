package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProfileNamesLayersAndOps(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to read profiles")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "cpu.pb.gz")
	status, out, errs := demo(context.Background(), "train", "-limit", "8000", "-test-limit", "32", "-epochs", "2", "-out", filepath.Join(dir, "run"), "-profile", file)
	require.Zero(t, status, errs)
	require.Contains(t, out, "profile in "+file+": go tool pprof -tags "+file)
	tags, err := exec.Command(goTool, "tool", "pprof", "-tags", file).CombinedOutput()
	require.NoError(t, err, "%s", tags)
	require.Regexp(t, `layer: Total`, string(tags))
	require.Regexp(t, `: conv[12]\n`, string(tags))
	require.Regexp(t, `op: Total`, string(tags))
	require.Regexp(t, `: Conv2D`, string(tags))
}

func TestATraceHasTheFirstSteps(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "trace.json")
	plain := filepath.Join(dir, "plain")
	status, _, errs := demo(context.Background(), brief(plain)...)
	require.Zero(t, status, errs)
	status, out, errs := demo(context.Background(), brief(filepath.Join(dir, "run"), "-trace", file, "-trace-steps", "2")...)
	require.Zero(t, status, errs)
	require.Contains(t, out, "trace of the first 2 steps in "+file)
	require.Equal(t, weights(t, plain), weights(t, filepath.Join(dir, "run")), "watching changes nothing")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var events []struct {
		Name string
		Ph   string
		Args struct{ Run int }
	}
	require.NoError(t, json.Unmarshal(b, &events))
	names := map[string]bool{}
	for _, e := range events {
		require.Less(t, e.Args.Run, 2)
		names[e.Name] = e.Ph == "X"
	}
	for _, name := range []string{"run 0", "run 1", "Conv2DFilterGrad conv1", "Conv2DFilterGrad conv2"} {
		require.True(t, names[name], "%s in %v", name, names)
	}
	require.False(t, names["run 2"])
}

// What was in the file stays until there is a first step.
func TestARunThatDoesNotBeginLeavesTheTrace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "trace.json")
	require.NoError(t, os.WriteFile(file, []byte("earlier"), 0o644))
	status, _, errs := demo(context.Background(), "train", "-model", "nonsense", "-trace", file)
	require.Equal(t, 2, status, errs)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "earlier", string(b))
}
