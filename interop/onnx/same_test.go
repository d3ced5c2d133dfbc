package onnx_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// instructions are names, algorithms and result types in the order of a program for n images.
func instructions(t *testing.T, n int, y *graph.Node) (all []string, arena int) {
	t.Helper()
	p, err := vm.Compile(cpu.New(), graph.Inference(y))
	require.NoError(t, err)
	list, err := p.Describe(n)
	require.NoError(t, err)
	for _, in := range list {
		all = append(all, fmt.Sprint(in.Name, " by ", in.Engine, " ", in.Alg))
		for _, r := range in.Out {
			all = append(all, fmt.Sprint("  ", r.Operand()))
		}
	}
	m, err := p.Memory(n)
	require.NoError(t, err)
	return all, m.Arena
}

// A network that went through a file is as fast as before: it is the same program.
func TestAnImportedNetworkHasTheInstructionsOfItsModel(t *testing.T) {
	for name, layer := range map[string]nn.Layer{
		"resnet50":    resnet.New(resnet.Bottleneck, [4]int{3, 4, 6, 3}, 1000),
		"mobilenetv2": mobilenet.NewV2(1000, .2),
	} {
		t.Run(name, func(t *testing.T) {
			image := shape.F32(shape.N, 3, 224, 224)
			g := graph.New()
			y := layer.Apply(nn.Root(g), g.Input("image", image))
			file, err := onnx.Export([]*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{})
			require.NoError(t, err)
			m, err := onnx.New(file, onnx.Options{})
			require.NoError(t, err)
			again := graph.New()
			outs, err := m.Apply(nn.Root(again), again.Input("image", image))
			require.NoError(t, err)
			for _, n := range []int{1, 4} {
				want, arena := instructions(t, n, y)
				got, arenaAgain := instructions(t, n, outs[0])
				require.Equal(t, want, got)
				require.Equal(t, arena, arenaAgain)
			}
		})
	}
}
