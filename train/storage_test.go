package train

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/nn"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestWeightsThatAreNotFiniteAreFoundInEveryType(t *testing.T) {
	inf := math.Inf(1)
	s := vm.NewStore(1)
	for name, v := range map[string]any{
		"a": []float32{1, float32(inf)}, "b": []float64{math.NaN()}, "c": []shape.Brain{0x3f80, 0xff80}, "d": []shape.Half{0x7e00, 0},
		"fine": []float32{1}, "finer": []shape.Half{0x7bff}, "finest": []shape.Brain{0x7f7f}, "whole": []int8{-128}, "flags": []bool{true},
	} {
		require.NoError(t, s.Set(name, tensor.New(tensor.WithBacking(v))))
	}
	names, err := notFiniteValues(s)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "d"}, names)
	v, err := s.Value("c")
	require.NoError(t, err)
	require.Equal(t, []int{1}, flawOf(v).at)
}

// A file of weights that somebody has narrowed is predicted with, and trained from, as before:
// widened.
func TestWeightsInAFileOfFewerBitsAreWidened(t *testing.T) {
	info := data.Info{Input: shape.F32(2), Target: shape.I32(), Classes: []string{"a", "b"}}
	meta, err := info.Metadata()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, safetensors.WriteFile(path, safetensors.File{Metadata: meta, Tensors: []safetensors.Tensor{
		safetensors.Of("out.weight", shape.Of(2, 2), []shape.Brain{0x3f80, 0, 0, 0x4000}),
		safetensors.Of("out.bias", shape.Of(2), []shape.Half{0x3c00, 0}),
	}}))
	c, err := LoadCheckpoint(path)
	require.NoError(t, err)
	p, err := NewPredictor(nn.Linear{Name: "out", Out: 2}, c, ref.Engine{})
	require.NoError(t, err)
	got, err := p.Outputs(t.Context(), []float32{3, 5})
	require.NoError(t, err)
	require.Equal(t, []float32{4, 10}, got)
}
