package alexnet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// The names and shapes are those of torchvision's alexnet; the counts are published with it.
func TestPublishedNamesShapesAndCounts(t *testing.T) {
	g := graph.New()
	logits := alexnet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224)))
	require.NoError(t, g.Err())
	require.Equal(t, shape.F32(shape.N, 1000), logits.Type())
	want := map[string]shape.Shape{
		"features.0.weight": shape.Of(64, 3, 11, 11), "features.0.bias": shape.Of(64),
		"features.3.weight": shape.Of(192, 64, 5, 5), "features.3.bias": shape.Of(192),
		"features.6.weight": shape.Of(384, 192, 3, 3), "features.6.bias": shape.Of(384),
		"features.8.weight": shape.Of(256, 384, 3, 3), "features.8.bias": shape.Of(256),
		"features.10.weight": shape.Of(256, 256, 3, 3), "features.10.bias": shape.Of(256),
		"classifier.1.weight": shape.Of(4096, 9216), "classifier.1.bias": shape.Of(4096),
		"classifier.4.weight": shape.Of(4096, 4096), "classifier.4.bias": shape.Of(4096),
		"classifier.6.weight": shape.Of(1000, 4096), "classifier.6.bias": shape.Of(1000),
	}
	have, params := map[string]shape.Shape{}, 0
	for _, p := range g.Params() {
		have[p.Name()] = p.Type().Shape
		params += p.Type().Len()
	}
	require.Equal(t, want, have)
	require.Equal(t, 61_100_840, params)
	macs := 0
	for _, n := range graph.Reachable(logits) {
		macs += nn.MACs(n)
	}
	require.Equal(t, 714_188_480, macs)
}

// Batch normalisation brings a scale and a shift to each channel and takes the place of the bias,
// which it would subtract again.
func TestBatchNormTakesThePlaceOfTheBias(t *testing.T) {
	g := graph.New()
	alexnet.NewBatchNorm(1000, .5).Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 224, 224)))
	require.NoError(t, g.Err())
	var have []string
	params := 0
	for _, p := range g.Params() {
		have = append(have, p.Name())
		params += p.Type().Len()
	}
	require.Equal(t, []string{
		"features.0.weight", "features.1.weight", "features.1.bias",
		"features.4.weight", "features.5.weight", "features.5.bias",
		"features.8.weight", "features.9.weight", "features.9.bias",
		"features.11.weight", "features.12.weight", "features.12.bias",
		"features.14.weight", "features.15.weight", "features.15.bias",
		"classifier.1.weight", "classifier.1.bias", "classifier.4.weight", "classifier.4.bias",
		"classifier.6.weight", "classifier.6.bias",
	}, have)
	const channels = 64 + 192 + 384 + 256 + 256
	require.Equal(t, 61_100_840+channels, params)
}

func ExampleNew() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 224, 224))
	fmt.Println(alexnet.New(10, 0).Apply(nn.Root(g), x).Type())
	// Output: float32(N,10)
}
