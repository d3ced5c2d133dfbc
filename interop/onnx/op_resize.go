package onnx

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var resizeOperators = family{
	"Resize":     {{since: 1, min: 2, max: 2, eval: resize10}, {since: 11, min: 1, max: 4, eval: resize}},
	"Upsample":   {{since: 7, min: 1, max: 1, eval: upsample}, {since: 9, min: 2, max: 2, eval: resize10}},
	"GridSample": {{since: 16, min: 2, max: 2, eval: gridSample}},
	"AffineGrid": {{since: 20, min: 2, max: 2, eval: affineGrid}},
}

var (
	resizeModes = map[string]ops.ResizeMode{
		"nearest": ops.ResizeNearestMode, "linear": ops.ResizeLinear, "bilinear": ops.ResizeLinear, "cubic": ops.ResizeCubic, "bicubic": ops.ResizeCubic,
	}
	resizeCoordinates = map[string]ops.Coordinates{
		"half_pixel": ops.HalfPixel, "half_pixel_symmetric": ops.HalfPixelSymmetric, "pytorch_half_pixel": ops.PyTorchHalfPixel,
		"align_corners": ops.AlignCorners, "asymmetric": ops.Asymmetric, "tf_crop_and_resize": ops.CropAndResize,
	}
	resizeRoundings = map[string]ops.Rounding{
		"round_prefer_floor": ops.RoundHalfDown, "round_prefer_ceil": ops.RoundHalfUp, "floor": ops.RoundFloor, "ceil": ops.RoundCeil,
	}
)

// choice returns what a string attribute names.
func choice[T any](c *call, name, def string, of map[string]T) T {
	v, ok := of[c.stringAttr(name, def)]
	if !ok {
		refuse("attribute %s is %q", name, c.stringAttr(name, def))
	}
	return v
}

// upsample has the scales in an attribute.
func upsample(c *call) []*value {
	a := c.attribute("scales")
	if a == nil || len(a.Floats) == 0 {
		refuse("attribute scales is missing")
	}
	scales := make([]float64, len(a.Floats))
	for i, v := range a.Floats {
		scales[i] = float64(v)
	}
	return c.byScales(scales, ops.ResizeOptions{Mode: choice(c, "mode", "nearest", resizeModes), Coordinates: ops.Asymmetric, Rounding: ops.RoundFloor})
}

// resize10 is Resize of opset 10, and Upsample since 9.
func resize10(c *call) []*value {
	return c.byScales(c.floats(1), ops.ResizeOptions{Mode: choice(c, "mode", "nearest", resizeModes), Coordinates: ops.Asymmetric, Rounding: ops.RoundFloor})
}

// byScales resizes all axes, whose extents are multiplied by scales.
func (c *call) byScales(scales []float64, o ops.ResizeOptions) []*value {
	axes := make([]int, len(scales))
	for i := range axes {
		axes[i] = i
	}
	return result(c.resized(axes, scales, nil, "stretch", o), c.elem(0))
}

func resize(c *call) []*value {
	rank := c.shape(0).Rank()
	axes := c.intsAttr("axes", nil)
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	axes = slices.Clone(axes)
	for i, a := range axes {
		axes[i] = axis(a, rank)
	}
	o := ops.ResizeOptions{
		Mode: choice(c, "mode", "nearest", resizeModes), Coordinates: choice(c, "coordinate_transformation_mode", "half_pixel", resizeCoordinates),
		Rounding: choice(c, "nearest_mode", "round_prefer_floor", resizeRoundings), Extrapolation: c.floatAttr("extrapolation_value", 0),
		Cubic: c.floatAttr("cubic_coeff_a", -.75), ExcludeOutside: c.flag("exclude_outside", false), Antialias: c.flag("antialias", false),
	}
	var scales []float64
	var sizes []shape.Dim
	switch {
	case c.has(3) && c.shape(3).Len() > 0:
		sizes = c.dims(3)
	case c.has(2) && c.shape(2).Len() > 0:
		scales = c.floats(2)
	default:
		refuse("neither scales nor sizes are given")
	}
	if n := max(len(scales), len(sizes)); n != len(axes) {
		refuse("%d scales or sizes for %d axes", n, len(axes))
	}
	if o.Coordinates == ops.CropAndResize {
		roi := c.floats(1)
		if len(roi) != 2*len(axes) {
			refuse("input 1 has %d numbers; want %d", len(roi), 2*len(axes))
		}
		for i := range axes {
			o.Crop = append(o.Crop, [2]float64{roi[i], roi[len(axes)+i]})
		}
	}
	y := c.resized(axes, scales, sizes, c.stringAttr("keep_aspect_ratio_policy", "stretch", "stretch", "not_larger", "not_smaller"), o)
	return result(y, c.elem(0))
}

// resized resizes those of the axes that change, by scales or to sizes.
func (c *call) resized(axes []int, scales []float64, sizes []shape.Dim, policy string, o ops.ResizeOptions) *graph.Node {
	x := c.node(0)
	s := x.Type().Shape
	if len(axes) > s.Rank() || scales != nil && len(scales) != len(axes) {
		refuse("%d scales for %d axes", len(scales), s.Rank())
	}
	var kept, to []int
	var by []float64
	var crop [][2]float64
	for i, a := range axes {
		n, known := s.Dim(a).Int()
		switch whole := scales != nil && scales[i] == 1 || sizes != nil && sizes[i] == s.Dim(a); {
		case whole && (o.Coordinates != ops.CropAndResize || o.Crop[i] == [2]float64{0, 1}):
			continue
		case !known:
			refuse("extent %v of axis %d must be a number", s.Dim(a), a)
		case n == 0:
			refuse("axis %d has no elements", a)
		}
		kept = append(kept, a)
		if scales != nil {
			extent := float64(n)
			if o.Crop != nil {
				extent *= o.Crop[i][1] - o.Crop[i][0]
			}
			size := math.Floor(extent * scales[i])
			if !(scales[i] > 0) || size > math.MaxInt32 {
				refuse("scale %v of axis %d", scales[i], a)
			}
			to, by = append(to, int(size)), append(by, scales[i])
		} else {
			size, ok := sizes[i].Int()
			if !ok {
				refuse("size %v of axis %d must be a number", sizes[i], a)
			}
			to, by = append(to, size), append(by, float64(size)/float64(n))
		}
		if o.Crop != nil {
			crop = append(crop, o.Crop[i])
		}
	}
	if kept == nil {
		return x
	}
	if sizes != nil && policy != "stretch" {
		scale := slices.Min(by)
		if policy == "not_smaller" {
			scale = slices.Max(by)
		}
		for i, a := range kept {
			by[i], to[i] = scale, int(math.Floor(scale*float64(s.Int(a))+.5))
		}
	}
	o.Crop = crop
	if scales != nil || policy != "stretch" {
		o.Scales = by
	}
	return ops.Resize(x, kept, to, o)
}

func gridSample(c *call) []*value {
	modes := map[string]ops.Sampling{
		"bilinear": ops.SampleLinear, "linear": ops.SampleLinear, "nearest": ops.SampleNearest, "bicubic": ops.SampleCubic, "cubic": ops.SampleCubic,
	}
	borders := map[string]ops.Border{"zeros": ops.BorderZeros, "border": ops.BorderEdge, "reflection": ops.BorderReflect}
	x := c.node(0)
	o := ops.GridSampleOptions{Sampling: choice(c, "mode", "linear", modes), Border: choice(c, "padding_mode", "zeros", borders), AlignCorners: c.flag("align_corners", false)}
	return result(ops.GridSample(x, convert(c.node(1), x.Type().DType), o), c.elem(0))
}

// affineGrid returns the positions of the pixels of images (N,C,H,W), or of volumes, under the maps theta
// (N,2,3) or (N,3,4).
func affineGrid(c *call) []*value {
	theta, size := c.node(0), c.dims(1)
	n := len(size) - 2
	if n != 2 && n != 3 || theta.Type().Rank() != 3 {
		refuse("size %v of maps %v; want 4 or 5 extents", size, theta.Type())
	}
	points := 1
	extents := make([]int, n)
	for i, d := range size[2:] {
		v, ok := d.Int()
		if extents[i] = v; !ok || v < 1 || v > maxFolded/points {
			refuse("size %v", size)
		}
		points *= v
	}
	base := make([]float64, 0, points*(n+1))
	corners := c.flag("align_corners", false)
	for p := range points {
		row := make([]float64, n+1)
		row[n] = 1
		for i, rest := n-1, p; i >= 0; i-- {
			at, extent := rest%extents[i], extents[i]
			rest /= extents[i]
			switch { // the last axis comes first
			case !corners:
				row[n-1-i] = (2*float64(at)+1)/float64(extent) - 1
			case extent > 1:
				row[n-1-i] = 2*float64(at)/float64(extent-1) - 1
			default:
				row[n-1-i] = -1
			}
		}
		base = append(base, row...)
	}
	grid := theta.Graph().Const(shape.Make(theta.Type().DType, shape.Dim(points), shape.Dim(n+1)), base)
	batch := theta.Type().Dim(0)
	all := ops.BroadcastTo(grid, shape.Of(batch, shape.Dim(points), shape.Dim(n+1)))
	y := ops.MatMul(all, theta, ops.MatMulOp{TransB: true}) // (N,points,n)
	dims := append([]shape.Dim{batch}, size[2:]...)
	return result(ops.Reshape(y, append(dims, shape.Dim(n))...), c.elem(0))
}
