package lenet

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Table I: the first six maps take three contiguous maps, the next six four, the next three
// discontinuous four, and the last one all.
func TestC3Inputs(t *testing.T) {
	kernels, uses := 0, map[rune]int{}
	for i, inputs := range c3Inputs {
		want := 4
		switch {
		case i < 6:
			want = 3
		case i == 15:
			want = 6
		}
		require.Len(t, inputs, want)
		for _, in := range inputs {
			uses[in]++
		}
		kernels += len(inputs)
	}
	require.Equal(t, c3Kernels, kernels)
	for in := '0'; in < '0'+s2Maps; in++ {
		require.Equal(t, 10, uses[in], "each map of S2 is seen by ten of C3")
	}
}

// A map of C3 is the sum of the convolutions of the maps it is connected to, and of no other.
func TestPartialConv(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, s2Maps, 5, 5))
	y := partialConv{"c3"}.Apply(nn.Root(g), x)
	store := vm.NewStore(1)
	require.NoError(t, store.Init(g.Leaves()...))
	kernels, bias := make([]float64, c3Kernels*taps), make([]float64, len(c3Inputs))
	for i := range kernels {
		kernels[i] = float64(i / taps) // kernel k is k everywhere
	}
	require.NoError(t, store.Set("c3.weight", dense(kernels, c3Kernels, 5, 5)))
	require.NoError(t, store.Set("c3.bias", dense(bias, len(bias))))

	images := make([]float64, s2Maps*taps) // map i has a single pixel, 10^i
	for i := range s2Maps {
		images[i*taps+7] = math.Pow10(i)
	}
	got := compute(t, y, store, dense(images, 1, s2Maps, 5, 5))
	kernel := 0
	for i, inputs := range c3Inputs {
		want := 0.0
		for _, in := range inputs {
			want += float64(kernel) * math.Pow10(int(in-'0'))
			kernel++
		}
		require.Equal(t, want, got[i], "map %d", i)
	}
}

// Section II.B: the digit stands in the middle of 32×32 pixels, the rest of which is background.
func TestTheImageIsCentred(t *testing.T) {
	g := graph.New()
	y := to32x32(g.Input("x", shape.F64(shape.N, 1, 28, 28)))
	require.Equal(t, shape.F64(shape.N, 1, 32, 32), y.Type())
	ink := make([]float64, 28*28)
	for i := range ink {
		ink[i] = 1 + float64(i)
	}
	got := compute(t, y, vm.NewStore(1), dense(ink, 1, 1, 28, 28))
	for i, v := range got {
		want, row, column := background, i/32-2, i%32-2
		if min(row, column) >= 0 && max(row, column) < 28 {
			want = ink[row*28+column]
		}
		require.Equal(t, want, v, "row %d, column %d", row, column)
	}
}

func TestSubsampleAddsBlocks(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2, 2, 4))
	y := subsample{"s"}.Apply(nn.Root(g), x)
	store := vm.NewStore(1)
	require.NoError(t, store.Init(g.Leaves()...))
	require.NoError(t, store.Set("s.weight", dense([]float64{2, 3}, 2)))
	require.NoError(t, store.Set("s.bias", dense([]float64{100, 200}, 2)))
	v := []float64{
		1, 2, 3, 4,
		5, 6, 7, 8,

		0, 1, 0, 1,
		0, 0, 1, 1,
	}
	require.Equal(t, []float64{100 + 2*14, 100 + 2*22, 200 + 3, 200 + 3*3}, compute(t, y, store, dense(v, 1, 2, 2, 4)))
}

// f(1) = 1 and f(-1) = -1, to the digits of the paper's constants.
func TestSquash(t *testing.T) {
	g := graph.New()
	y := squash(g.Input("x", shape.F64(3)))
	require.InDeltaSlice(t, []float64{-1, 0, 1}, compute(t, y, vm.NewStore(1), dense([]float64{-1, 0, 1}, 3)), 1e-4)
}

func TestCodesAreDistinctBitmaps(t *testing.T) {
	v := codeValues()
	require.Len(t, v, 10*codeLen)
	for i := range 10 {
		for j := range i {
			differ := 0
			for k := range codeLen {
				if v[i*codeLen+k] != v[j*codeLen+k] {
					differ++
				}
			}
			require.Greater(t, differ, 8, "%d and %d", i, j)
		}
	}
}

// A code's own distance is 0, and others are four times the number of pixels that differ.
func TestDistances(t *testing.T) {
	g := graph.New()
	y := negDistances(g.Input("x", shape.F64(shape.N, codeLen)))
	v := codeValues()
	got := compute(t, y, vm.NewStore(1), dense(v, 10, codeLen))
	for i := range 10 {
		for j := range 10 {
			differ := 0.0
			for k := range codeLen {
				if v[i*codeLen+k] != v[j*codeLen+k] {
					differ++
				}
			}
			require.Equal(t, -4*differ, got[i*10+j])
		}
	}
}

// Equation 9 of the paper, computed by hand.
func TestLoss1998(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(2, 3))
	y := g.Const(shape.I32(2), []float64{0, 2})
	loss := Loss1998(x, y)
	distances := [][]float64{{4, 9, 30}, {12, 2, 11}}
	want := 0.0
	for i, target := range []int{0, 2} {
		sum := math.Exp(-10)
		for _, d := range distances[i] {
			sum += math.Exp(-d)
		}
		want += (distances[i][target] + math.Log(sum)) / 2
	}
	got := compute(t, loss, vm.NewStore(1), dense([]float64{-4, -9, -30, -12, -2, -11}, 2, 3))
	require.InDelta(t, want, got[0], 1e-12)
}

func TestInitialisersFollowTheFanIn(t *testing.T) {
	g := graph.New()
	Model1998.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	for name, fanIn := range map[string]float64{
		"c1.weight": 25, "c1.bias": 25, "s2.weight": 4, "s2.bias": 4, "s4.weight": 4, "s4.bias": 4,
		"c5.weight": 400, "c5.bias": 400, "f6.weight": 120, "f6.bias": 120,
	} {
		require.Equal(t, nn.Uniform{Lo: -2.4 / fanIn, Hi: 2.4 / fanIn}, g.Leaf(name).Init(), name)
	}

	r := rand.New(rand.NewPCG(1, 2))
	weights, biases := make([]float64, c3Kernels*taps), make([]float64, len(c3Inputs))
	g.Leaf("c3.weight").Init().Fill(weights, g.Leaf("c3.weight").Type(), r)
	g.Leaf("c3.bias").Init().Fill(biases, g.Leaf("c3.bias").Type(), r)
	for i, inputs := range c3Inputs {
		bound, largest := 2.4/float64(taps*len(inputs)), 0.0
		for _, w := range weights[:taps*len(inputs)] {
			largest = max(largest, math.Abs(w))
		}
		require.InDelta(t, bound, largest, 0.15*bound, "map %d", i)
		require.LessOrEqual(t, math.Abs(biases[i]), bound)
		require.NotZero(t, biases[i])
		weights = weights[taps*len(inputs):]
	}
}

func compute(t *testing.T, y *graph.Node, store *vm.Store, x *tensor.Dense) []float64 {
	t.Helper()
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	outs, err := m.Run(t.Context(), x)
	require.NoError(t, err)
	if outs[0].IsScalar() {
		v, err := vm.Number(outs[0])
		require.NoError(t, err)
		return []float64{v}
	}
	return outs[0].Data().([]float64)
}

func dense(v []float64, dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
}
