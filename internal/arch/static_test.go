package arch

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const purego = "github.com/ebitengine/purego"

// purego makes a program dynamically linked: it is for those alone that ask for MPI.
func TestOnlyMPINeedsADynamicLoader(t *testing.T) {
	found := false
	for _, s := range sources(t) {
		for _, spec := range s.file.Imports {
			if strings.HasPrefix(strings.Trim(spec.Path.Value, `"`), purego) {
				found = true
				require.Equal(t, "dist/mpi", s.pkg, "%s imports purego", s.pkg)
			}
		}
	}
	require.True(t, found, "dist/mpi does")
	out, err := exec.Command("go", "list", "-deps", "../../train", "../../serve", "../../dist/local", "../../cmd/demo").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), module+"/dist/local")
	require.NotContains(t, string(out), purego)
}

func TestThePlainDemoIsStatic(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	program := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-o", program, "../../cmd/demo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close()
	for _, p := range file.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it asks for a loader")
		require.NotEqual(t, elf.PT_DYNAMIC, p.Type, "it has libraries")
	}
}
