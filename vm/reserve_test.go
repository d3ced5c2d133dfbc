package vm_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// outer is the mean of a product (N,columns), which the arena holds.
func outer(columns int) []*graph.Node {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 1)), g.Param("w", shape.F32(1, shape.Dim(columns)), graph.Fill(1))
	return []*graph.Node{ops.Mean(ops.Sin(ops.MatMul(x, w)))}
}

func runOuter(m *vm.Machine, rows int) error {
	_, err := m.Run(context.Background(), tensor.New(tensor.WithShape(rows, 1), tensor.Of(tensor.Float32)))
	return err
}

func outerMachine(t *testing.T, columns int) *vm.Machine {
	m, err := vm.MustCompile(ref.Engine{}, outer(columns)).NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	return m
}

func TestTooLargeARunIsOneLineBeforeItStarts(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(256 << 20))
	m := outerMachine(t, 1<<14)
	require.NoError(t, runOuter(m, 16))
	err := runOuter(m, 8192)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.Regexp(t, `^vm: not enough memory: a run at batch size N=8192 needs (512|513|1024)(\.\d)? MiB for its values, .* MiB; GOMEMLIMIT leaves \d+(\.\d+)? MiB: take smaller batches, compile with vm.WithMemory, or raise the limit$`, err.Error())
	require.NoError(t, runOuter(m, 16), "the machine goes on")
	require.NoError(t, runOuter(m, 32))
}

func TestParametersThatAreTooLargeAreOneLine(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(128 << 20))
	s := vm.NewStore(1)
	_, err := vm.MustCompile(ref.Engine{}, outer(1<<28)).NewMachine(s)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.Regexp(t, `^vm: not enough memory: 1 parameters and states need initial values, 3 GiB; GOMEMLIMIT leaves .* MiB: build a smaller model, or raise the limit$`, err.Error())
	require.Empty(t, s.Names())
}

// What is copied on request is refused alike.
func TestACopyThatIsTooLargeIsAnError(t *testing.T) {
	s := vm.NewStore(1)
	g := graph.New()
	require.NoError(t, s.Init(g.Param("w", shape.F32(8<<20), nil)))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(40 << 20))
	_, err := s.Value("w")
	require.ErrorIs(t, err, vm.ErrMemory)
	require.ErrorContains(t, err, `a copy of "w", float32(8388608), 32 MiB;`)
	_, err = s.Snapshot()
	require.ErrorIs(t, err, vm.ErrMemory)
}

// Sizes are added up without an overflow, and refused beyond what any machine has.
func TestSizesThatNoMachineHasAreErrors(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1))
	big := ops.MatMul(x, g.Input("w", shape.F32(1, 1<<20)))
	p := vm.MustCompile(ref.Engine{}, []*graph.Node{ops.Mean(ops.Mul(ops.Softmax(big, 1), big))})
	_, err := p.Memory(1 << 24)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.ErrorContains(t, err, "at batch size N=16777216 the program needs")
}

func TestAProductOfTerabytesIsOneLine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells how much memory the machine has")
	}
	err := runOuter(outerMachine(t, 1<<20), 1<<20)
	require.ErrorIs(t, err, vm.ErrMemory)
	require.Regexp(t, `^vm: not enough memory: a run at batch size N=1048576 needs [48](\.\d+)? TiB for its values, .*$`, err.Error())
}

// A process under ulimit -v goes on after what it cannot have.
func TestALimitOfTheAddressSpaceIsAnError(t *testing.T) {
	if len(flag.Args()) == 1 && flag.Arg(0) == "limited" {
		m := outerMachine(t, 1<<14)
		fmt.Println("large:", runOuter(m, 1<<17))
		fmt.Println("small:", runOuter(m, 16))
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the limit")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	out, err := exec.Command("sh", "-c", `ulimit -v 6000000 && exec "$0" -test.run '^`+t.Name()+`$' limited`, self).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `large: vm: not enough memory: a run at batch size N=131072 needs .* GiB for its values, .*; (ulimit -v|the machine's memory|the control group) leaves`, string(out))
	require.Contains(t, string(out), "small: <nil>")
}
