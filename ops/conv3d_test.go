package ops_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Planes below each other in one image keep apart, also where windows lie in the padding only.
func TestADepthwiseConv3DAgreesWithItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for tried := 0; tried < 150; {
		g := graph.New()
		e, k := [5]int{1 + r.IntN(2), 2 + r.IntN(3), 1 + r.IntN(6), 1 + r.IntN(7), 1 + r.IntN(4)}, [3]int{1 + r.IntN(3), 1 + r.IntN(4), 1 + r.IntN(2)}
		op := ops.Conv3DOptions{Groups: e[1]}
		for i := range 3 {
			op.Stride[i], op.Dilation[i], op.Pad[i] = 1+r.IntN(3), 1+r.IntN(3), [2]int{r.IntN(4), r.IntN(4)}
		}
		normal := func(n int) []float64 {
			v := make([]float64, n)
			for i := range v {
				v[i] = r.NormFloat64()
			}
			return v
		}
		of := [5]int{e[1], 1, k[0], k[1], k[2]}
		x, w := newFeed(g, "x", shape.OfInts(e[:]...), normal(e[0]*e[1]*e[2]*e[3]*e[4])), newFeed(g, "w", shape.OfInts(of[:]...), normal(e[1]*k[0]*k[1]*k[2]))
		y := ops.Conv3D(x.node, w.node, op)
		if g.Err() != nil { // windows that do not fit
			continue
		}
		tried++
		got := computed(t, []*graph.Node{y}, x, w)[0]
		require.InDeltaSlice(t, depthwise3D(op, e, k, y.Type(), x.v, w.v), got, 1e-12, "%v by %v: %+v", e, k, op)
	}
}

// depthwise3D is the convolution of volumes x of extents e with filters w of k taps by its definition.
func depthwise3D(op ops.Conv3DOptions, e [5]int, k [3]int, t shape.Type, x, w []float64) []float64 {
	y := make([]float64, t.Len())
	for i := range y {
		volume, at := i, [3]int{}
		for axis := 2; axis >= 0; axis-- {
			at[axis], volume = volume%t.Int(2+axis), volume/t.Int(2+axis)
		}
		for tap := range k[0] * k[1] * k[2] {
			taps, place, inside := [3]int{tap / (k[1] * k[2]), tap / k[2] % k[1], tap % k[2]}, volume, true
			for axis := range 3 {
				p := at[axis]*op.Stride[axis] + taps[axis]*op.Dilation[axis] - op.Pad[axis][0]
				inside = inside && p >= 0 && p < e[2+axis]
				place = place*e[2+axis] + p
			}
			if inside {
				y[i] += x[place] * w[volume%e[1]*k[0]*k[1]*k[2]+tap]
			}
		}
	}
	return y
}
