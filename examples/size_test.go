package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
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
	dir, err := os.MkdirTemp(".", "small") // below the module, whose packages it imports
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(small), 0o644))
	out, err := exec.Command("go", "list", "-deps", "./"+dir).Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "github.com/plexaura/plexaura/train")
	for _, dep := range deps {
		for _, unwanted := range []string{"net/http", "image", "plexaura/data/", "gorgonia.org/gorgonia", "gorgonia.org/cu", "plexaura/watch", "plexaura/viz"} {
			require.False(t, dep == unwanted || strings.Contains(unwanted, "/") && strings.Contains(dep, unwanted),
				"a program that trains links %s", dep)
		}
	}

	program := filepath.Join(t.TempDir(), "small.exe")
	out, err = exec.Command("go", "build", "-o", program, "./"+dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	info, err := os.Stat(program)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(30<<20), "25 MB when this was written")
}
