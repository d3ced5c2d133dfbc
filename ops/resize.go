package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// ResizeNearest resizes images x (N,C,H,W), of any element type, to the given height and width. Row
// i of the result is row i*H/height of x, rounded down; columns likewise. It is PyTorch's
// interpolate with mode "nearest" and a size, except that PyTorch rounds the quotient to float32.
func ResizeNearest(x *graph.Node, size [2]int) *graph.Node {
	bad := refused("ResizeNearest", func() error { return checkResize(x.Type(), size) }, x)
	if bad != nil {
		return bad
	}
	for i, out := range size {
		in := x.Type().Int(2 + i)
		if in == out {
			continue
		}
		ids := make([]float64, out)
		for k := range ids {
			ids[k] = float64(k * in / out)
		}
		x = Gather(x, 2+i, places(x, ids))
	}
	return x
}

// ResizeBilinear resizes images x (N,C,H,W), Float32 or Float64, to the given height and width.
// Pixel centres are at half-integers: row i of the result is at (i+1/2)*H/height-1/2, interpolated
// between two rows of x and clamped to the first and last row; columns likewise. It is PyTorch's
// interpolate with mode "bilinear" and a size, and with the default align_corners=False. As there,
// making an image smaller still averages over only four neighbours.
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
	for i, out := range size {
		if x.Type().Int(2+i) != out {
			x = interpolate(x, 2+i, out)
		}
	}
	return x
}

// interpolate resizes one axis.
func interpolate(x *graph.Node, axis, out int) *graph.Node {
	in := x.Type().Int(axis)
	before, after, weight := make([]float64, out), make([]float64, out), make([]float64, out)
	for k := range out {
		at := max(0, (float64(k)+.5)*float64(in)/float64(out)-.5)
		i := min(int(at), in-1)
		before[k], after[k], weight[k] = float64(i), float64(min(i+1, in-1)), at-float64(i)
	}
	dims := []shape.Dim{shape.Dim(out)}
	for range x.Type().Rank() - 1 - axis {
		dims = append(dims, 1)
	}
	w := x.Graph().Const(x.Type().Of(shape.Of(dims...)), weight)
	a, b := Gather(x, axis, places(x, before)), Gather(x, axis, places(x, after))
	return Add(a, Mul(w, Sub(b, a)))
}

// places returns ids as a node of x's graph.
func places(x *graph.Node, ids []float64) *graph.Node {
	return x.Graph().Const(shape.I32(shape.Dim(len(ids))), ids)
}

func checkResize(x shape.Type, size [2]int) error {
	if err := checkPlanes(x, 4); err != nil {
		return err
	}
	if size[0] < 1 || size[1] < 1 {
		return fmt.Errorf("size is %v; want a height and a width of at least 1", size)
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
