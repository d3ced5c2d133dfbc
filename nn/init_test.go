package nn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// Moments and, for uniform distributions, bounds of the initialisers, for fans computed by
// hand.
func TestInitialisers(t *testing.T) {
	conv := shape.F32(50, 40, 3, 5) // fan-in 600, fan-out 750
	dense := shape.F32(300, 100)    // fan-in 100, fan-out 300
	vector := shape.F32(30000)      // both fans 30000
	const uniform, normal = true, false
	for _, tt := range []struct {
		init      graph.Initializer
		t         shape.Type
		mean, std float64
		uniform   bool
	}{
		{nn.GlorotUniform{}, conv, 0, math.Sqrt(2.0 / 1350), uniform},
		{nn.GlorotNormal{}, conv, 0, math.Sqrt(2.0 / 1350), normal},
		{nn.HeUniform{}, conv, 0, math.Sqrt(2.0 / 600), uniform},
		{nn.HeNormal{}, conv, 0, math.Sqrt(2.0 / 600), normal},
		{nn.GlorotUniform{}, dense, 0, math.Sqrt(2.0 / 400), uniform},
		{nn.GlorotNormal{}, dense, 0, math.Sqrt(2.0 / 400), normal},
		{nn.HeUniform{}, dense, 0, math.Sqrt(2.0 / 100), uniform},
		{nn.HeNormal{}, dense, 0, math.Sqrt(2.0 / 100), normal},
		{nn.GlorotUniform{}, vector, 0, math.Sqrt(1.0 / 30000), uniform},
		{nn.Uniform{Lo: 2, Hi: 5}, dense, 3.5, 3 / math.Sqrt(12), uniform},
		{nn.Normal{Mean: -2, Std: 3}, dense, -2, 3, normal},
		{nn.Constant(4), dense, 4, 0, uniform},
	} {
		v := make([]float64, tt.t.Len())
		tt.init.Fill(v, tt.t, rand.New(rand.NewPCG(1, 2)))
		n := float64(len(v))
		var mean, variance float64
		for _, x := range v {
			mean += x / n
		}
		for _, x := range v {
			variance += (x - mean) * (x - mean) / n
		}
		// Four standard errors of the mean, and of the deviation of a normal distribution.
		require.InDelta(t, tt.mean, mean, 4*tt.std/math.Sqrt(n)+1e-12, "%#v", tt.init)
		require.InDelta(t, tt.std, math.Sqrt(variance), 4*tt.std/math.Sqrt(2*n)+1e-12, "%#v", tt.init)

		reach := max(slices.Max(v)-tt.mean, tt.mean-slices.Min(v))
		if tt.uniform {
			require.InEpsilon(t, math.Sqrt(3)*tt.std+1, reach+1, 1e-3, "%#v", tt.init)
		} else {
			require.Greater(t, reach, 3*tt.std, "%#v", tt.init)
		}
	}
}

func TestDefaultInitialisersArePyTorchs(t *testing.T) {
	for _, tt := range []struct {
		layer nn.Layer
		x     shape.Type
		fanIn float64
	}{
		{nn.Conv2D{Out: 8, Kernel: nn.Rect(3, 5), Groups: 2}, shape.F32(shape.N, 4, 9, 9), 2 * 3 * 5},
		{nn.Conv1D{Out: 8, Kernel: 3}, shape.F32(shape.N, 4, 9), 4 * 3},
		{nn.Linear{Out: 8}, shape.F32(shape.N, 7), 7},
		{nn.Conv3D{Out: 8, Kernel: [3]int{2, 3, 1}, Groups: 2}, shape.F32(shape.N, 4, 9, 9, 9), 2 * 2 * 3},
		{nn.ConvTranspose2D{Out: 8, Kernel: nn.Rect(3, 5), Groups: 2}, shape.F32(shape.N, 6, 9, 9), 4 * 3 * 5}, // of axis 1 of the weight
	} {
		b := 1 / math.Sqrt(tt.fanIn)
		g := apply(tt.layer, tt.x).g
		require.Equal(t, nn.Uniform{Lo: -b, Hi: b}, g.Leaf("weight").Init())
		require.Equal(t, nn.Uniform{Lo: -b, Hi: b}, g.Leaf("bias").Init())
	}
	for _, l := range []nn.Layer{nn.LSTM{Hidden: 9}, nn.GRU{Hidden: 9}} {
		for _, p := range apply(l, shape.F32(shape.N, 2, 4)).g.Params() {
			require.Equal(t, nn.Uniform{Lo: -1. / 3, Hi: 1. / 3}, p.Init())
		}
	}
	require.Equal(t, nn.Normal{Std: 1}, apply(nn.Embedding{Count: 3, Dim: 2}, shape.I32(shape.N)).g.Leaf("weight").Init())
	g := apply(nn.Conv2D{Out: 8, Kernel: 3, Init: nn.HeNormal{}, BiasInit: nn.Constant(1)}, shape.F32(shape.N, 4, 9, 9)).g
	require.Equal(t, nn.HeNormal{}, g.Leaf("weight").Init())
	require.Equal(t, nn.Constant(1), g.Leaf("bias").Init())
}
