package resnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// 11,173,962 is the number that implementations for CIFAR-10 state, and 0.56 billion multiply-adds.
func TestTheNetworkForSmallImages(t *testing.T) {
	g := graph.New()
	logits := resnet.ResNet18Small.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 3, 32, 32)))
	require.NoError(t, g.Err())
	require.Equal(t, shape.F32(shape.N, 10), logits.Type())
	parameters, macs := 0, 0
	for _, p := range g.Params() {
		parameters += p.Type().Len()
	}
	require.Equal(t, 11_173_962, parameters)
	for _, n := range graph.Reachable(logits) {
		macs += nn.MACs(n)
	}
	require.InDelta(t, .56e9, float64(macs), .005e9)
}
