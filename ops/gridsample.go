package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Sampling says what [GridSample] makes of the elements near a position.
type Sampling uint8

// The ways of sampling.
const (
	SampleLinear  Sampling = iota // a mean of the two nearest along each axis, by their distances
	SampleNearest                 // the nearest; of equally near ones that with an even index
	SampleCubic                   // a cubic convolution, with coefficient -0.75, of four along each axis of an image
)

// Border says what [GridSample] finds beyond the ends of an axis.
type Border uint8

// The borders.
const (
	BorderZeros   Border = iota // zeros
	BorderEdge                  // the elements at the ends; PyTorch calls it border
	BorderReflect               // the elements mirrored at the ends
)

// GridSampleOptions are the attributes of [GridSample].
type GridSampleOptions struct {
	Sampling Sampling
	Border   Border
	// AlignCorners means that -1 and 1 are the centres of the elements at the ends, otherwise that they
	// are their outer edges.
	AlignCorners bool
}

// GridSample takes elements of images x (N,C,H,W) or volumes (N,C,D,H,W) at positions that need not be whole:
// grid (N,OH,OW,2) or (N,OD,OH,OW,3), of x's element type, has for each element of the result the position
// along the last axis of x, the one before it, and so on, where -1 is the beginning and 1 the end. The
// result is (N,C,OH,OW) or (N,C,OD,OH,OW). It has gradients by x and by grid. A position that is NaN gives NaN, or 0
// with SampleNearest. It is PyTorch's grid_sample and ONNX's GridSample. Jaderberg et al., "Spatial Transformer
// Networks", 2015.
func GridSample(x, grid *graph.Node, o GridSampleOptions) *graph.Node {
	bad := refused("GridSample", func() error { return o.check(x.Type(), grid.Type()) }, x, grid)
	if bad != nil {
		return bad
	}
	t, d := x.Type(), x.Type().Rank()-2
	dims, n := grid.Type().Dims(), t.Dim(0)
	points, _ := shape.Of(dims[1 : d+1]...).Size()
	all := []sample{{at: Full(grid, shape.Of(1, 1, 1), 0), weight: Full(grid, shape.Of(1, 1, 1), 1)}}
	for axis := range d {
		at := Reshape(sliceAxis(grid, d+1, d-1-axis, d-axis), n, 1, points)
		all = joined(all, o.along(at, float64(t.Int(2+axis))), float64(t.Int(2+axis)))
	}
	planes := Reshape(x, n, t.Dim(1), Infer)
	var sum *graph.Node
	for _, s := range all {
		ids := BroadcastTo(Cast(s.at, shape.Int32), shape.Of(n, t.Dim(1), points))
		v := GatherAlong(planes, 2, ids)
		if s.inside != nil {
			v = Where(s.inside, v, Scalar(v, 0))
		}
		if o.Sampling != SampleNearest {
			v = Mul(v, s.weight)
		}
		sum = sumOf(sum, v)
	}
	return Reshape(sum, append([]shape.Dim{n, t.Dim(1)}, dims[1:d+1]...)...)
}

func (o GridSampleOptions) check(x, grid shape.Type) error {
	d := x.Rank() - 2
	switch {
	case o.Sampling > SampleCubic || o.Border > BorderReflect:
		return fmt.Errorf("sampling %d, border %d; want those that are listed", o.Sampling, o.Border)
	case d != 2 && d != 3:
		return fmt.Errorf("want images (N,C,H,W) or volumes (N,C,D,H,W), have %v", x.Shape)
	case o.Sampling == SampleCubic && d != 2:
		return fmt.Errorf("SampleCubic is for images (N,C,H,W), have %v", x.Shape)
	}
	if err := checkPlanes(x, d+2); err != nil {
		return err
	}
	if err := floating.check(x, grid); err != nil {
		return err
	}
	if grid.Rank() != d+2 || grid.Dim(0) != x.Dim(0) || grid.Dim(-1) != shape.Dim(d) || !grid.Drop(0).Concrete() {
		return fmt.Errorf("the grid is %v; for %v want the same batch, extents that are numbers, and %d positions for each element", grid, x, d)
	}
	size := shape.Of(x.Dims()[2:]...)
	if n, err := size.Size(); err != nil || n > math.MaxInt32 {
		return fmt.Errorf("%v has more elements in a channel than an int32 can count", x)
	}
	return nil
}

// sample is an element that counts at some positions (N,1,P): its index, a whole number that is one of x's also where
// the element is not inside, and its weight. inside is nil where it always is.
type sample struct{ at, weight, inside *graph.Node }

// joined returns the samples of several axes, whose last has n elements.
func joined(outer, inner []sample, n float64) (all []sample) {
	for _, a := range outer {
		for _, b := range inner {
			s := sample{at: Add(MulScalar(a.at, n), b.at), weight: Mul(a.weight, b.weight), inside: b.inside}
			if a.inside != nil && b.inside != nil {
				s.inside = And(a.inside, b.inside)
			}
			all = append(all, s)
		}
	}
	return all
}

// along returns the samples of one axis of n elements, at grid positions.
func (o GridSampleOptions) along(g *graph.Node, n float64) []sample {
	at := MulScalar(AddScalar(g, 1), n/2)
	if o.AlignCorners {
		at = MulScalar(AddScalar(g, 1), (n-1)/2)
	} else {
		at = AddScalar(at, -.5)
	}
	one := Scalar(g, 1)
	switch o.Sampling {
	case SampleNearest:
		return []sample{o.element(Round(o.within(at, n)), one, n)}
	case SampleLinear:
		at = o.within(at, n)
		before := Floor(at)
		part := Sub(at, before)
		return []sample{o.element(before, Sub(one, part), n), o.element(Add(before, one), part, n)}
	}
	before := Floor(at)
	part := Sub(at, before)
	var all []sample
	for k := -1.0; k <= 2; k++ {
		distance := AddScalar(part, -k)
		if k > 0 {
			distance = Neg(distance)
		}
		all = append(all, o.element(o.within(AddScalar(before, k), n), keys(distance, k == 0 || k == 1), n))
	}
	return all
}

// element is the one with an index, which may be outside.
func (o GridSampleOptions) element(at, weight *graph.Node, n float64) sample {
	inside := And(GreaterEqual(at, Scalar(at, 0)), LessEqual(at, Scalar(at, n-1)))
	return sample{at: Where(inside, at, Scalar(at, 0)), weight: weight, inside: inside}
}

// keys is the weight of an element at a distance, from 0 to 1 if it is near, else from 1 to 2.
func keys(d *graph.Node, near bool) *graph.Node {
	const a = -.75
	if near {
		return AddScalar(Mul(AddScalar(MulScalar(d, a+2), -(a+3)), Square(d)), 1)
	}
	return AddScalar(Mul(AddScalar(Mul(AddScalar(MulScalar(d, a), -5*a), d), 8*a), d), -4*a)
}

// within moves positions that are beyond the ends to where the border says.
func (o GridSampleOptions) within(at *graph.Node, n float64) *graph.Node {
	if o.Border == BorderZeros {
		return at
	}
	if o.Border == BorderReflect {
		low, span := -.5, n
		if o.AlignCorners {
			low, span = 0, n-1
		}
		if span == 0 {
			return MulScalar(at, 0)
		}
		from := Abs(AddScalar(at, -low))
		turns := Floor(MulScalar(from, 1/span))
		rest := Fmod(from, Scalar(from, span))
		odd := NotEqual(Fmod(turns, Scalar(turns, 2)), Scalar(turns, 0))
		at = AddScalar(Where(odd, Sub(Scalar(rest, span), rest), rest), low)
	}
	return Clip(at, 0, n-1)
}
