package inspect

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// groups are points of three normal distributions far apart, in turn.
func groups(n, width int) []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	v := make([]float32, n*width)
	for i := range v {
		v[i] = float32(r.NormFloat64())
		if i%width == i/width%3 {
			v[i] += 12
		}
	}
	return v
}

func TestNeighboursOfAnEmbeddingAreOfOneGroup(t *testing.T) {
	const n, width = 90, 10
	v := groups(n, width)
	y, err := TSNE(context.Background(), v, width, TSNEOptions{Perplexity: 10, Iterations: 300, Seed: 1})
	require.NoError(t, err)
	require.Len(t, y, n)
	for i := range y {
		nearest, least := -1, math.Inf(1)
		for j := range y {
			if d := math.Hypot(y[i].X-y[j].X, y[i].Y-y[j].Y); j != i && d < least {
				nearest, least = j, d
			}
		}
		require.Equal(t, i%3, nearest%3, "point %d", i)
	}
	again, err := TSNE(context.Background(), v, width, TSNEOptions{Perplexity: 10, Iterations: 300, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, y, again)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	again, err = TSNE(context.Background(), v, width, TSNEOptions{Perplexity: 10, Iterations: 300, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, y, again, "the same bits for any GOMAXPROCS")
}

func TestTSNEDescendsTheDivergence(t *testing.T) {
	const n, width = 24, 5
	d := &descent{n: n, p: affinities(groups(n, width), width, 5), y: make([]Point, n)}
	r := rand.New(rand.NewPCG(1, 1))
	d.begin(1)
	for i := range d.y {
		d.y[i] = Point{r.NormFloat64(), r.NormFloat64()}
	}
	sum := d.forces()
	const h = 1e-5
	for i := range d.y {
		g := d.gradient(i, 1, sum)
		at := d.y[i]
		d.y[i].X = at.X + h
		up := divergence(d)
		d.y[i].X = at.X - h
		require.InDelta(t, (up-divergence(d))/(2*h), g.X, 1e-7)
		d.y[i].X, d.y[i].Y = at.X, at.Y+h
		up = divergence(d)
		d.y[i].Y = at.Y - h
		require.InDelta(t, (up-divergence(d))/(2*h), g.Y, 1e-7)
		d.y[i] = at
	}
}

// divergence is that of Kullback and Leibler, by its definition.
func divergence(d *descent) (kl float64) {
	q, sum := make([]float64, d.n*d.n), 0.
	for i, a := range d.y {
		for j, b := range d.y {
			if i != j {
				q[i*d.n+j] = 1 / (1 + (a.X-b.X)*(a.X-b.X) + (a.Y-b.Y)*(a.Y-b.Y))
				sum += q[i*d.n+j]
			}
		}
	}
	for k, p := range d.p {
		if p > 0 {
			kl += p * math.Log(p/(q[k]/sum))
		}
	}
	return kl
}

func TestAffinitiesHaveThePerplexity(t *testing.T) {
	const n, width = 50, 4
	v := groups(n, width)
	for i := range n {
		row := make([]float64, n)
		for j := range row {
			row[j] = squaredDistance(v[i*width:(i+1)*width], v[j*width:(j+1)*width])
		}
		conditional(row, i, 7)
		sum, entropy := 0., 0.
		for j, p := range row {
			sum += p
			if j != i && p > 0 {
				entropy -= p * math.Log(p)
			}
		}
		require.InDelta(t, 1, sum, 1e-12)
		require.Zero(t, row[i])
		require.InDelta(t, 7, math.Exp(entropy), 1e-4)
	}
	sum := 0.
	for _, p := range affinities(v, width, 7) {
		sum += p
	}
	require.InDelta(t, 1, sum, 1e-12)
}

// Points on a line and a little beside it: known components.
func TestPrincipalComponents(t *testing.T) {
	v := []float32{-3, -3, 1, -1, -1, 0, 1, 1, 0, 3, 3, 1} // (t,t,e)
	y, err := PCA(v, 3)
	require.NoError(t, err)
	along, beside := 0., 0.
	for i := range y {
		along += y[i].X * y[i].X
		beside += y[i].Y * y[i].Y
	}
	require.InDelta(t, 2*(9+1+1+9), along, 1e-5)
	require.InDelta(t, 4*.25, beside, 1e-5)
	require.InDelta(t, 3*math.Sqrt2, math.Abs(y[0].X), 1e-5)
	equal, err := PCA(make([]float32, 12), 3)
	require.NoError(t, err)
	require.Equal(t, make([]Point, 4), equal)
}

func TestPointsThatAreOneHaveAnEmbedding(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 9} {
		y, err := TSNE(context.Background(), make([]float32, n*2), 2, TSNEOptions{Iterations: 20})
		require.NoError(t, err)
		for _, p := range y {
			require.False(t, math.IsNaN(p.X) || math.IsNaN(p.Y), "%d points", n)
		}
	}
	_, err := TSNE(context.Background(), []float32{1, float32(math.NaN())}, 1, TSNEOptions{})
	require.ErrorContains(t, err, "point 1 has a number that is not finite")
}
