package inspect

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/philox"
)

// Point is a point in the plane.
type Point struct{ X, Y float64 }

// MaxPoints is the largest number of points that can be embedded: memory grows with its square.
const MaxPoints = 5000

func checkPoints(v []float32, width int) (n int, err error) {
	if width < 1 || len(v)%width != 0 {
		return 0, fmt.Errorf("inspect: %d numbers are not rows of %d numbers each", len(v), width)
	}
	if n = len(v) / width; n < 1 || n > MaxPoints {
		return 0, fmt.Errorf("inspect: %d points to embed; want 1 to %d", n, MaxPoints)
	}
	for i, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, fmt.Errorf("inspect: point %d has a number that is not finite", i/width)
		}
	}
	return n, nil
}

// PCA returns the first two principal components of points, which are rows of width numbers: the
// projection onto the plane in which they vary most. The sign of each component is such that its
// element of greatest magnitude is positive.
func PCA(v []float32, width int) ([]Point, error) {
	n, err := checkPoints(v, width)
	if err != nil {
		return nil, err
	}
	x := mat.NewDense(n, width, centred(v, width))
	gram := mat.NewSymDense(n, nil)
	gram.SymOuterK(1, x)
	var e mat.EigenSym
	if !e.Factorize(gram, true) {
		return nil, fmt.Errorf("inspect: the principal components of %d points do not converge", n)
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	points := make([]Point, n)
	for k := range min(2, n) {
		at := n - 1 - k // eigenvalues are in ascending order
		column := mat.Col(nil, at, &vectors)
		scale := math.Sqrt(math.Max(e.Values(nil)[at], 0))
		if most := slices.MaxFunc(column, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) }); most < 0 {
			scale = -scale
		}
		for i, c := range column {
			if k == 0 {
				points[i].X = scale * c
			} else {
				points[i].Y = scale * c
			}
		}
	}
	return points, nil
}

// centred returns v minus the mean of each column.
func centred(v []float32, width int) []float64 {
	x, n := make([]float64, len(v)), len(v)/width
	for j := range width {
		mean := 0.
		for i := range n {
			mean += float64(v[i*width+j])
		}
		mean /= float64(n)
		for i := range n {
			x[i*width+j] = float64(v[i*width+j]) - mean
		}
	}
	return x
}

// TSNEOptions configure [TSNE]. The zero value is the default.
type TSNEOptions struct {
	Perplexity float64 // about the number of neighbours; default 30, or a third of the points if fewer
	Iterations int     // default 1000; attraction is exaggerated in the first quarter
	Seed       uint64  // separates points with equal values
	Progress   func(done, of int)
}

// TSNE returns an embedding in the plane of points, which are rows of width numbers, such that
// neighbours stay neighbours: exact t-SNE (van der Maaten and Hinton, Visualizing Data using t-SNE,
// 2008), starting with the principal components. Distances between groups have no meaning. The same
// seed gives the same bits.
func TSNE(ctx context.Context, v []float32, width int, o TSNEOptions) ([]Point, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	y, err := PCA(v, width)
	if err != nil {
		return nil, err
	}
	n := len(y)
	o.Perplexity, o.Iterations = math.Min(orDefault(o.Perplexity, 30), float64(n-1)/3), cmp.Or(o.Iterations, 1000)
	if n < 4 {
		return y, nil // too few for neighbourhoods
	}
	if o.Perplexity < 1 || o.Iterations < 1 {
		return nil, fmt.Errorf("inspect: perplexity %g and %d iterations; want at least 1 each", o.Perplexity, o.Iterations)
	}
	d := &descent{n: n, p: affinities(v, width, o.Perplexity), y: y}
	d.begin(o.Seed)
	for i := range o.Iterations {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		d.step(i < o.Iterations/4)
		if o.Progress != nil {
			o.Progress(i+1, o.Iterations)
		}
	}
	return d.y, nil
}

func orDefault(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// affinities returns the joint probabilities of pairs, n×n: the probabilities of each point's
// neighbours under a normal distribution of the given perplexity, made symmetric.
func affinities(v []float32, width int, perplexity float64) []float64 {
	n := len(v) / width
	p := make([]float64, n*n)
	par.Default().For(n, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := p[i*n : (i+1)*n]
			for j := range row {
				row[j] = squaredDistance(v[i*width:(i+1)*width], v[j*width:(j+1)*width])
			}
			conditional(row, i, perplexity)
		}
	})
	for i := range n {
		for j := range i {
			both := (p[i*n+j] + p[j*n+i]) / float64(2*n)
			p[i*n+j], p[j*n+i] = both, both
		}
	}
	return p
}

func squaredDistance(a, b []float32) (sum float64) {
	for k := range a {
		d := float64(a[k]) - float64(b[k])
		sum += d * d
	}
	return sum
}

// conditional turns the squared distances from point i into the probabilities of the other points.
// It finds the precision of the distribution by bisection.
func conditional(row []float64, i int, perplexity float64) {
	least, mean := math.Inf(1), 0.
	for j, d := range row {
		if j != i {
			least, mean = math.Min(least, d), mean+d
		}
	}
	mean /= float64(len(row) - 1)
	lo, hi := 0., math.Inf(1)
	precision := 1 / math.Max(mean-least, 1e-300)
	weights := make([]float64, len(row))
	if mean == least { // all points are equally near
		precision = 0
	}
	for range 100 {
		entropy := weigh(weights, row, i, least, precision)
		switch {
		case math.Abs(entropy-math.Log(perplexity)) < 1e-6:
			copy(row, weights)
			return
		case entropy > math.Log(perplexity):
			lo = precision
		default:
			hi = precision
		}
		if precision = (lo + hi) / 2; math.IsInf(hi, 1) {
			precision = math.Min(lo*2, 1e300)
		}
	}
	copy(row, weights)
}

// weigh computes the probability of each other point, and returns their entropy in nats.
func weigh(weights, squared []float64, i int, least, precision float64) (entropy float64) {
	sum, moment := 0., 0.
	for j, d := range squared {
		weights[j] = 0
		if j != i {
			weights[j] = math.Exp(-(d - least) * precision)
			sum += weights[j]
			moment += weights[j] * (d - least) * precision
		}
	}
	for j := range weights {
		weights[j] /= sum
	}
	return math.Log(sum) + moment/sum
}

// descent moves points along the gradient of the divergence between p and the affinities in the
// plane.
type descent struct {
	n           int
	p           []float64
	y           []Point
	speed, gain []Point
	pull, push  []Point // by point; push is not yet normalised
	mass        []float64
}

// begin scales the initial points to a standard deviation of 1e-4, and separates equal ones.
func (d *descent) begin(seed uint64) {
	variance := 0.
	for _, y := range d.y {
		variance += y.X * y.X / float64(d.n)
	}
	scale := 1e-4 / math.Max(math.Sqrt(variance), 1e-300)
	noise := philox.Stream{Seed: seed, ID: philox.ID("inspect.tsne")}
	for i := range d.y {
		k := 2 * uint64(i)
		d.y[i] = Point{d.y[i].X*scale + 1e-6*noise.Normal(k), d.y[i].Y*scale + 1e-6*noise.Normal(k+1)}
	}
	d.speed, d.gain, d.pull, d.push = make([]Point, d.n), make([]Point, d.n), make([]Point, d.n), make([]Point, d.n)
	d.mass = make([]float64, d.n)
	for i := range d.gain {
		d.gain[i] = Point{1, 1}
	}
}

// forces computes for each point the attraction and repulsion by the others, and returns the
// normalisation of the repulsion. The forces on each point are independent, and sums are computed
// in a fixed order.
func (d *descent) forces() (sum float64) {
	par.Default().For(d.n, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, row := d.y[i], d.p[i*d.n:(i+1)*d.n]
			var pull, push Point
			mass := -1. // leaves out the point itself
			for j, other := range d.y {
				dx, dy := at.X-other.X, at.Y-other.Y
				q := 1 / (1 + dx*dx + dy*dy)
				mass += q
				w := row[j] * q
				pull.X += w * dx
				pull.Y += w * dy
				push.X += q * q * dx
				push.Y += q * q * dy
			}
			d.pull[i], d.push[i], d.mass[i] = pull, push, mass
		}
	})
	for _, m := range d.mass {
		sum += m
	}
	return sum
}

// gradient returns the gradient of the divergence at point i, with attraction multiplied by
// exaggeration.
func (d *descent) gradient(i int, exaggeration, sum float64) Point {
	return Point{
		4 * (exaggeration*d.pull[i].X - d.push[i].X/sum),
		4 * (exaggeration*d.pull[i].Y - d.push[i].Y/sum),
	}
}

// step moves all points, with momentum and a gain per coordinate as in the authors' code.
func (d *descent) step(early bool) {
	exaggeration, momentum := 1., .8
	if early {
		exaggeration, momentum = 12, .5
	}
	rate := math.Max(float64(d.n)/48, 50)
	sum := d.forces()
	var mean Point
	for i := range d.y {
		g := d.gradient(i, exaggeration, sum)
		d.gain[i].X = gained(d.gain[i].X, g.X, d.speed[i].X)
		d.gain[i].Y = gained(d.gain[i].Y, g.Y, d.speed[i].Y)
		d.speed[i].X = momentum*d.speed[i].X - rate*d.gain[i].X*g.X
		d.speed[i].Y = momentum*d.speed[i].Y - rate*d.gain[i].Y*g.Y
		d.y[i].X += d.speed[i].X
		d.y[i].Y += d.speed[i].Y
		mean.X += d.y[i].X / float64(d.n)
		mean.Y += d.y[i].Y / float64(d.n)
	}
	for i := range d.y {
		d.y[i].X -= mean.X
		d.y[i].Y -= mean.Y
	}
}

// gained raises the gain of a coordinate that keeps its direction, and lowers that of one that
// changes it.
func gained(gain, gradient, speed float64) float64 {
	if gradient*speed < 0 {
		return gain + .2
	}
	return math.Max(gain*.8, .01)
}
