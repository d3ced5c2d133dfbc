package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// RoIAlignOptions are the attributes of [RoIAlign].
type RoIAlignOptions struct {
	Size    [2]int  // height and width of the result, at least 1
	Samples int     // in a bin along each axis, at least 1
	Scale   float64 // of boxes, to the pixels of x; 0 means 1
	Max     bool    // the greatest of the samples' weighted elements instead of the samples' mean
	// HalfPixel means that pixel 0 has its centre at 1/2 in the coordinates of boxes. Otherwise it has it at 0, and
	// boxes are at least one pixel high and wide.
	HalfPixel bool
}

// RoIAlign takes a grid of bins from each of R boxes in images x (N,C,H,W): boxes (R,4), of x's element type, are left,
// top, right and bottom, and images, integers (R), have the index of each box's image. The result (R,C,Size[0],Size[1])
// has for each bin the mean of samples at even distances in it, each interpolated between four pixels; beyond one pixel outside
// of the image a sample is 0. It has a gradient by x. An index that is no image is an error of the run. It is
// torchvision's roi_align, aligned if HalfPixel is set, and ONNX's RoiAlign, with a number of samples that is given. He
// et al., "Mask R-CNN", 2017.
func RoIAlign(x, boxes, images *graph.Node, o RoIAlignOptions) *graph.Node {
	if o.Scale == 0 {
		o.Scale = 1
	}
	bad := refused("RoIAlign", func() error { return o.check(x.Type(), boxes.Type(), images.Type()) }, x, boxes, images)
	if bad != nil {
		return bad
	}
	t := x.Type()
	rows := o.along(boxes, 1, o.Size[0], t.Int(2))
	columns := o.along(boxes, 0, o.Size[1], t.Int(3))
	pixels := Reshape(Transpose(x, 0, 2, 3, 1), Infer, t.Dim(1))
	image := MulScalar(Reshape(Cast(images, shape.Int64), boxes.Type().Dim(0), 1, 1), float64(t.Int(2)*t.Int(3)))
	var y *graph.Node
	for _, r := range rows {
		for _, c := range columns {
			at := Add(MulScalar(Unsqueeze(r.at, 2), float64(t.Int(3))), Unsqueeze(c.at, 1))
			v := Gather(pixels, 0, Add(image, Cast(at, shape.Int64)))
			v = Mul(v, Unsqueeze(Mul(Unsqueeze(r.weight, 2), Unsqueeze(c.weight, 1)), 3))
			switch {
			case y == nil:
				y = v
			case o.Max:
				y = Maximum(y, v)
			default:
				y = Add(y, v)
			}
		}
	}
	s := shape.Dim(o.Samples)
	y = Reshape(y, boxes.Type().Dim(0), shape.Dim(o.Size[0]), s, shape.Dim(o.Size[1]), s, t.Dim(1))
	if o.Max {
		y = Max(y, 2, 4)
	} else {
		y = Mean(y, 2, 4)
	}
	return Transpose(y, 0, 3, 1, 2)
}

func (o RoIAlignOptions) check(x, boxes, images shape.Type) error {
	if err := checkPlanes(x, 4); err != nil {
		return err
	}
	if err := floating.check(x, boxes); err != nil {
		return err
	}
	const most = 1 << 12
	for _, n := range []int{o.Size[0], o.Size[1], o.Samples} {
		if n < 1 || n > most {
			return fmt.Errorf("size is %v, with %d samples in a bin along each axis; want 1 to %d", o.Size, o.Samples, most)
		}
	}
	switch {
	case math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0):
		return fmt.Errorf("scale is %v; want a finite number", o.Scale)
	case !images.IsInt():
		return integers.admits("indices of images are", images)
	case boxes.Rank() != 2 || boxes.Dim(1) != 4 || images.Shape != shape.Of(boxes.Dim(0)):
		return fmt.Errorf("boxes are %v and indices of images %v; want (R,4) and (R)", boxes, images)
	}
	return nil
}

// along returns the two pixels of each sample (R,bins*Samples) along an axis of n pixels, with their weights; corner is
// where boxes have the first of its two coordinates.
func (o RoIAlignOptions) along(boxes *graph.Node, corner, bins, n int) []sample {
	boxes = MulScalar(StopGradient(boxes), o.Scale)
	first, last := sliceAxis(boxes, 1, corner, corner+1), sliceAxis(boxes, 1, corner+2, corner+3)
	extent := Sub(last, first)
	if o.HalfPixel {
		first = AddScalar(first, -.5)
	} else {
		extent = Maximum(extent, Scalar(extent, 1))
	}
	count := bins * o.Samples
	steps := make([]float64, count)
	for i := range steps {
		steps[i] = (float64(i) + .5) / float64(count)
	}
	at := Add(first, Mul(extent, boxes.Graph().Const(boxes.Type().Of(shape.Of(shape.Dim(count))), steps)))
	inside := And(GreaterEqual(at, Scalar(at, -1)), LessEqual(at, Scalar(at, float64(n))))
	at = Clip(Where(inside, at, Scalar(at, 0)), 0, float64(n-1))
	before := Floor(at)
	part := Sub(at, before)
	counts := func(w *graph.Node) *graph.Node { return Where(inside, w, Scalar(w, 0)) }
	after := Minimum(AddScalar(before, 1), Scalar(at, float64(n-1)))
	return []sample{{at: before, weight: counts(Sub(Scalar(part, 1), part))}, {at: after, weight: counts(part)}}
}
