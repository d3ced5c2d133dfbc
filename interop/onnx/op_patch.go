package onnx

import (
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var patchOperators = family{
	"CenterCropPad": always(2, 2, centerCropPad),
	"Col2Im":        always(3, 3, col2Im),
	"MaxUnpool":     always(2, 3, maxUnpool),
	"RoiAlign":      {{since: 10, min: 3, max: 3, eval: roiAlign}},
	"DeformConv":    always(3, 5, deformConv),
	"Det":           always(1, 1, det),
}

// centerCropPad cuts axes off, or pads them by zeros, alike at both ends; of an odd number the one more is behind.
func centerCropPad(c *call) []*value {
	x := c.node(0)
	rank := x.Type().Rank()
	axes := c.intsAttr("axes", nil)
	if axes == nil {
		axes = from(0, rank)
	}
	sizes := c.dims(1)
	if len(sizes) != len(axes) {
		refuse("%d sizes for %d axes", len(sizes), len(axes))
	}
	var pad ops.PadOp
	grows := false
	for i, a := range axes {
		a = axis(a, rank)
		want := sizes[i]
		if want == x.Type().Dim(a) {
			continue
		}
		to, known := want.Int()
		have, ok := x.Type().Dim(a).Int()
		if !known || !ok || to < 0 {
			refuse("size %v of axis %d of %v", want, a, x.Type())
		}
		if to < have {
			x = part(x, a, (have-to)/2, to)
			continue
		}
		pad.Before[a], pad.After[a] = (to-have)/2, to-have-(to-have)/2
		grows = true
	}
	if grows {
		x = ops.Pad(x, pad)
	}
	return moved(x, c.elem(0))
}

// col2Im adds the columns (N,C*K,L) of windows up where these lie in an image: the transposed convolution by
// filters each of which has one tap.
func col2Im(c *call) []*value {
	x, size, block := c.node(0), c.ints(1), c.ints(2)
	n := len(size)
	if n < 1 || n > 3 || len(block) != n || x.Type().Rank() != 3 {
		refuse("columns %v of an image of %v by blocks of %v", x.Type(), size, block)
	}
	ones, none := make([]int, n), make([]int, 2*n)
	taps := 1
	for i, b := range block {
		if ones[i] = 1; b < 1 || b > maxFolded/taps || size[i] < 1 {
			refuse("blocks of %v in an image of %v", block, size)
		}
		taps *= b
	}
	stride, dilation, pads := c.intsAttr("strides", ones), c.intsAttr("dilations", ones), c.intsAttr("pads", none)
	if len(stride) != n || len(dilation) != n || len(pads) != 2*n {
		refuse("strides %v, dilations %v and pads %v; want those of %d axes", stride, dilation, pads, n)
	}
	w := window{kernel: block, stride: stride, dilation: dilation, pads: make([][2]int, n)}
	extra := make([]int, n)
	dims := []shape.Dim{x.Type().Dim(0), x.Type().Dim(1)}
	for i := range n {
		if stride[i] < 1 || dilation[i] < 1 || pads[i] < 0 || pads[n+i] < 0 {
			refuse("strides %v, dilations %v and pads %v", stride, dilation, pads)
		}
		w.pads[i] = [2]int{pads[i], pads[n+i]}
		room := size[i] + pads[i] + pads[n+i] - dilation[i]*(block[i]-1) - 1
		if room < 0 {
			refuse("a block of %v is larger than the image %v", block, size)
		}
		dims, extra[i] = append(dims, shape.Dim(room/stride[i]+1)), room%stride[i]
	}
	all, ok := x.Type().Dim(1).Int()
	if !ok || all%taps != 0 || all > maxFolded/taps {
		refuse("columns %v are not of blocks of %v", x.Type(), block)
	}
	filters := make([]float64, all*taps)
	for i := range all {
		filters[i*taps+i%taps] = 1
	}
	fdims := []shape.Dim{shape.Dim(all), 1}
	for _, b := range block {
		fdims = append(fdims, shape.Dim(b))
	}
	f := x.Graph().Const(shape.Make(x.Type().DType, fdims...), filters)
	return result(w.convTranspose(ops.Reshape(x, dims...), f, all/taps, extra), c.elem(0))
}

// maxUnpool puts elements to their indices among all of the result, which else is zeros.
func maxUnpool(c *call) []*value {
	x := c.node(0)
	size := c.numbers(0, 0)
	w := c.window(nil)
	c.pad(&w)
	for i := range w.kernel {
		size[2+i] = (size[2+i]-1)*w.stride[i] - w.pads[i][0] - w.pads[i][1] + w.kernel[i]
	}
	inferred := shape.OfInts(size...)
	to := inferred
	if c.has(2) {
		to = shape.OfInts(c.ints(2)...)
	}
	n, err := inferred.Size()
	if err != nil || inferred.Err() != nil {
		refuse("the result would be %v", inferred)
	}
	zeros := ops.Full(x, shape.Of(n), 0)
	count := shape.Dim(x.Type().Len())
	y := ops.Reshape(ops.ScatterAlong(zeros, 0, ops.Reshape(c.node(1), count), ops.Reshape(x, count), reductions["none"]), inferred.Dims()...)
	if to != inferred {
		var pad ops.PadOp
		for i := range to.Rank() {
			if pad.After[i] = to.Int(i) - inferred.Int(i); pad.After[i] < 0 {
				refuse("the output shape %v is smaller than %v", to, inferred)
			}
		}
		y = ops.Pad(y, pad)
	}
	return moved(y, c.elem(0))
}

func roiAlign(c *call) []*value {
	half := c.version >= 16 && c.stringAttr("coordinate_transformation_mode", "half_pixel", "half_pixel", "output_half_pixel") == "half_pixel"
	o := ops.RoIAlignOptions{
		Size: [2]int{c.intAttr("output_height", 1), c.intAttr("output_width", 1)}, Samples: c.intAttr("sampling_ratio", 0),
		Scale: c.floatAttr("spatial_scale", 1), Max: c.stringAttr("mode", "avg", "avg", "max") == "max", HalfPixel: half,
	}
	if o.Samples == 0 {
		refuse("sampling_ratio is 0, with which the number of samples depends on each box; export the model with a number")
	}
	return result(ops.RoIAlign(c.node(0), c.node(1), c.node(2), o), c.elem(0))
}

// deformConv is a convolution each tap of which lies where an offset moves it: samples of all taps, times the mask,
// and a product. Dai et al., "Deformable Convolutional Networks", 2017.
func deformConv(c *call) []*value {
	x, filters := c.node(0), c.node(1)
	kernel := c.numbers(1, 2)
	if len(kernel) != 2 || x.Type().Rank() != 4 {
		refuse("input %v by filters %v; only images are supported", x.Type(), filters.Type())
	}
	w := c.window(kernel)
	c.pad(&w)
	extents, out := c.numbers(0, 2), c.numbers(2, 2)
	parts, taps := c.intAttr("offset_group", 1), kernel[0]*kernel[1]
	channels := c.numbers(0, 1)[0]
	if parts < 1 || channels%parts != 0 || c.shape(2).Dim(1) != shape.Dim(2*taps*parts) {
		refuse("offsets %v; want 2*%d*%d of them", c.in[2], taps, parts)
	}
	offsets, mask := c.node(2), c.optional(4)
	batch := x.Type().Dim(0)
	var columns []*graph.Node // of each channel all taps
	for p := range parts {
		of := part(x, 1, p*channels/parts, channels/parts)
		var samples []*graph.Node
		for t := range taps {
			at := (p*taps + t) * 2
			grid := ops.Concat(3, c.tapAt(&w, offsets, at+1, 1, t%kernel[1], extents, out), c.tapAt(&w, offsets, at, 0, t/kernel[1], extents, out))
			s := ops.GridSample(of, grid, ops.GridSampleOptions{AlignCorners: true})
			if mask != nil {
				s = ops.Mul(s, part(mask, 1, p*taps+t, 1))
			}
			samples = append(samples, ops.Unsqueeze(s, 2))
		}
		columns = append(columns, ops.Concat(2, samples...)) // (N,C/parts,taps,OH,OW)
	}
	all := ops.Reshape(ops.Concat(1, columns...), batch, shape.Dim(channels*taps), shape.Dim(out[0]), shape.Dim(out[1]))
	flat := ops.Reshape(filters, filters.Type().Dim(0), shape.Dim(filters.Type().Int(1)*taps), 1, 1)
	y := ops.Conv2D(all, flat, ops.Conv2DOp{Groups: c.groups()})
	return result(biased(y, c.optional(3)), c.elem(0))
}

// tapAt returns the positions (N,OH,OW,1) of a tap along an axis, -1 and 1 being the centres of the pixels at the ends.
func (c *call) tapAt(w *window, offsets *graph.Node, channel, a, tap int, extents, out []int) *graph.Node {
	first := make([]float64, out[a])
	for o := range first {
		first[o] = float64(o*w.stride[a] - w.pads[a][0] + tap*w.dilation[a])
	}
	dims := []shape.Dim{1, 1}
	dims[a] = shape.Dim(out[a])
	at := ops.Add(ops.Squeeze(part(offsets, 1, channel, 1), 1), offsets.Graph().Const(shape.Make(offsets.Type().DType, dims...), first))
	return ops.Unsqueeze(ops.AddScalar(ops.MulScalar(at, 2/float64(max(extents[a]-1, 1))), -1), 3)
}

// det computes determinants of known matrices, by elimination.
func det(c *call) []*value {
	t := c.known(0)
	rank := len(t.Dims)
	if rank < 2 || t.Dims[rank-1] != t.Dims[rank-2] {
		refuse("want square matrices")
	}
	n := t.Dims[rank-1]
	v := t.floats()
	dets := make([]float64, 0, len(v)/max(n*n, 1))
	for i := 0; n > 0 && i < len(v); i += n * n {
		dets = append(dets, determinant(v[i:i+n*n], n))
	}
	return c.numbersOf(c.elem(0), dets, t.Dims[:rank-2]...)
}

func determinant(m []float64, n int) float64 {
	m = append([]float64(nil), m...)
	d := 1.
	for k := range n {
		best := k
		for i := k + 1; i < n; i++ {
			if math.Abs(m[i*n+k]) > math.Abs(m[best*n+k]) {
				best = i
			}
		}
		if m[best*n+k] == 0 {
			return 0
		}
		if best != k {
			d = -d
			for j := range n {
				m[k*n+j], m[best*n+j] = m[best*n+j], m[k*n+j]
			}
		}
		d *= m[k*n+k]
		for i := k + 1; i < n; i++ {
			f := m[i*n+k] / m[k*n+k]
			for j := k; j < n; j++ {
				m[i*n+j] -= f * m[k*n+j]
			}
		}
	}
	return d
}

// maxPoolIndices is MaxPool with the places of the maxima among all elements of x, in rows or, with a storage order of
// 1, in columns of images. The taps of windows lie behind each other, and the first maximum counts.
func (c *call) maxPoolIndices(w window, x *graph.Node, y *graph.Node) []*value {
	extents, out := c.numbers(0, 2), y.Type().Shape.Drop(0).Drop(0).Ints()
	n := len(extents)
	around := make([][2]int, n)
	taps := 1
	for i := range n {
		last := (out[i]-1)*w.stride[i] + (w.kernel[i]-1)*w.dilation[i] + 1
		around[i] = [2]int{w.pads[i][0], max(last-extents[i]-w.pads[i][0], 0)}
		taps *= w.kernel[i]
	}
	padded := paddedBy(x, around, math.Inf(-1))
	places := make([]int, n) // how far the next element along an axis is
	far := 1
	for i := range n {
		k := n - 1 - i
		if c.flag("storage_order", false) {
			k = i
		}
		places[k], far = far, far*extents[k]
	}
	points := 1
	for _, o := range out {
		points *= o
	}
	if points > maxFolded/taps {
		refuse("%d windows of %d elements", points, taps)
	}
	var all []*graph.Node
	table := make([]float64, taps*points)
	for t := range taps {
		tap, rest := make([]int, n), t
		for i := n - 1; i >= 0; i-- {
			tap[i], rest = rest%w.kernel[i], rest/w.kernel[i]
		}
		ranges := []ops.Range{ops.Whole(), ops.Whole()}
		for i := range n {
			from := tap[i] * w.dilation[i]
			ranges = append(ranges, ops.Range{Start: from, Stop: from + (out[i]-1)*w.stride[i] + 1, Step: w.stride[i]})
		}
		all = append(all, ops.Unsqueeze(ops.Slice(padded, ranges...), 2))
		for p := range points {
			for i, rest := n-1, p; i >= 0; i-- {
				o := rest % out[i]
				rest /= out[i]
				table[t*points+p] += float64((o*w.stride[i] + tap[i]*w.dilation[i] - w.pads[i][0]) * places[i])
			}
		}
	}
	which := ops.ArgMax(ops.Concat(2, all...), 2) // (N,C,OH,OW)
	flat := shape.Dim(points)
	s := y.Type()
	batch, channels := s.Dim(0), s.Dim(1)
	g := x.Graph()
	within := ops.GatherAlong(ops.BroadcastTo(g.Const(shape.I64(1, 1, shape.Dim(taps), flat), table), shape.Of(batch, channels, shape.Dim(taps), flat)), 2,
		ops.Reshape(which, batch, channels, 1, flat))
	image := ops.CumSum(ops.Full(within, shape.Of(batch, 1, 1, 1), 1), 0, ops.Scan{Exclusive: true})
	plane := g.Const(shape.I64(1, channels, 1, 1), sequence(s.Int(1)))
	planes := ops.Add(ops.Mul(image, ops.Scalar(image, float64(s.Int(1)))), plane)
	places64 := ops.Add(within, ops.Mul(planes, ops.Scalar(planes, float64(far))))
	return []*value{computed(y, c.elem(0)), computed(ops.Reshape(places64, s.Dims()...), ir.Int64)}
}
