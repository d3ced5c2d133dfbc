package augment

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// Each property by its definition, in float64.
func TestColourProperties(t *testing.T) {
	const h, w, plane = 5, 4, 20
	j := &jitter{image{3, h, w}, make([]float32, plane)}
	x := pattern(3 * plane)
	luma, mean := make([]float64, plane), 0.0
	for i := range luma {
		luma[i] = .299*float64(x[i]) + .587*float64(x[plane+i]) + .114*float64(x[2*plane+i])
		mean += luma[i] / plane
	}
	for _, factor := range []float64{0, .3, 1, 1.8} {
		for p, other := range map[property]func(i int) float64{
			brightness: func(int) float64 { return 0 },
			contrast:   func(int) float64 { return mean },
			saturation: func(i int) float64 { return luma[i%plane] },
		} {
			got := slices.Clone(x)
			j.change(got, p, float32(factor))
			for i, v := range got {
				want := factor*float64(x[i]) + (1-factor)*other(i)
				require.InDelta(t, min(max(want, 0), 1), v, 1e-6)
			}
		}
	}
	grey := &jitter{image{1, h, w}, make([]float32, plane)}
	got := slices.Clone(x[:plane])
	grey.change(got, saturation, .3) // grey has none
	require.InDeltaSlice(t, x[:plane], got, 1e-6)
}

// The factors of the three are what they are said to be, in any order, and normalisation is
// undone and done again around them.
func TestColorJitter(t *testing.T) {
	in := normalised(4, 4)
	x := pattern(48)
	for i := range x {
		x[i] = .4 + .1*x[i] // nothing is clamped
	}
	in.Preprocess.Apply(x)
	change, _ := bind(t, ColorJitter{Brightness: .2}, in)
	low, high := math.Inf(1), math.Inf(-1)
	for example := range 500 {
		got := change(slices.Clone(x), data.NewRand(1, 0, example))
		in.Preprocess.Undo(got)
		factor := float64(got[7]) / (.4 + .1*float64(pattern(48)[7]))
		for i, v := range got {
			require.InDelta(t, factor*(.4+.1*float64(pattern(48)[i])), v, 1e-6)
		}
		low, high = min(low, factor), max(high, factor)
	}
	require.InDelta(t, .8, low, .01)
	require.InDelta(t, 1.2, high, .01)
}

// What is added is the same for all pixels, and has the covariance P diag(std*value)^2 P'.
func TestLighting(t *testing.T) {
	in := normalised(2, 3)
	const n = 20_000
	a := Lighting{Std: .5}
	change, _ := bind(t, a, in)
	var covariance, want [3][3]float64
	for k, value := range imageNetPCA.Values {
		for i, v := range imageNetPCA.Vectors[k] {
			for j, u := range imageNetPCA.Vectors[k] {
				want[i][j] += a.Std * value * a.Std * value * v * u
			}
		}
	}
	for example := range n {
		x := pattern(18)
		in.Preprocess.Apply(x)
		x = change(x, data.NewRand(1, 0, example))
		in.Preprocess.Undo(x)
		var added [3]float64
		for i, v := range x {
			d := float64(v) - float64(pattern(18)[i])
			if i%6 == 0 {
				added[i/6] = d
			}
			require.InDelta(t, added[i/6], d, 1e-5)
		}
		for i, v := range added {
			for j, u := range added {
				covariance[i][j] += v * u / n
			}
		}
	}
	for i := range want {
		require.InDeltaSlice(t, want[i][:], covariance[i][:], .05*want[0][0])
	}
}

// The components are orthogonal, of unit length, and eigenvectors of the covariance; that of
// red alone and of green and blue together are found where images have no others.
func TestComponents(t *testing.T) {
	const n, plane = 50, 12
	x := make([]float32, n*3*plane)
	r := data.NewRand(1, 0, 0)
	for i := range n {
		for p := range plane {
			red, other := r.Normal(), r.Normal()
			at := x[i*3*plane+p:]
			at[0], at[plane], at[2*plane] = float32(.5+.2*red), float32(.5+.6*other), float32(.5-.8*other)
		}
	}
	ds, err := data.New(x, make([]int, n), normalised(3, 4)) // x becomes normalised as it is read
	require.NoError(t, err)
	p, err := Components(ds)
	require.NoError(t, err)
	require.InDelta(t, 1, p.Values[0], .15)
	require.InDelta(t, .04, p.Values[1], .008)
	require.InDelta(t, 0, p.Values[2], 1e-6)
	for k, want := range [][3]float64{{0, .6, -.8}, {1, 0, 0}, {0, .8, .6}} {
		dot := 0.0
		for c := range want {
			dot += want[c] * p.Vectors[k][c]
		}
		require.InDelta(t, 1, math.Abs(dot), .01, "component %d: %v", k, p.Vectors[k])
	}
	_, out := bind(t, Lighting{Components: p}, ds.Info())
	require.Equal(t, ds.Info(), out)

	grey, err := data.New([]float32{1}, []int{0}, plain(1, 1, 1))
	require.NoError(t, err)
	_, err = Components(grey)
	require.ErrorContains(t, err, "red, green and blue")
	nan, err := data.New([]float32{float32(math.NaN()), 0, 0}, []int{0}, plain(3, 1, 1))
	require.NoError(t, err)
	_, err = Components(nan)
	require.ErrorContains(t, err, "not numbers")
}

func TestEigen(t *testing.T) {
	m := [3][3]float64{{4, 1, -2}, {1, 2, 0}, {-2, 0, 3}}
	p, err := eigen(m)
	require.NoError(t, err)
	for k, v := range p.Vectors {
		for i := range 3 {
			got := 0.0
			for j := range 3 {
				got += m[i][j] * v[j]
			}
			require.InDelta(t, p.Values[k]*v[i], got, 1e-12)
		}
		for l, u := range p.Vectors {
			dot := v[0]*u[0] + v[1]*u[1] + v[2]*u[2]
			require.InDelta(t, map[bool]float64{true: 1}[k == l], dot, 1e-12)
		}
	}
	require.InDelta(t, 9, p.Values[0]+p.Values[1]+p.Values[2], 1e-12) // the trace
}

// Each example becomes t of itself and 1-t of the next, inputs and targets alike.
func TestMixUp(t *testing.T) {
	in := plain(1, 1, 2)
	in.Classes = []string{"a", "b", "c"}
	mix, out, err := MixUp{}.Bind(in)
	require.NoError(t, err)
	require.Equal(t, shape.F32(3), out.Target)
	require.NoError(t, out.Err())
	for batch := range 20 {
		b := data.Example{X: []float32{1, 10, 2, 20, 4, 40, -1, -1}, Labels: []int32{0, 2, 2, 1}, Targets: make([]float32, 12)}
		require.NoError(t, mix(3, b, data.NewRand(1, 0, batch)))
		part := b.Targets[0]
		require.True(t, 0 <= part && part <= 1)
		require.InDeltaSlice(t, []float32{part, 0, 1 - part, 0, 0, 1, 1 - part, 0, part, 0, 0, 0}, b.Targets, 1e-6)
		require.InDeltaSlice(t, []float32{
			part + 2*(1-part), 10*part + 20*(1-part), 2*part + 4*(1-part), 20*part + 40*(1-part), 4*part + (1 - part), 40*part + 10*(1-part),
			-1, -1, // beyond the batch
		}, b.X, 1e-5)
	}
	b := data.Example{X: []float32{1, 2}, Labels: []int32{1}, Targets: make([]float32, 3)}
	require.NoError(t, mix(1, b, data.NewRand(1, 0, 0))) // alone
	require.InDeltaSlice(t, []float32{1, 2, 0, 1, 0}, append(b.X, b.Targets...), 1e-6)
	b.Labels[0] = 3
	require.ErrorContains(t, mix(1, b, data.NewRand(1, 0, 0)), "class 3; want 0 to 2")
}

func TestMixUpOfNumbers(t *testing.T) {
	in := data.Info{Input: shape.F32(1), Target: shape.F32(2)}
	mix, out, err := MixUp{Alpha: 1}.Bind(in)
	require.NoError(t, err)
	require.Equal(t, in, out)
	b := data.Example{X: []float32{0, 1}, Targets: []float32{0, 0, 1, -2}}
	require.NoError(t, mix(2, b, data.NewRand(1, 0, 0)))
	require.InDeltaSlice(t, []float32{b.X[0], -2 * b.X[0], 1 - b.X[0], -2 * (1 - b.X[0])}, b.Targets, 1e-6)
}

// The mean of Beta(a,a) is 1/2, its variance 1/(4(2a+1)).
func TestBeta(t *testing.T) {
	for _, alpha := range []float64{.001, .2, 1, 4, 50} {
		const n = 50_000
		r := data.NewRand(1, 0, 0)
		sum, squares := 0.0, 0.0
		for range n {
			v := beta(alpha, r)
			require.True(t, 0 <= v && v <= 1)
			sum, squares = sum+v, squares+v*v
		}
		mean, variance := sum/n, 1/(4*(2*alpha+1))
		require.InDelta(t, .5, mean, 4*math.Sqrt(variance/n))
		require.InDelta(t, variance, squares/n-mean*mean, .03*variance)
	}
}

func TestMixUpRefuses(t *testing.T) {
	named := plain(1, 1, 1)
	named.Classes = []string{"a", "b"}
	pixels := plain(1, 2, 2)
	pixels.Target = shape.I32(2, 2)
	for _, c := range []struct {
		m    MixUp
		in   data.Info
		want string
	}{
		{MixUp{}, plain(1, 1, 1), "the classes have no names"},
		{MixUp{Classes: 3}, named, "Classes is 3, but the data have 2"},
		{MixUp{Alpha: -1}, named, "Alpha is -1"},
		{MixUp{Classes: 2}, pixels, "want one class number"},
	} {
		_, _, err := c.m.Bind(c.in)
		require.ErrorContains(t, err, c.want)
	}
}
