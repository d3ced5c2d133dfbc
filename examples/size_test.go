package examples_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// small is a program that trains, without data of ours.
const small = `package main

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/train"
)

func main() {
	fmt.Println(train.Fit(context.Background(), train.Config{Model: nn.Sequential{}, Engine: cpu.New()}))
}
`

// MNIST's 11 MB are linked where data/mnist is imported, and nowhere else.
func TestASmallProgramLinksNoMNISTAndNoServer(t *testing.T) {
	// An overlay places the program below the module, whose packages it imports, and writes nothing there: tests of other packages read the tree meanwhile.
	temporary := t.TempDir()
	source, overlay := filepath.Join(temporary, "small.go"), filepath.Join(temporary, "overlay.json")
	require.NoError(t, os.WriteFile(source, []byte(small), 0o644))
	here, err := os.Getwd()
	require.NoError(t, err)
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here, "small", "main.go"): source}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replace, 0o644))
	out, err := exec.Command("go", "list", "-deps", "-overlay", overlay, "./small").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "github.com/plexaura/plexaura/train")
	for _, dep := range deps {
		for _, unwanted := range []string{"net/http", "image", "plexaura/data/", "gorgonia.org/gorgonia", "gorgonia.org/cu", "plexaura/serve", "plexaura/watch", "plexaura/viz"} {
			require.False(t, dep == unwanted || strings.Contains(unwanted, "/") && strings.Contains(dep, unwanted),
				"a program that trains links %s", dep)
		}
	}

	program := filepath.Join(temporary, "small.exe")
	out, err = exec.Command("go", "build", "-overlay", overlay, "-o", program, "./small").CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(program)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(34<<20), "27 MB when this was written, 33 with metrics, ranks and wider kernels")
}

// dependencies lists the packages, outside of the standard library, that the given ones link.
func dependencies(t *testing.T, packages ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)...).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

// The packages that build, compile and train networks link what the tensor library links, and golang.org/x/sys: what reads ONNX
// is for who imports it.
func TestTheCoreLinksTheTensorLibraryAlone(t *testing.T) {
	const module = "github.com/plexaura/plexaura/"
	var core []string
	for _, p := range []string{"shape", "graph", "ops", "autodiff", "engine", "engine/ref", "engine/cpu", "vm", "nn", "optim", "train"} {
		core = append(core, module+p)
	}
	allowed := dependencies(t, "gorgonia.org/tensor")
	deps := dependencies(t, core...)
	require.Contains(t, deps, module+"vm")
	for _, dep := range deps {
		if strings.HasPrefix(dep, module) {
			require.NotContains(t, dep, "/interop/onnx")
			require.NotContains(t, dep, "/cmd/")
			continue
		}
		require.True(t, slices.Contains(allowed, dep) || strings.HasPrefix(dep, "golang.org/x/sys/"), dep)
	}
}
