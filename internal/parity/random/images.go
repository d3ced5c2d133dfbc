package main

import (
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// Convolutions, pooling and resizing, over one, two or three axes of an image.
var images = merged(
	ofAxes(convolution, "Conv1D", "Conv2D", "Conv3D"),
	ofAxes(transposed, "ConvTranspose1D", "ConvTranspose2D", "ConvTranspose3D"),
	ofAxes(pool, "MaxPool1D", "MaxPool2D", "MaxPool3D"),
	ofAxes(pool, "AvgPool1D", "AvgPool2D", "AvgPool3D"),
	ofAxes(lpPool, "LpPool1D", "LpPool2D", "LpPool3D"),
	ofAxes(wholePool, "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D"),
	ofAxes(wholePool, "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D"),
	ofAxes(adaptivePool, "AdaptiveMaxPool1D", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D"),
	ofAxes(adaptivePool, "AdaptiveAvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D"),
	rows(resize, "ResizeNearest", "ResizeBilinear"),
	rows(resizeAny, "Resize"),
	rows(gridSample, "GridSample"),
	rows(roiAlign, "RoIAlign"),
)

// ofAxes gives the functions of one, two and three axes their drawers.
func ofAxes(d func(axes int) drawer, names ...string) map[string]drawer {
	all := map[string]drawer{}
	for i, n := range names {
		all[n] = d(i + 1)
	}
	return all
}

// side is how windows lie over one axis of an image.
type side struct {
	image, kernel, stride, dilation int
	pad                             [2]int
}

func (w side) span() int { return w.dilation*(w.kernel-1) + 1 }

// sides draws windows over each of d axes, which fit.
func (s *sketch) sides(d int) (all []side) {
	most := []int{60, 20, 9}[d-1]
	for range d {
		w := side{kernel: s.from(1, 5), stride: s.from(1, 4), dilation: pick(s.choices, 1, 1, 1, 2, 3)}
		if s.once(12) {
			w.kernel = s.from(1, 11)
		}
		if s.of(2) == 1 {
			w.pad = [2]int{s.of(4), s.of(4)}
			if s.of(2) == 1 {
				w.pad[1] = w.pad[0]
			}
		}
		least := max(1, w.span()-w.pad[0]-w.pad[1])
		w.image = least + s.of(most)
		if s.of(2) == 1 {
			w.image = least + s.of(4)
		}
		all = append(all, w)
	}
	return all
}

// of collects a number of each side.
func of[T any](all []side, f func(side) T) (v []T) {
	for _, w := range all {
		v = append(v, f(w))
	}
	return v
}

// windowed are the attributes of windows, those left out now and then that have defaults.
func (s *sketch) windowed(all []side) attrs {
	return attrs{
		"Stride":   flat(of(all, func(w side) int { return w.stride })),
		"Dilation": flat(of(all, func(w side) int { return w.dilation })),
		"Pad":      flat(of(all, func(w side) [2]int { return w.pad })),
	}
}

// channels draws groups, and the channels of each in and out; sometimes so many that kernels for
// many channels take part.
func (s *sketch) channels() (groups, in, out int) {
	groups, in, out = pick(s.choices, 1, 1, 1, 2, 3, 4), s.from(1, 5), s.from(1, 5)
	if s.once(6) {
		groups, in, out = pick(s.choices, 1, 1, 1, 2), s.from(1, 40), s.from(1, 40)
	}
	return groups, in, out
}

// work is how many products a configuration may have: not much, one time of eight ten times as
// many.
func (s *sketch) work() int {
	if s.once(8) {
		return 2_000_000
	}
	return 200_000
}

// bounded makes groups, channels and axes of images smaller until an image takes no more than so
// many products for an element of the largest side, and returns for how many images that is enough.
func (s *sketch) bounded(most int, groups, in, out *int, all []side, pixels func(side) int) int {
	products := func() int {
		n := *groups * *in * *out
		for _, w := range all {
			n *= w.kernel * pixels(w)
		}
		return n
	}
	for _, v := range []*int{in, out, groups} {
		for *v > 1 && products() > most {
			*v /= 2
		}
	}
	for i := range all {
		for least := max(1, all[i].span()-all[i].pad[0]-all[i].pad[1]); all[i].image > least && products() > most; {
			all[i].image = max(least, all[i].image/2)
		}
	}
	return s.images(most / max(1, products()))
}

func image(w side) int  { return w.image }
func kernel(w side) int { return w.kernel }

// windowsOver is how many windows there are.
func windowsOver(w side) int { return (w.pad[0]+w.image+w.pad[1]-w.span())/w.stride + 1 }

// images draws a batch size that is bearable.
func (s *sketch) images(most int) int {
	n := s.extent(4)
	if s.once(4) {
		n = s.from(1, 20)
	}
	return min(n, max(1, most))
}

func convolution(d int) drawer {
	return func(s *sketch, name string) {
		all := s.sides(d)
		groups, in, out := s.channels()
		n := s.bounded(s.work(), &groups, &in, &out, all, windowsOver)
		a := s.windowed(all)
		a["Groups"] = groups
		x := slices.Concat([]int{n, groups * in}, of(all, image))
		w := slices.Concat([]int{groups * out, in}, of(all, kernel))
		s.step(name, a, s.batched(pick(s.choices, "plain", "plain", "plain", "ties", "wide", "few NaN"), x...), s.scaled("plain", 10, w...))
	}
}

func product(v []int) int {
	n := 1
	for _, x := range v {
		n *= x
	}
	return n
}

func transposed(d int) drawer {
	return func(s *sketch, name string) {
		all := s.sides(d)
		groups, in, out := s.channels()
		extra := make([]int, d)
		for i, w := range all {
			all[i].image = s.from(1, []int{30, 10, 5}[d-1])
			all[i].pad[0] = min(w.pad[0], (w.span()-1)/2) // something is left of the result
			all[i].pad[1] = min(w.pad[1], (w.span()-1)/2)
			extra[i] = s.of(w.stride)
		}
		n := s.bounded(s.work(), &groups, &in, &out, all, image)
		op := s.windowed(all)
		op["Groups"] = groups
		x := slices.Concat([]int{n, groups * in}, of(all, image))
		w := slices.Concat([]int{groups * in, out}, of(all, kernel))
		s.step(name, attrs{"Op": op, "Extra": flat(extra)}, s.batched("plain", x...), s.floats("plain", w...))
	}
}

// pooled are windows for pooling, each of which has an element of the image.
func (s *sketch) pooled(d int) (all []side, a attrs) {
	all = s.sides(d)
	if s.of(2) == 1 { // what PyTorch has a function for
		for i, w := range all {
			n := min(w.pad[0], w.kernel/2)
			all[i].pad = [2]int{n, n}
			all[i].image = max(w.image, w.span()-2*n)
		}
	}
	ceil := s.of(2) == 1
	for i, w := range all {
		if !w.touches(ceil) {
			all[i].pad, all[i].dilation, all[i].image = [2]int{}, 1, max(w.image, w.kernel)
		}
	}
	a = s.windowed(all)
	a["Kernel"] = flat(of(all, kernel))
	a["Ceil"] = ceil
	return all, a
}

// touches says whether every window has an element of the image.
func (w side) touches(ceil bool) bool {
	padded := w.pad[0] + w.image + w.pad[1]
	for at := 0; at+w.span() <= padded || ceil && at < w.pad[0]+w.image; at += w.stride {
		inside := false
		for k := range w.kernel {
			place := at + k*w.dilation - w.pad[0]
			inside = inside || 0 <= place && place < w.image
		}
		if !inside {
			return false
		}
	}
	return true
}

func (s *sketch) picture(all []side) []int {
	x := slices.Concat([]int{1, s.from(1, 6)}, of(all, image))
	x[0] = s.images(10_000 / product(x))
	return x
}

func pool(d int) drawer {
	return func(s *sketch, name string) {
		all, a := s.pooled(d)
		kind := pick(s.choices, "plain", "ties", "wide", "extreme", "few NaN", "many NaN")
		if name[0] == 'A' {
			a["CountPad"] = s.of(2) == 1
			kind = pick(s.choices, "plain", "ties", "few NaN", "many NaN")
		}
		s.step(name, a, s.batched(kind, s.picture(all)...))
	}
}

func lpPool(d int) drawer {
	return func(s *sketch, name string) {
		all, a := s.pooled(d)
		s.step(name, attrs{"P": pick(s.choices, 1., 2, 3, 1.5), "Op": a}, s.batched(pick(s.choices, "plain", "positive"), s.picture(all)...))
	}
}

func wholePool(d int) drawer {
	return func(s *sketch, name string) {
		x := s.extents(2+d, []int{60, 20, 9}[d-1])
		s.step(name, nil, s.batched(pick(s.choices, "plain", "ties", "wide", "few NaN", "many NaN"), x...))
	}
}

func adaptivePool(d int) drawer {
	return func(s *sketch, name string) {
		x := s.extents(2+d, []int{40, 16, 7}[d-1])
		s.step(name, attrs{"Size": flat(s.extents(d, []int{20, 9, 5}[d-1]))}, s.batched(pick(s.choices, "plain", "ties", "wide", "few NaN", "many NaN"), x...))
	}
}

func resize(s *sketch, name string) {
	s.step(name, attrs{"Size": s.extents(2, 24)}, s.batched("plain", s.extents(4, 14)...))
}

// gridSample has positions inside of the image, and beyond its ends.
func gridSample(s *sketch, name string) {
	d := s.from(2, 3)
	sampling := s.of(3)
	if sampling == 2 {
		d = 2
	}
	x := s.extents(d+2, 9)
	grid := append(append([]int{x[0]}, s.extents(d, 5)...), d)
	image, places := s.batched("plain", x...), s.batched(pick(s.choices, "plain", "positive", "wide"), grid...)
	s.together(image, places)
	s.step(name, attrs{"Sampling": sampling, "Border": s.of(3), "AlignCorners": s.of(2) == 1}, image, places)
}

// roiAlign has boxes of all sizes, some of them beyond the image, or turned around.
func roiAlign(s *sketch, name string) {
	x, r := s.extents(4, 9), s.extent(5)
	x[0] = s.from(3, 5)
	boxes := s.add(input{Kind: pick(s.choices, "positive", "plain", "wide"), DType: shape.Float32, Shape: []int{r, 4}, Leaf: state})
	s.Order = min(s.Order, 1)
	s.step(name, attrs{"Size": s.extents(2, 4), "Samples": s.from(1, 3), "Scale": pick(s.choices, 1, .5, 6), "HalfPixel": s.of(2) == 1, "Max": s.once(4)},
		s.floats("plain", x...), boxes, s.ids(r))
}

func resizeAny(s *sketch, name string) {
	x := s.extents(s.from(2, 4), 14)
	var axes []int
	if s.of(2) == 1 {
		x, axes = s.extents(4, 14), []int{2, 3}
	} else {
		axes = s.some(len(x), 1)
	}
	sizes := s.extents(len(axes), 24)
	o := attrs{"Mode": s.of(3), "Coordinates": s.of(6), "Rounding": s.of(4)}
	if o["Mode"] != 0 {
		o["ExcludeOutside"], o["Antialias"], o["Cubic"] = s.of(2) == 1, s.of(2) == 1, pick(s.choices, 0, -.5)
	}
	if o["Coordinates"] == 5 {
		crop := [][2]float64{}
		for range axes {
			crop = append(crop, [2]float64{pick(s.choices, 0, .2, -.4), pick(s.choices, 1, .7, 1.3)})
		}
		o["Crop"], o["Extrapolation"] = crop, 1.5
	}
	s.step(name, attrs{"Axes": axes, "Sizes": sizes, "Options": o}, s.floats("plain", x...))
}

// ---- moving and choosing elements

var moves = map[string]drawer{
	"Transpose": transpose,
	"Concat":    concat,
	"Slice":     slice,
	"Pad":       padding,
	"Reshape":   reshape,
	"Flatten":   func(s *sketch, name string) { s.step(name, nil, s.batched("plain", s.extents(s.from(2, 5), 9)...)) },
	"Squeeze":   squeeze,
	"Unsqueeze": unsqueeze,
	"Full": func(s *sketch, name string) {
		s.step(name, attrs{"Shape": s.block(), "V": pick(s.choices, 1, -1.5)}, s.floats("plain", 2))
	},
	"OneHot":      oneHot,
	"Gather":      gather,
	"GatherAlong": gather,
	"UpdateSlice": updateSlice,
	"Embedding":   embedding,
	"TopK":        topK,
	"BottomK":     topK,

	"GatherND":        gatherND,
	"ScatterND":       scatterND,
	"ScatterAlong":    scatterAlong,
	"ReverseSequence": reverseSequence,
	"DepthToSpace":    toSpace,
	"PixelShuffle":    toSpace,
	"SpaceToDepth":    toDepth,
	"PixelUnshuffle":  toDepth,
	"Tril":            triangle,
	"Triu":            triangle,
}

func transpose(s *sketch, name string) {
	x := s.extents(s.from(1, 6), 9)
	s.step(name, attrs{"Perm": s.order(len(x))}, s.floats("plain", x...))
}

func concat(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 9)
	axis := s.of(len(x))
	var in []int
	for range s.from(1, 4) {
		x = slices.Clone(x)
		x[axis] = s.extent(9)
		in = append(in, s.floats("plain", x...))
	}
	s.step(name, attrs{"Axis": axis}, in...)
}

func slice(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 14)
	ranges := [][3]*int{}
	for _, n := range x[:s.from(1, len(x))] {
		step := pick(s.choices, 1, 1, 2, 3, -1, -2)
		start, stop := s.of(n), 0
		if step > 0 {
			stop = start + 1 + s.of(n-start)
		} else {
			stop = s.of(start+1) - 1
		}
		r := [3]*int{&start, &stop, &step}
		if stop < 0 || s.of(3) == 2 {
			r[1] = nil
		}
		ranges = append(ranges, r)
	}
	s.step(name, attrs{"Ranges": ranges}, s.floats("plain", x...))
}

func padding(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 9)
	mode := pick(s.choices, "constant", "edge", "reflect", "symmetric")
	before, after := make([]int, len(x)), make([]int, len(x))
	for i, n := range x {
		most := map[string]int{"constant": 4, "edge": 4, "reflect": n - 1, "symmetric": n}[mode]
		if s.of(2) == 1 {
			before[i], after[i] = s.of(min(most, 4)+1), s.of(min(most, 4)+1)
		}
	}
	a := attrs{"Mode": mode, "Before": before, "After": after}
	if mode == "constant" {
		a["Value"] = pick(s.choices, 0, -1.5)
	}
	s.step(name, a, s.floats("plain", x...))
}

func reshape(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 7)
	to := slices.Clone(x)
	for len(to) > 1 && s.of(2) == 1 { // two axes become one
		i := s.of(len(to) - 1)
		to[i] *= to[i+1]
		to = slices.Delete(to, i+1, i+2)
	}
	for range s.of(3) {
		to = slices.Insert(to, s.of(len(to)+1), 1)
	}
	slices.Reverse(to)
	s.step(name, attrs{"Shape": to[:min(len(to), shape.MaxRank)]}, s.floats("plain", x...))
}

func squeeze(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 9)
	axes := s.some(len(x), 1)
	for _, i := range axes {
		x[i] = 1
	}
	s.step(name, attrs{"Axes": axes}, s.floats("plain", x...))
}

func unsqueeze(s *sketch, name string) {
	x := s.extents(s.of(4), 9)
	s.step(name, attrs{"Axes": s.some(len(x)+2, 2)[:2]}, s.floats("plain", x...))
}

func oneHot(s *sketch, name string) {
	ids := s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), s.extents(s.of(4), 9)...)
	s.step(name, attrs{"Classes": s.from(3, 12)}, ids, s.floats("plain", 1))
}

func updateSlice(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 9)
	axis := s.of(len(x))
	part := slices.Clone(x)
	part[axis] = 1 + s.of(x[axis])
	s.step(name, attrs{"Axis": axis, "Start": s.of(x[axis] - part[axis] + 1)}, s.floats("plain", x...), s.floats("plain", part...))
}

func gather(s *sketch, name string) {
	x := s.extents(s.from(1, 4), 9)
	axis := s.of(len(x))
	x[axis] = s.from(3, 12)
	ids := s.extents(s.of(3), 9)
	if name == "GatherAlong" {
		ids = slices.Clone(x)
		ids[axis] = s.extent(12)
	}
	s.step(name, attrs{"Axis": axis}, s.floats("plain", x...), s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), ids...))
}

func gatherND(s *sketch, name string) {
	x := s.extents(s.from(1, 5), 5)
	k := s.from(1, len(x))
	batch := s.of(len(x) - k + 1)
	for i := range k {
		x[batch+i] = s.from(3, 7)
	}
	ids := append(slices.Concat(x[:batch], s.extents(s.of(3), 5)), k)
	s.step(name, attrs{"Batch": batch}, s.floats("plain", x...), s.ids(ids...))
}

func (s *sketch) ids(extents ...int) int {
	return s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), extents...)
}

// combine draws a way of combining values; most have no gradients.
func (s *sketch) combine() int {
	way := s.of(5)
	if way > 1 {
		s.Order = 0
	}
	return way
}

func scatterND(s *sketch, name string) {
	x := s.extents(s.from(1, 4), 5)
	k := s.from(1, len(x))
	for i := range k {
		x[i] = s.from(3, 7)
	}
	ids := s.extents(s.of(3), 5)
	s.step(name, attrs{"Combine": s.combine()}, s.floats("plain", x...), s.ids(append(slices.Clone(ids), k)...), s.floats("plain", append(ids, x[k:]...)...))
}

func scatterAlong(s *sketch, name string) {
	x := s.extents(s.from(1, 4), 5)
	axis := s.of(len(x))
	x[axis] = s.from(3, 7)
	values := slices.Clone(x)
	values[axis] = s.extent(9)
	s.step(name, attrs{"Axis": axis, "Combine": s.combine()}, s.floats("plain", x...), s.ids(values...), s.floats("plain", values...))
}

func reverseSequence(s *sketch, name string) {
	x := s.extents(s.from(2, 4), 5)
	axes := s.order(len(x))
	batch, axis := axes[0], axes[1]
	x[axis] = s.from(2, 7)
	s.step(name, attrs{"Batch": batch, "Axis": axis}, s.floats("plain", x...), s.ids(x[batch]))
}

func toSpace(s *sketch, name string) {
	x, k := s.extents(4, 5), s.from(1, 3)
	x[1] *= k * k
	s.step(name, attrs{"K": k}, s.batched("plain", x...))
}

func toDepth(s *sketch, name string) {
	x, k := s.extents(4, 5), s.from(1, 3)
	x[2], x[3] = x[2]*k, x[3]*k
	s.step(name, attrs{"K": k}, s.batched("plain", x...))
}

func triangle(s *sketch, name string) {
	s.step(name, attrs{"K": s.from(-5, 5)}, s.floats(pick(s.choices, "plain", "special"), s.extents(s.from(2, 4), 9)...))
}

func embedding(s *sketch, name string) {
	s.step(name, nil, s.floats("plain", s.from(3, 40), s.extent(40)), s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), s.extents(s.of(4), 9)...))
}

func topK(s *sketch, name string) {
	x := s.block()
	axis := s.of(len(x))
	part := pick(s.choices, "values", "places")
	s.step(name, attrs{"K": s.from(1, x[axis]), "Axis": axis, "Part": part}, s.floats(pick(s.choices, "plain", "ties", "wide", "few NaN"), x...))
}
