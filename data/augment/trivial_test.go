package augment

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// torchvision rounds to bytes after each operation, and decides by its own float32 which pixels at the
// edge of a moved image are black.
func TestTrivialAugmentIsTorchvisions(t *testing.T) {
	b, err := os.ReadFile("testdata/trivial.json")
	require.NoError(t, err)
	var f struct {
		H, W  int
		X     []byte
		Cases []struct {
			Op, Bin  int
			Negative bool
			Name     string
			Pixels   []byte
		}
	}
	require.NoError(t, json.Unmarshal(b, &f))
	require.Len(t, f.Cases, 14*3+9*3)
	x := make([]float32, len(f.X))
	for i, v := range f.X {
		x[i] = float32(v) / 255
	}
	m := image{3, f.H, f.W}
	tr := &trivial{jitter: jitter{m, make([]float32, m.h*m.w)}, sampler: newSampler(data.Info{Input: shape.F32(3, shape.Dim(f.H), shape.Dim(f.W))}, m, m.h, m.w), copied: make([]float32, m.h*m.w)}
	for _, c := range f.Cases {
		op := trivialOp(c.Op)
		y := tr.apply(slices.Clone(x), op, op.strength(c.Bin, c.Negative))
		far, sum := 0, 0.
		for i, v := range y {
			d := math.Abs(float64(v*255 - float32(c.Pixels[i])))
			if d > 2.5 {
				far++
				continue
			}
			sum += d
		}
		edge := 0
		if op >= shearX && op <= rotate {
			edge = 2 * 3 * (m.h + m.w)
		}
		require.LessOrEqual(t, far, edge, "%s, bin %d, negative %v", c.Name, c.Bin, c.Negative)
		require.Less(t, sum/float64(len(y)), 1.2, "%s, bin %d, negative %v", c.Name, c.Bin, c.Negative)
	}
}

func TestTrivialAugmentDrawsEveryOperation(t *testing.T) {
	in := normalised(9, 8)
	kinds := map[[3]float32]bool{}
	for example := range 200 {
		y := changed(t, TrivialAugment{}, in, example)
		kinds[[3]float32{y[3], y[40], y[100]}] = true
		for _, v := range y {
			require.False(t, math.IsNaN(float64(v)))
		}
		require.Equal(t, y, changed(t, TrivialAugment{}, in, example))
	}
	require.Greater(t, len(kinds), 60)
}

// Each pixel is the example's own or the next one's, and the target says how many are which.
func TestCutMixCutsAsMuchAsTheTargetsSay(t *testing.T) {
	const n, h, w = 3, 8, 10
	in := data.Info{Input: shape.F32(2, h, w), Target: shape.I32()}
	mix, out, err := CutMix{Classes: 4}.Bind(in)
	require.NoError(t, err)
	require.Equal(t, shape.F32(4), out.Target)
	var cut []float64
	for batch := range 300 {
		b := data.Example{X: make([]float32, n*2*h*w), Labels: []int32{3, 0, 2}, Targets: make([]float32, n*4)}
		for i := range b.X {
			b.X[i] = float32(i / (2 * h * w))
		}
		require.NoError(t, mix(n, b, data.NewRand(1, 0, batch)))
		for i := range n {
			own, next := 0, 0
			for _, v := range b.X[i*2*h*w:][:2*h*w] {
				switch v {
				case float32(i):
					own++
				case float32((i + 1) % n):
					next++
				}
			}
			require.Equal(t, 2*h*w, own+next)
			require.InDelta(t, float64(own)/(2*h*w), b.Targets[4*i+int(b.Labels[i])], 1e-6)
			require.InDelta(t, float64(next)/(2*h*w), b.Targets[4*i+int(b.Labels[(i+1)%n])], 1e-6)
		}
		cut = append(cut, float64(b.Targets[3]))
	}
	slices.Sort(cut)
	require.Less(t, cut[0], .6)
	require.Greater(t, cut[299], .98)
	_, _, err = CutMix{}.Bind(in)
	require.ErrorContains(t, err, "the classes have no names")
	_, _, err = CutMix{Alpha: -1}.Bind(in)
	require.ErrorContains(t, err, "Alpha is -1")
	_, _, err = CutMix{Classes: 2}.Bind(data.Info{Input: shape.F32(5), Target: shape.I32()})
	require.ErrorContains(t, err, "want an image (C,H,W)")
}
