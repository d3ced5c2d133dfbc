package gorgonia_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are what a user's first file may look like; both print 3.
var programs = map[string]string{
	"vm": `package main

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func main() {
	one := graph.New().Const(shape.F64(), []float64{1})
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.AddScalar(one, 2)})
	if err != nil {
		panic(err)
	}
	m, err := p.NewMachine(vm.NewStore(1))
	if err != nil {
		panic(err)
	}
	res, err := m.Run(context.Background())
	fmt.Println(res[0].ScalarValue(), err)
}
`,
	"gorgonia": `package main

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func main() {
	one := graph.New().Const(shape.F64(), []float64{1})
	p, err := gorgonia.Lower([]*graph.Node{ops.AddScalar(one, 2)}, 1)
	if err != nil {
		panic(err)
	}
	res, err := p.Run(context.Background(), nil)
	fmt.Println(res[0].ScalarValue(), err)
}
`,
}

// The releases of assume-no-moving-gc that gorgonia and tensor ask for panic at start-up on
// every newer Go; a module that merely requires this one must not meet them.
func TestAFreshModuleStartsOnThisGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	for name, source := range programs {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(file, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
			}
			write("main.go", source)
			write("go.mod", "module example.com/fresh\n\ngo 1.26.0\n\n"+
				"require github.com/plexaura/plexaura v0.0.0\n\nreplace github.com/plexaura/plexaura => "+root+"\n")
			sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
			require.NoError(t, err)
			write("go.sum", string(sums))

			if out, err := goCommand(dir, "list", "-deps", "."); err != nil {
				t.Skipf("the modules cannot be had here: %s", out)
			}
			out, err := goCommand(dir, "run", ".")
			require.NoError(t, err, out)
			require.Equal(t, "3 <nil>\n", out)
		})
	}
}

// goCommand runs the go tool in dir, without the variable that would silence the panic.
func goCommand(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GOFLAGS", "GOWORK", "ASSUME_NO_MOVING_GC_UNSAFE_RISK_IT_WITH":
		default:
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
