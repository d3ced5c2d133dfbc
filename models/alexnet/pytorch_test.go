package alexnet

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// testdata/pytorch.safetensors was written by PyTorch, from torchvision's network with few
// channels.
func TestAFileOfPyTorchIsLoadedByName(t *testing.T) {
	f, err := safetensors.ReadFile("testdata/pytorch.safetensors")
	require.NoError(t, err)
	text, err := os.ReadFile("testdata/pytorch.json")
	require.NoError(t, err)
	var want []float64
	require.NoError(t, json.Unmarshal(text, &want))

	g := graph.New()
	model := oneTower(widths{[5]int{2, 6, 12, 8, 8}, 16, len(want)}, .5, plain)
	logits := graph.Inference(model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224))))
	store := vm.NewStore(0)
	require.Equal(t, len(g.Params()), len(f.Tensors))
	for _, leaf := range g.Params() {
		w, ok := f.Tensor(leaf.Name())
		require.True(t, ok, leaf.Name())
		require.Equal(t, leaf.Type(), w.Type, leaf.Name())
		values, err := safetensors.View[float32](w)
		require.NoError(t, err)
		require.NoError(t, store.Set(w.Name, tensor.New(tensor.WithShape(w.Type.Ints()...), tensor.WithBacking(values))))
	}
	p, err := vm.Compile(cpu.New(), logits)
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	outs, err := m.Run(t.Context(), tensor.New(tensor.WithShape(1, 3, 224, 224), tensor.WithBacking(photo(t))))
	require.NoError(t, err)
	for i, v := range outs[0].Float32s() {
		require.InDelta(t, want[i], v, 1e-6, "logit %d", i)
	}
}

// photo is ../testdata/cat.png, normalised.
func photo(t *testing.T) (x []float32) {
	f, err := os.Open("../testdata/cat.png")
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	mean, std := []float32{.485, .456, .406}, []float32{.229, .224, .225}
	for c := range mean {
		for i := c; i < 4*224*224; i += 4 {
			x = append(x, (float32(img.(*image.RGBA).Pix[i])/255-mean[c])/std[c])
		}
	}
	return x
}
