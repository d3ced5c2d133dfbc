package vm_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// saved makes PyTorch save a network, in three element types, and what it makes of an image. Its
// running statistics and counters are those of a step of training.
const saved = `
import json, sys, torch, safetensors.torch
from torch import nn
torch.manual_seed(3)
net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
net(torch.randn(16, 2, 8, 8) * 2 + 1)
net.eval()
x = torch.linspace(-1, 1, 2 * 8 * 8).reshape(1, 2, 8, 8)
for name, dtype in {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}.items():
    net.to(dtype)
    safetensors.torch.save_file(net.state_dict(), sys.argv[1] + "/" + name)
    net.float()
    print(json.dumps(net(x)[0].tolist()))
`

// What README says of PyTorch's files, held to PyTorch itself.
func TestAFileThatPyTorchWroteIsLoadedInTwoLines(t *testing.T) {
	interpreter, err := python.Find("torch", "safetensors.torch")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(interpreter, "-c", saved, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)

	g := graph.New()
	model := nn.Sequential{
		nn.Conv2D{Out: 4, Kernel: 3, Pad: 1, Stride: 2}, nn.BatchNorm{}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Out: 3},
	}
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 2, 8, 8)))
	p, err := vm.Compile(ref.Engine{}, graph.Inference(y))
	require.NoError(t, err)
	x := make([]float32, 2*8*8)
	for i := range x {
		x[i] = -1 + 2*float32(i)/float32(len(x)-1)
	}
	want := json.NewDecoder(bytes.NewReader(out))
	for _, stored := range []string{"F32", "F16", "BF16"} {
		s := vm.NewStore(1)
		report, err := s.Load(filepath.Join(dir, stored), vm.LoadOptions{For: p.Leaves()})
		require.NoError(t, err, stored)

		require.Equal(t, []string{"0.bias", "0.weight", "1.bias", "1.running_mean", "1.running_var", "1.weight", "4.bias", "4.weight"}, report.Loaded)
		require.Equal(t, []string{"1.num_batches_tracked"}, report.Unused)
		require.Empty(t, report.Missing)
		require.Empty(t, report.Mismatched)
		for _, name := range report.Loaded {
			require.Equal(t, map[string]string{"F16": "F16", "BF16": "BF16"}[stored], report.Widened[name], name)
		}
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		have, err := m.Run(ctx, f32(x, 1, 2, 8, 8))
		require.NoError(t, err)
		var theirs []float64
		require.NoError(t, want.Decode(&theirs))
		require.Len(t, theirs, 3)
		require.InDeltaSlice(t, theirs, doubles(floats(have[0])), 1e-5, stored)
	}
}

func doubles(v []float32) (all []float64) {
	for _, x := range v {
		all = append(all, float64(x))
	}
	return all
}
