package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Conv3DOptions are the attributes of [Conv3D]. In each array, index 0 is for the depth, 1 for the
// height and 2 for the width.
type Conv3DOptions struct {
	Stride, Dilation [3]int    // 0 means 1
	Pad              [3][2]int // zero padding: {{front, back}, {top, bottom}, {left, right}}
	Groups           int       // number of independent groups of channels and filters; 0 means 1
}

func (op Conv3DOptions) withDefaults() Conv3DOptions {
	op.Stride[0], op.Dilation[0] = orElse(op.Stride[0], 1), orElse(op.Dilation[0], 1)
	op.Groups = orElse(op.Groups, 1)
	return op
}

// plane returns the attributes for the last two axes.
func (op Conv3DOptions) plane() Conv2DOp {
	return Conv2DOp{
		Stride: [2]int(op.Stride[1:]), Dilation: [2]int(op.Dilation[1:]), Pad: [2][2]int(op.Pad[1:]), Groups: op.Groups,
	}.withDefaults()
}

// depth returns the windows over the first axis of a volume.
func (op Conv3DOptions) depth(w shape.Type) window {
	return window{kernel: w.Int(2), stride: op.Stride[0], dilation: op.Dilation[0], pad: op.Pad[0]}
}

// Conv3D returns the cross-correlation of volumes x (N,C,D,H,W) with filters w
// (O,C/Groups,KD,KH,KW), both Float32 or Float64: y (N,O,OD,OH,OW), where OD is (D + front + back -
// Dilation*(KD-1) - 1)/Stride + 1, rounded down; OH and OW likewise. It is computed as one
// [Conv2D], in which the channels of each plane of the result are the planes of x under its window.
// This takes KD times the memory of x. Where each channel has one filter, it is the sum of KH
// convolutions of the planes below each other.
func Conv3D(x, w *graph.Node, op Conv3DOptions) *graph.Node {
	op = op.withDefaults()
	depth := shape.Dim(0)
	bad := refused("Conv3D", func() (err error) {
		depth, err = op.check(x.Type(), w.Type())
		return err
	}, x, w)
	if bad != nil {
		return bad
	}
	t, f, g := x.Type(), w.Type(), shape.Dim(op.Groups)
	kd, c := f.Dim(2), f.Dim(1)
	if c == 1 && f.Dim(0) == g {
		return op.stacked(x, w, int(depth))
	}
	x = Transpose(padDepth(x, op.Pad[0]), 0, 2, 1, 3, 4)
	planes := make([]*graph.Node, kd) // that each tap meets
	for k := range planes {
		planes[k] = sliceEvery(x, 1, k*op.Dilation[0], op.Stride[0], int(depth))
	}
	batch, _ := t.Dim(0).Mul(depth) // check has computed it without error
	for k, p := range planes {
		planes[k] = Reshape(p, t.Dim(0), depth, g, 1, c, t.Dim(3), t.Dim(4))
	}
	images := Reshape(Concat(3, planes...), batch, g*kd*c, t.Dim(3), t.Dim(4))
	filters := Reshape(Transpose(w, 0, 2, 1, 3, 4), f.Dim(0), kd*c, f.Dim(3), f.Dim(4))
	y := Conv2D(images, filters, op.plane())
	s := y.Type()
	return Transpose(Reshape(y, t.Dim(0), depth, s.Dim(1), s.Dim(2), s.Dim(3)), 0, 2, 1, 3, 4)
}

// stacked is the sum over the rows of the filters w, of which each channel has one, of convolutions of the planes of x below
// each other in one image: the taps of a row along the depth are a plane apart there. A group of one channel for each tap
// would have products too small for engines.
func (op Conv3DOptions) stacked(x, w *graph.Node, depth int) (sum *graph.Node) {
	t, f, p := x.Type(), w.Type(), op.plane()
	kd, kh, stride, dilation, front, top := f.Int(2), f.Int(3), p.Stride[0], p.Dilation[0], op.Pad[0][0], p.Pad[0][0]
	of := window{kernel: kh, stride: stride, dilation: dilation, pad: p.Pad[0]}
	rows, _ := of.count(t.Dim(3)) // check has computed it without error
	height := int(rows)
	// Planes begin a multiple of the stride apart, with zeros between them for what windows see above and below.
	gap := max((height-1)*stride+(kh-1)*dilation-top-t.Int(3)+1, top, 0)
	plane := max(ceil(t.Int(3)+gap, stride), height) * stride
	x = Pad(x, PadOp{After: [shape.MaxRank]int{3: plane - t.Int(3)}})
	images := Reshape(x, t.Dim(0), t.Dim(1), shape.Dim(t.Int(2)*plane), t.Dim(4))
	// The convolution of each row of the filters sees the image by its own number of rows higher or lower. So that it need
	// not leave out rows, there are planes before the result and behind it.
	before := ceil(max((kh-1)*dilation-top-front*plane, 0), plane)
	positions := (depth-1)*op.Stride[0] + 1
	behind := func(planes, first int) int {
		return planes*plane - stride + 1 + (kd-1)*op.Dilation[0]*plane - t.Int(2)*plane - first
	}
	highest := (before+front)*plane + top
	planes := before + positions + ceil(max(-behind(before+positions, highest), 0), plane)
	for k := range kh {
		first := highest - k*dilation
		p.Dilation[0], p.Pad[0] = op.Dilation[0]*plane, [2]int{first, behind(planes, first)}
		y := Conv2D(images, Reshape(sliceAxis(w, 3, k, k+1), f.Dim(0), f.Dim(1), f.Dim(2), f.Dim(4)), p)
		if sum == nil {
			sum = y
			continue
		}
		sum = Add(sum, y)
	}
	s := sum.Type()
	whole := Reshape(sum, s.Dim(0), s.Dim(1), shape.Dim(planes), shape.Dim(plane/stride), s.Dim(3))
	r := wholeOf(whole.Type().Shape)
	r.Start[2], r.Step[2] = shape.Dim(before), op.Stride[0]
	r.Part = r.Part.With(2, shape.Dim(depth)).With(3, shape.Dim(height))
	return graph.Apply(SliceOp{r}, whole)
}

// ceil is a/b, rounded up.
func ceil(a, b int) int { return (a + b - 1) / b }

// check returns the depth of the result.
func (op Conv3DOptions) check(x, w shape.Type) (depth shape.Dim, err error) {
	if x.Rank() != 5 || w.Rank() != 5 {
		return 0, fmt.Errorf("want an input (N,C,D,H,W) and a filter (O,C/groups,KD,KH,KW), have %v and %v", x.Shape, w.Shape)
	}
	if _, err := op.plane().Infer([]shape.Type{x.Of(x.Drop(2)), w.Of(w.Drop(2))}); err != nil {
		return 0, fmt.Errorf("of the planes: %w", err)
	}
	if !x.Drop(0).Concrete() || !w.Shape.Concrete() || w.Int(2) == 0 {
		return 0, fmt.Errorf("input %v, filter %v: only the batch axis may depend on N, and the filter must have elements", x.Shape, w.Shape)
	}
	if depth, err = op.depth(w).count(x.Dim(2)); err != nil {
		return 0, fmt.Errorf("depth: %w", err)
	}
	_, err = x.Dim(0).Mul(depth)
	return depth, err
}

// padDepth adds planes of zeros to x along axis 2.
func padDepth(x *graph.Node, pad [2]int) *graph.Node {
	return Pad(x, PadOp{Before: [shape.MaxRank]int{2: pad[0]}, After: [shape.MaxRank]int{2: pad[1]}})
}

// sliceEvery takes n indices of one axis, step apart.
func sliceEvery(x *graph.Node, axis, start, step, n int) *graph.Node {
	r := wholeOf(x.Type().Shape)
	r.Start[axis], r.Step[axis] = shape.Dim(start), step
	r.Part = r.Part.With(axis, shape.Dim(n))
	return graph.Apply(SliceOp{r}, x)
}

// ConvTranspose3D returns the transposed convolution of x (N,C,D,H,W) by w (C,O/Groups,KD,KH,KW):
// the adjoint, with respect to the volume, of the [Conv3D] with attributes op that maps
// (N,O,OD,OH,OW) to (N,C,D,H,W). OD is (D-1)*Stride - front - back + Dilation*(KD-1) + 1 +
// extra[0]; OH and OW likewise. extra, at least 0 and below the stride, selects one of the sizes
// for which the convolution has the same result size.
func ConvTranspose3D(x, w *graph.Node, op Conv3DOptions, extra [3]int) *graph.Node {
	op = op.withDefaults()
	depth := 0
	bad := refused("ConvTranspose3D", func() (err error) {
		depth, err = op.checkTransposed(x.Type(), w.Type(), extra)
		return err
	}, x, w)
	if bad != nil {
		return bad
	}
	t, f, g := x.Type(), w.Type(), shape.Dim(op.Groups)
	kd, c, o := f.Dim(2), t.Dim(1), f.Dim(1)
	batch, _ := t.Dim(0).Mul(t.Dim(2)) // checkTransposed has computed it without error
	images := Reshape(Transpose(x, 0, 2, 1, 3, 4), batch, c, t.Dim(3), t.Dim(4))
	filters := Reshape(Transpose(w, 0, 2, 1, 3, 4), c, kd*o, f.Dim(3), f.Dim(4))
	y := ConvTranspose2D(images, filters, op.plane(), [2]int(extra[1:]))
	oh, ow := y.Type().Dim(2), y.Type().Dim(3)
	y = Reshape(y, t.Dim(0), t.Dim(2), g, kd, o, oh, ow)

	win := op.depth(f)
	if win.kernel == win.stride && win.dilation == 1 {
		return placeDepth(y, win, depth)
	}
	return sumDepth(y, win, depth)
}

// placeDepth returns the result (N,G*O,depth,H,W) of a transposed convolution whose windows over the
// depth lie side by side, given their planes y (N,D,G,KD,O,H,W).
func placeDepth(y *graph.Node, win window, depth int) *graph.Node {
	t := y.Type()
	all := t.Int(1) * win.stride
	y = Reshape(Transpose(y, 0, 2, 4, 1, 3, 5, 6), t.Dim(0), t.Dim(2)*t.Dim(4), shape.Dim(all), t.Dim(5), t.Dim(6))
	y = padDepth(y, [2]int{0, max(win.pad[0]+depth-all, 0)})
	return sliceEvery(y, 2, win.pad[0], 1, depth)
}

// sumDepth is placeDepth for any windows: plane d contributes to the planes d*stride + k*dilation of the
// padded result.
func sumDepth(y *graph.Node, win window, depth int) *graph.Node {
	t := y.Type()
	padded := max((t.Int(1)-1)*win.stride+win.span(), win.pad[0]+depth)
	whole := shape.Of(t.Dim(0), shape.Dim(padded), t.Dim(2)*t.Dim(4), t.Dim(5), t.Dim(6))
	var sum *graph.Node
	for k := range win.kernel {
		part := Reshape(sliceAxis(y, 3, k, k+1), t.Dim(0), t.Dim(1), whole.Dim(2), t.Dim(5), t.Dim(6))
		r := wholeOf(whole)
		r.Part = part.Type().Shape
		r.Start[1], r.Step[1] = shape.Dim(k*win.dilation), win.stride
		placed := graph.Apply(embedOp{r}, part)
		if sum == nil {
			sum = placed
			continue
		}
		sum = Add(sum, placed)
	}
	return Transpose(sliceEvery(sum, 1, win.pad[0], 1, depth), 0, 2, 1, 3, 4)
}

// checkTransposed returns the depth of the result.
func (op Conv3DOptions) checkTransposed(x, w shape.Type, extra [3]int) (depth int, err error) {
	if x.Rank() != 5 || w.Rank() != 5 {
		return 0, fmt.Errorf("want an input (N,C,D,H,W) and a filter (C,O/groups,KD,KH,KW), have %v and %v", x.Shape, w.Shape)
	}
	plane, px, pw := op.plane(), x.Of(x.Drop(2)), w.Of(w.Drop(2))
	if err := plane.checkTransposed(px, pw); err != nil {
		return 0, fmt.Errorf("of the planes: %w", err)
	}
	if _, err := plane.transposedSize(px, pw, [2]int(extra[1:])); err != nil {
		return 0, err
	}
	if !x.Drop(0).Concrete() || !w.Shape.Concrete() || x.Int(2) == 0 || w.Int(2) == 0 {
		return 0, fmt.Errorf("input %v and filter %v; want at least one element in each, and only the batch axis to depend on N", x.Shape, w.Shape)
	}
	if _, err := x.Dim(0).Mul(x.Dim(2)); err != nil {
		return 0, err
	}
	depth, err = op.depth(w).transposed(x.Int(2), extra[0])
	if err != nil {
		return 0, fmt.Errorf("depth: %w", err)
	}
	if depth == 0 {
		return 0, fmt.Errorf("the result would have a depth of 0, for an input of %v; pad by less, want planes", x.Dim(2))
	}
	return depth, nil
}

// ConvTranspose1D returns the transposed convolution of x (N,C,L) by w (C,O/Groups,K): the adjoint,
// with respect to the sequence, of the [Conv1D] with attributes op that maps (N,O,OL) to (N,C,L).
// It is a [ConvTranspose2D] of images with one row, and extra has the same meaning.
func ConvTranspose1D(x, w *graph.Node, op Conv1DOptions, extra int) *graph.Node {
	image := op.image()
	var rows [2]shape.Type
	bad := refused("ConvTranspose1D", func() error {
		for i, n := range []*graph.Node{x, w} {
			t := n.Type()
			if t.Rank() != 3 {
				return fmt.Errorf("want an input (N,C,L) and a filter (C,O/groups,K), have %v and %v", x.Type().Shape, w.Type().Shape)
			}
			rows[i] = t.Of(t.Insert(2, 1))
		}
		err := image.checkTransposed(rows[0], rows[1])
		if err == nil {
			_, err = image.transposedSize(rows[0], rows[1], [2]int{0, extra})
		}
		if err != nil {
			return fmt.Errorf("as images of one row: %w", err)
		}
		return nil
	}, x, w)
	if bad != nil {
		return bad
	}
	y := ConvTranspose2D(Reshape(x, rows[0].Dims()...), Reshape(w, rows[1].Dims()...), image, [2]int{0, extra})
	return Reshape(y, y.Type().Drop(2).Dims()...)
}
