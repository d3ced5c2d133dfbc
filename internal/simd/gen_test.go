package simd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGeneratedFilesAreCurrent runs the generator, which is a module of its own.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	if out, err := exec.Command(goTool, "-C", "gen", "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("the generator's modules cannot be downloaded: %s", out)
	}
	dir := t.TempDir()
	out, err := exec.Command(goTool, "-C", "gen", "run", ".", "-dir", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)

	made, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, made)
	for _, f := range made {
		want, err := os.ReadFile(f)
		require.NoError(t, err)
		name, err := filepath.Rel(dir, f)
		require.NoError(t, err)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "%s is stale: run go generate", name)
		require.Less(t, len(got), 1<<20, name)
	}
	assembly, err := filepath.Glob(filepath.Join("*", "*_amd64.s"))
	require.NoError(t, err)
	for _, f := range assembly {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(dir, f))
		checkAssembly(t, f, string(text))
	}
}

// checkAssembly holds the rules that the Go runtime depends on: no frame, the base pointer
// untouched, the upper halves of vector registers clean at the end.
func checkAssembly(t *testing.T, file, text string) {
	for _, f := range strings.Split(text, "\nTEXT ")[1:] {
		name := file + ": " + f[:strings.Index(f, "(")]
		require.Contains(t, strings.SplitN(f, "\n", 2)[0], "NOSPLIT, $0-", name)
		require.NotRegexp(t, `\bBP\b`, f, name)
		if strings.Contains(f, "Y0") || strings.Contains(f, "Z0") {
			require.Equal(t, strings.Count(f, "\tRET"), strings.Count(f, "\tVZEROUPPER\n\tRET"), name)
		}
	}
}
