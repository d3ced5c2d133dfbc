package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// TestMomentsOfLargeNumbersAreStable: where the mean is a thousand times the deviation, the mean of
// squares less the square of the mean has no digit left in float32. Along runs and across them, in
// rows and in layouts.
func TestMomentsOfLargeNumbersAreStable(t *testing.T) {
	for _, l := range isa.Levels() {
		e := New(AtLevel(l))
		for _, c := range []struct {
			x    shape.Type
			axes engine.Axes
		}{
			{shape.F32(16, 3, 40, 40), engine.AxesOf(0, 2, 3)},
			{shape.F32(20_000, 5), engine.AxesOf(0)},
			{shape.F32(3, 50_000), engine.AxesOf(1)},
			{shape.F32(900, 600), engine.AxesOf(0)},
		} {
			requireStableMoments(t, e, c.axes, engine.InRow(c.x))
			if c.x.Rank() == 4 && e.lastable(c.x) {
				requireStableMoments(t, e, c.axes, engine.Operand{Type: c.x, Layout: channelsLast})
				requireStableMoments(t, e, c.axes, engine.Operand{Type: c.x, Layout: byImages})
			}
		}
	}
}

func requireStableMoments(t *testing.T, e Engine, axes engine.Axes, x engine.Operand) {
	t.Helper()
	groups := 1
	for i := range x.Rank() {
		if !axes.Has(i) {
			groups *= x.Int(i)
		}
	}
	out := shape.F32(2, shape.Dim(groups))
	b, err := e.BindMoments(axes, []engine.Operand{x}, engine.InRow(out))
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(48, 1))
	v := make([]float32, x.Len())
	for i := range v {
		v[i] = 4096 + 2*float32(rng.NormFloat64())
	}
	m := make([]float32, 2*groups)
	c := &engine.Call{In: []engine.Buffer{engine.BufferOf(v)}, Out: []engine.Buffer{engine.BufferOf(m)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	require.NoError(t, b.Kernel(c))
	for g := range groups {
		require.InDelta(t, 4096, m[g], 0.5, "%v over %b at %v", x, axes, e.simd.Level)
		require.InEpsilon(t, 4, m[groups+g], 0.2, "%v over %b at %v", x, axes, e.simd.Level)
	}
}

// TestNormalisationsBySetsAgreeWithRef: groups of one run, of runs that follow each other, and of runs in layers; of
// more runs than a set has, and gammas that change from run to run or within them.
func TestNormalisationsBySetsAgreeWithRef(t *testing.T) {
	for _, c := range []struct {
		x, gamma []int
		axes     engine.Axes
		groups   []int // extents of moments
	}{
		{[]int{300, 40}, []int{40}, engine.AxesOf(1), []int{300}},                 // layer normalisation
		{[]int{3, 70, 130}, []int{130}, engine.AxesOf(2), []int{3, 70}},           //
		{[]int{5, 6, 4, 49}, []int{6, 4, 1}, engine.AxesOf(2, 3), []int{5, 6}},    // group normalisation
		{[]int{2, 3, 200, 9}, []int{3, 200, 1}, engine.AxesOf(2, 3), []int{2, 3}}, // of more runs than a set has
		{[]int{2, 3, 5, 3000}, []int{3, 5, 1}, engine.AxesOf(2, 3), []int{2, 3}},
		{[]int{9, 40, 7, 7}, []int{40, 1, 1}, engine.AxesOf(0, 2, 3), []int{40}}, // batch normalisation, in layers
		{[]int{9, 3, 7, 7}, []int{3, 1, 1}, engine.AxesOf(0, 2, 3), []int{3}},    // and not
		{[]int{1, 40, 7, 7}, []int{40, 1, 1}, engine.AxesOf(0, 2, 3), []int{40}},
		{[]int{7, 30, 17}, []int{17}, engine.AxesOf(0, 2), []int{30}}, // a gamma that changes within runs, in layers
		{[]int{4, 6, 50}, []int{6, 1}, engine.AxesOf(2), []int{4, 6}}, // a gamma for each of several groups
	} {
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			of := func(s []int) shape.Type { return shape.Type{DType: d, Shape: shape.OfInts(s...)} }
			x, gamma, moments := of(c.x), of(c.gamma), of(append([]int{2}, c.groups...))
			for _, given := range []bool{false, true} {
				n := engine.Norm{Axes: c.axes, Eps: 1e-3, Given: given}
				requireNorms(t, n, x, gamma, moments)
			}
		}
	}
}

func requireNorms(t *testing.T, n engine.Norm, x, gamma, moments shape.Type) {
	t.Helper()
	rng := rand.New(rand.NewPCG(48, 2))
	draw := func(typ shape.Type) engine.Buffer {
		b, v := newBuffer(typ), make([]float64, typ.Len())
		for i := range v {
			v[i] = rng.NormFloat64() + 1
		}
		engine.Load(b, v)
		return b
	}
	xs, dy, g, beta := draw(x), draw(x), draw(gamma), draw(gamma)
	sums := func(over engine.Axes) shape.Type { return x.Of(over.Ones(x.Shape).Insert(0, shape.Dim(2))) }
	over, given := engine.Norm{Axes: 1<<x.Rank() - 1}.Along(x.Shape, gamma.Shape), sums(n.Along(x.Shape, gamma.Shape))
	givenSums := draw(given)
	all := func(e engine.Normaliser) (results [][]float64) {
		do := func(bind func(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error), out shape.Type, types []shape.Type, bufs ...engine.Buffer) {
			n := n
			n.Summed = len(types) == 4
			if n.Given {
				types, bufs = append(types, moments), append(bufs, run(t, func() (engine.Bound, error) {
					return e.BindMoments(n.Axes, engine.InRows(x), engine.InRow(moments))
				}, bufs[:1], moments))
			}
			got := run(t, func() (engine.Bound, error) { return bind(n, engine.InRows(types...), engine.InRow(out)) }, bufs, out)
			results = append(results, engine.Floats(got))
		}
		do(e.BindNorm, x, []shape.Type{x, gamma, gamma}, xs, g, beta)
		do(e.BindNormInputGrad, x, []shape.Type{x, x, gamma}, xs, dy, g)
		do(e.BindNormInputGrad, x, []shape.Type{x, x, gamma, given}, xs, dy, g, givenSums)
		do(func(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindNormSums(n, over, in, out)
		}, sums(over), []shape.Type{x, x}, xs, dy)
		return results
	}
	want := all(ref.Engine{})
	for _, l := range isa.Levels() {
		for i, got := range all(New(AtLevel(l))) {
			limit := map[shape.DType]float64{shape.Float32: 2e-5, shape.Float64: 1e-12}[x.DType]
			for k, v := range got {
				require.InDelta(t, want[i][k], v, limit*(10+float64(x.Len()/gamma.Len())), "%+v of %v by %v at %v: result %d, element %d", n, x, gamma, l, i, k)
			}
		}
	}
}
