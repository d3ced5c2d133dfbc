package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// ResizeMode says what [Resize] makes of the elements near a position.
type ResizeMode uint8

// The modes.
const (
	ResizeNearestMode ResizeMode = iota // one of two elements; x may have any element type
	ResizeLinear                        // a mean of two elements, by their distances
	ResizeCubic                         // a cubic convolution of four elements: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981
)

// Coordinates says at which position of an axis of n elements [Resize] takes element i of m. The scale is m/n
// or what is given.
type Coordinates uint8

// The positions. Element 0 is at 0.
const (
	HalfPixel          Coordinates = iota // (i+1/2)/scale - 1/2: centres of pixels are at half-integers
	HalfPixelSymmetric                    // the same, the centre being that of the axis also where the scale is not m/n
	PyTorchHalfPixel                      // the same; for m = 1 it is -1/2
	AlignCorners                          // i*(n-1)/(m-1): the first and last elements stay; for m = 1 it is 0
	Asymmetric                            // i/scale
	CropAndResize                         // from Crop[0]*(n-1) to Crop[1]*(n-1), evenly; their middle for m = 1
)

// Rounding says which of two elements [Resize] takes as the nearest.
type Rounding uint8

// The roundings of positions.
const (
	RoundHalfDown Rounding = iota // the nearer one, of equally near ones the first
	RoundHalfUp                   // the nearer one, of equally near ones the second
	RoundFloor
	RoundCeil
)

// ResizeOptions are the attributes of [Resize], which are those of ONNX's Resize. The zero ResizeOptions are its
// defaults.
type ResizeOptions struct {
	Mode        ResizeMode
	Coordinates Coordinates
	Rounding    Rounding     // of ResizeNearestMode
	Scales      []float64    // one for each axis; without, the quotients of the sizes
	Crop        [][2]float64 // of CropAndResize, for each axis: the first and the last position, 1 being the last element
	// Extrapolation is the value at positions that CropAndResize has outside of x along some axis.
	Extrapolation float64
	// Cubic is the coefficient of ResizeCubic; 0 means -0.75.
	Cubic float64
	// ExcludeOutside gives elements beyond the ends, which otherwise are those at the ends, no weight, and
	// divides by the sum of the others'.
	ExcludeOutside bool
	// Antialias widens the filters of ResizeLinear and ResizeCubic by 1/scale where it is below 1, so that all
	// elements count.
	Antialias bool
}

// Resize resizes axes of x, whose extents are numbers, to the given sizes: images (N,C,H,W) with axes 2 and 3, for
// example. x is Float32 or Float64 unless the mode is ResizeNearestMode. Axes are resized one by one, each by one
// kernel of weighted sums.
func Resize(x *graph.Node, axes, sizes []int, o ResizeOptions) *graph.Node {
	var tables []taps
	bad := refused("Resize", func() (err error) {
		tables, err = o.tables(x.Type(), axes, sizes)
		return err
	}, x)
	if bad != nil {
		return bad
	}
	y, rank := x, x.Type().Rank()
	var outside *graph.Node
	for _, i := range cheapest(tables, axes) {
		t := tables[i]
		axis, _ := x.Type().Axis(axes[i])
		y = t.resized(y, axis, o.Mode)
		if slices.Contains(t.outside, 1) {
			here := x.Graph().Const(shape.Mask(append([]shape.Dim{shape.Dim(sizes[i])}, onesOf(rank-1-axis)...)...), t.outside)
			if outside != nil {
				here = Or(outside, here)
			}
			outside = here
		}
	}
	if outside != nil {
		y = Where(outside, Scalar(y, o.Extrapolation), y)
	}
	return y
}

// cheapest returns the order of axes in which the fewest sums are along the last one, whose elements are not beside
// each other in the sums: what shrinks comes first, and what grows last.
func cheapest(tables []taps, axes []int) []int {
	order := make([]int, len(tables))
	for i := range order {
		order[i] = i
	}
	grows := func(i int) float64 { return float64(len(tables[i].outside)) / float64(tables[i].n) }
	slices.SortStableFunc(order, func(i, j int) int {
		if c := cmp.Compare(grows(i), grows(j)); c != 0 || grows(i) < 1 {
			return c
		}
		return cmp.Compare(axes[j], axes[i])
	})
	return order
}

// maxTaps is how many weights an axis may have: more take more memory and time than a graph should.
const maxTaps = 1 << 24

// tables checks the options, and returns the taps of each axis.
func (o ResizeOptions) tables(x shape.Type, axes, sizes []int) (all []taps, err error) {
	if o.Mode != ResizeNearestMode {
		if err := wantFloat(x); err != nil {
			return nil, err
		}
	}
	switch {
	case o.Mode > ResizeCubic || o.Coordinates > CropAndResize || o.Rounding > RoundCeil:
		return nil, fmt.Errorf("mode %d, coordinates %d, rounding %d; want those that are listed", o.Mode, o.Coordinates, o.Rounding)
	case len(sizes) != len(axes) || len(o.Scales) > 0 && len(o.Scales) != len(axes):
		return nil, fmt.Errorf("%d sizes and %d scales were given for %d axes", len(sizes), len(o.Scales), len(axes))
	case o.Coordinates == CropAndResize && len(o.Crop) != len(axes):
		return nil, fmt.Errorf("%d crops were given for %d axes; want one for each", len(o.Crop), len(axes))
	case math.IsNaN(o.Cubic) || math.IsInf(o.Cubic, 0):
		return nil, fmt.Errorf("cubic coefficient is %v; want a finite number", o.Cubic)
	}
	if err := representable(x.DType, o.Extrapolation); err != nil {
		return nil, err
	}
	if _, err := axisSet(x.Rank(), axes); err != nil {
		return nil, err
	}
	for i, a := range axes {
		axis, _ := x.Axis(a)
		a, err := o.axis(x, axis, sizes[i])
		if err != nil {
			return nil, err
		}
		if len(o.Scales) > 0 {
			a.scale = o.Scales[i]
		}
		if o.Coordinates == CropAndResize {
			a.crop = o.Crop[i]
		}
		t, err := a.taps()
		if err != nil {
			return nil, fmt.Errorf("axis %d of %v: %w", axis, x, err)
		}
		all = append(all, t)
	}
	return all, nil
}

// resized is an axis of n elements that becomes one of m.
type resizedAxis struct {
	ResizeOptions
	n, m  int
	scale float64
	crop  [2]float64
}

func (o ResizeOptions) axis(x shape.Type, axis, size int) (a resizedAxis, err error) {
	n, ok := x.Dim(axis).Int()
	switch {
	case !ok || n == 0:
		return a, fmt.Errorf("axis %d of %v; want an extent that is a number, at least 1", axis, x)
	case size < 1 || size > maxTaps:
		return a, fmt.Errorf("size %d for axis %d of %v; want 1 to %d", size, axis, x, maxTaps)
	}
	return resizedAxis{ResizeOptions: o, n: n, m: size, scale: float64(size) / float64(n)}, nil
}

// position returns where element i is taken, and whether that is outside of a crop. A position that rounding has
// moved off an element is that element, since the nearest one, or being outside, depends on it.
func (a resizedAxis) position(i int) (x float64, outside bool) {
	x = a.quotient(i)
	if r := math.Round(x); math.Abs(x-r) < 1e-9 {
		x = r
	}
	return x, a.Coordinates == CropAndResize && (x < 0 || x > float64(a.n-1))
}

// quotient computes the position.
func (a resizedAxis) quotient(i int) float64 {
	n, m, at := float64(a.n), float64(a.m), float64(i)
	whole := m // elements, which the scale may not give exactly
	if a.scale != m/n {
		whole = a.scale * n
	}
	switch a.Coordinates {
	case PyTorchHalfPixel:
		if a.m == 1 {
			return -.5
		}
	case HalfPixelSymmetric:
		return n/2*(1-m/whole) + (at+.5)/a.scale - .5
	case AlignCorners:
		if whole == 1 || a.n == 1 {
			return 0
		}
		return at * (n - 1) / (whole - 1)
	case Asymmetric:
		if a.scale == m/n {
			return at * n / m
		}
		return at / a.scale
	case CropAndResize:
		first, span := a.crop[0]*(n-1), (a.crop[1]-a.crop[0])*(n-1)
		if whole == 1 {
			return first + span/2
		}
		return first + at*span/(whole-1)
	}
	if a.scale == m/n {
		return (at+.5)*n/m - .5
	}
	return (at+.5)/a.scale - .5
}

// taps are the elements and weights of each sum of an [engine.Resampler].
type taps struct {
	n           int // elements that ids are of
	starts, ids []float64
	weights     []float64
	outside     []float64 // 1 for each element that is outside of a crop
}

func (a resizedAxis) taps() (t taps, err error) {
	if !(a.scale > 0) || math.IsInf(a.scale, 0) {
		return t, fmt.Errorf("scale is %v; want a finite positive number", a.scale)
	}
	if math.IsNaN(a.crop[0]-a.crop[1]) || math.Abs(a.crop[0]) > 1e9 || math.Abs(a.crop[1]) > 1e9 {
		return t, fmt.Errorf("crop is %v; want a first and a last position", a.crop)
	}
	kernel, reach := a.filter()
	if float64(a.m)*2*reach > maxTaps {
		return t, fmt.Errorf("size %d takes %.0f weights; want at most %d", a.m, float64(a.m)*2*reach, maxTaps)
	}
	t = taps{n: a.n, starts: make([]float64, 1, a.m+1), outside: make([]float64, a.m)}
	for i := range a.m {
		x, outside := a.position(i)
		if outside {
			t.outside[i] = 1
			x = 0
		}
		if a.Mode == ResizeNearestMode {
			t.add(clamped(a.Rounding.round(x), a.n), 1)
		} else {
			a.addAround(&t, x, kernel, int(reach))
		}
		t.starts = append(t.starts, float64(len(t.ids)))
	}
	return t, nil
}

// round returns the number of the nearest element.
func (r Rounding) round(x float64) float64 {
	switch r {
	case RoundHalfUp:
		return math.Floor(x + .5)
	case RoundFloor:
		return math.Floor(x)
	case RoundCeil:
		return math.Ceil(x)
	}
	return math.Ceil(x - .5)
}

func clamped(x float64, n int) int { return int(min(max(x, 0), float64(n-1))) }

// filter returns the weight of an element by its distance, before they are divided by their sum, and at how many
// elements on each side it may not be 0.
func (a resizedAxis) filter() (kernel func(d float64) float64, reach float64) {
	kernel, reach = triangular, 1
	if a.Mode == ResizeCubic {
		c := a.Cubic
		if c == 0 {
			c = -.75
		}
		kernel, reach = func(d float64) float64 { return cubic(d, c) }, 2
	}
	if !a.Antialias || a.scale >= 1 {
		return kernel, reach
	}
	narrow := kernel
	return func(d float64) float64 { return narrow(d * a.scale) }, math.Ceil(reach / a.scale)
}

func triangular(d float64) float64 { return max(0, 1-math.Abs(d)) }

// cubic is Keys's kernel.
func cubic(d, a float64) float64 {
	switch d = math.Abs(d); {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}

// addAround adds the elements around a position.
func (a resizedAxis) addAround(t *taps, x float64, kernel func(d float64) float64, reach int) {
	base := math.Floor(x)
	from := len(t.ids)
	sum := 0.0
	for k := 1 - reach; k <= reach; k++ {
		at := base + float64(k)
		w := kernel(at - x)
		if w == 0 || a.ExcludeOutside && (at < 0 || at >= float64(a.n)) {
			continue
		}
		sum += w
		t.add(clamped(at, a.n), w)
	}
	if a.ExcludeOutside || a.Antialias {
		for k := range t.weights[from:] {
			t.weights[from+k] /= sum
		}
	}
}

// add adds an element to the sum that is being made.
func (t *taps) add(id int, weight float64) {
	if last := len(t.ids) - 1; last >= int(t.starts[len(t.starts)-1]) && t.ids[last] == float64(id) {
		t.weights[last] += weight // an end again
		return
	}
	t.ids, t.weights = append(t.ids, float64(id)), append(t.weights, weight)
}

// resized returns x with the taps' sums along an axis.
func (t taps) resized(x *graph.Node, axis int, mode ResizeMode) *graph.Node {
	switch {
	case t.copies():
		return x
	case mode == ResizeNearestMode:
		return Gather(x, axis, places(x, t.ids))
	}
	return t.apply(x, axis)
}

// copies reports whether the sums are the elements.
func (t taps) copies() bool {
	for i, id := range t.ids {
		if id != float64(i) || t.weights[i] != 1 {
			return false
		}
	}
	return len(t.ids) == t.n && len(t.starts) == t.n+1
}

func (t taps) apply(x *graph.Node, axis int) *graph.Node {
	g := x.Graph()
	w := g.Const(x.Type().Of(shape.Of(shape.Dim(len(t.weights)))), t.weights)
	return graph.Apply(resampleOp{axis}, x, places(x, t.starts), places(x, t.ids), w)
}

// transposed returns the taps of the adjoint.
func (t taps) transposed() taps {
	back := taps{n: len(t.starts) - 1, starts: make([]float64, t.n+1), ids: make([]float64, len(t.ids)), weights: make([]float64, len(t.ids))}
	for _, id := range t.ids {
		back.starts[int(id)+1]++
	}
	for i := range t.n {
		back.starts[i+1] += back.starts[i]
	}
	next := slices.Clone(back.starts)
	for m := range back.n {
		for l := int(t.starts[m]); l < int(t.starts[m+1]); l++ {
			to := &next[int(t.ids[l])]
			back.ids[int(*to)], back.weights[int(*to)] = float64(m), t.weights[l]
			*to++
		}
	}
	return back
}

var resizeOps = []graph.Op{resampleOp{}}

// resampleOp is the op of an [engine.Resampler]. All inputs but x are constants.
type resampleOp struct{ Axis int }

func (resampleOp) Name() string { return "Resample" }

func (op resampleOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 4); err != nil {
		return t, err
	}
	x, starts, ids, weights := in[0], in[1], in[2], in[3]
	switch {
	case !x.IsFloat():
		return t, floating.admits("input 0 is", x)
	case op.Axis < 0 || op.Axis >= x.Rank() || x.Dim(op.Axis).Symbolic():
		return t, fmt.Errorf("no axis %d in %v whose extent is a number", op.Axis, x)
	case starts.DType != shape.Int32 || starts.Rank() != 1 || starts.Dim(0).Symbolic() || starts.Dim(0) == 0 ||
		ids.DType != shape.Int32 || ids.Rank() != 1 || weights != x.Of(ids.Shape):
		return t, fmt.Errorf("starts are %v, ids %v, weights %v; want int32(M+1), int32(L) and %v(L)", starts, ids, weights, x.DType)
	}
	return x.Of(x.With(op.Axis, starts.Dim(0)-1)), nil
}

// Grad gives each element the weights that it has in all sums.
func (op resampleOp) Grad(n, dy *graph.Node) []*graph.Node {
	t := taps{n: n.In(0).Type().Int(op.Axis), starts: n.In(1).Values(), ids: n.In(2).Values(), weights: n.In(3).Values()}
	return []*graph.Node{t.transposed().apply(dy, op.Axis), nil, nil, nil}
}

func (op resampleOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	r, ok := e.(engine.Resampler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "weighted sums along an axis")
	}
	return r.BindResample(op.Axis, in, out)
}

// PerExample resizes each row.
func (op resampleOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return apart(n, in, op.Axis, func(axis int) *graph.Node { return graph.Apply(resampleOp{axis}, in...) })
}

// ResizeNearest resizes images x (N,C,H,W), of any element type, to the given height and width. Row
// i of the result is row i*H/height of x, rounded down; columns likewise. It is PyTorch's
// interpolate with mode "nearest" and a size, except that PyTorch rounds the quotient to float32.
func ResizeNearest(x *graph.Node, size [2]int) *graph.Node {
	bad := refused("ResizeNearest", func() error { return checkResize(x.Type(), size) }, x)
	if bad != nil {
		return bad
	}
	return Resize(x, []int{2, 3}, size[:], ResizeOptions{Coordinates: Asymmetric, Rounding: RoundFloor})
}

// ResizeBilinear resizes images x (N,C,H,W), Float32 or Float64, to the given height and width.
// Pixel centres are at half-integers: row i of the result is at (i+1/2)*H/height-1/2, interpolated
// between two rows of x and clamped to the first and last row; columns likewise. It is PyTorch's
// interpolate with mode "bilinear" and a size, and with the default align_corners=False. As there,
// making an image smaller still averages over only four neighbours; see [Resize] for other ways.
func ResizeBilinear(x *graph.Node, size [2]int) *graph.Node {
	bad := refused("ResizeBilinear", func() error {
		if err := wantFloat(x.Type()); err != nil {
			return err
		}
		return checkResize(x.Type(), size)
	}, x)
	if bad != nil {
		return bad
	}
	return Resize(x, []int{2, 3}, size[:], ResizeOptions{Mode: ResizeLinear})
}

// places returns ids as a node of x's graph.
func places(x *graph.Node, ids []float64) *graph.Node {
	return x.Graph().Const(shape.I32(shape.Dim(len(ids))), ids)
}
func checkResize(x shape.Type, size [2]int) error {
	if err := checkPlanes(x, 4); err != nil {
		return err
	}
	if min(size[0], size[1]) < 1 || max(size[0], size[1]) > maxTaps {
		return fmt.Errorf("size is %v; want a height and a width of 1 to %d", size, maxTaps)
	}
	return nil
}

var imageOf = map[int]string{3: "(N,C,L)", 4: "(N,C,H,W)", 5: "(N,C,D,H,W)"}

// checkPlanes rejects an x that does not have the given rank, or whose extents after the channels
// are not known and positive.
func checkPlanes(x shape.Type, rank int) error {
	if x.Rank() != rank {
		return fmt.Errorf("want an input %s, have %v", imageOf[rank], x.Shape)
	}
	if rest := shape.Of(x.Dims()[1:]...); !rest.Concrete() {
		return fmt.Errorf("want an input %s in which only the batch axis depends on N, have %v", imageOf[rank], x.Shape)
	}
	for _, d := range x.Dims()[2:] {
		if d == 0 {
			return fmt.Errorf("want an input %s with elements, have %v", imageOf[rank], x.Shape)
		}
	}
	return nil
}
