package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// AdaptiveAvgPool1D returns size means of each line of x (N,C,L), Float32 or Float64: y (N,C,size).
// Window i extends from i*L/size, rounded down, to (i+1)*L/size, rounded up; windows may overlap
// and differ in length. This is PyTorch's rule.
func AdaptiveAvgPool1D(x *graph.Node, size int) *graph.Node {
	return adaptive("AdaptiveAvgPool1D", x, []int{size}, adaptiveMean)
}

// AdaptiveMaxPool1D is [AdaptiveAvgPool1D] with maxima. Of equal maxima, the first gets the
// gradient.
func AdaptiveMaxPool1D(x *graph.Node, size int) *graph.Node {
	return adaptive("AdaptiveMaxPool1D", x, []int{size}, adaptiveMax)
}

// AdaptiveAvgPool2D returns a grid of means of each plane of x (N,C,H,W), Float32 or Float64: y
// (N,C,size[0],size[1]), with windows as in [AdaptiveAvgPool1D] along both axes.
func AdaptiveAvgPool2D(x *graph.Node, size [2]int) *graph.Node {
	return adaptive("AdaptiveAvgPool2D", x, size[:], adaptiveMean)
}

// AdaptiveMaxPool2D is [AdaptiveAvgPool2D] with maxima. Of equal maxima, the first in row-major
// order gets the gradient.
func AdaptiveMaxPool2D(x *graph.Node, size [2]int) *graph.Node {
	return adaptive("AdaptiveMaxPool2D", x, size[:], adaptiveMax)
}

// AdaptiveAvgPool3D returns a grid of means of each channel of x (N,C,D,H,W), Float32 or Float64: y
// (N,C,size[0],size[1],size[2]), with windows as in [AdaptiveAvgPool1D] along all three axes.
func AdaptiveAvgPool3D(x *graph.Node, size [3]int) *graph.Node {
	return adaptive("AdaptiveAvgPool3D", x, size[:], adaptiveMean)
}

// AdaptiveMaxPool3D is [AdaptiveAvgPool3D] with maxima. Of equal maxima, the first in row-major
// order gets the gradient.
func AdaptiveMaxPool3D(x *graph.Node, size [3]int) *graph.Node {
	return adaptive("AdaptiveMaxPool3D", x, size[:], adaptiveMax)
}

// pooler pools windows of images, and may reduce whole axes.
type pooler struct {
	windows func(x *graph.Node, w MaxPool2DOp) *graph.Node
	whole   func(x *graph.Node, axes ...int) *graph.Node
}

var (
	adaptiveMean = pooler{func(x *graph.Node, w MaxPool2DOp) *graph.Node { return AvgPool2D(x, w.averaging(false)) }, MeanKeep}
	adaptiveMax  = pooler{windows: MaxPool2D} // a reduction would share the gradient of equal maxima
)

// toOne reduces all axes, or returns nil where that is not what is asked for, or not the same.
func (p pooler) toOne(x *graph.Node, size []int) *graph.Node {
	if p.whole == nil {
		return nil
	}
	var axes []int
	for i, n := range size {
		if n != 1 {
			return nil
		}
		axes = append(axes, 2+i)
	}
	return p.whole(x, axes...)
}

// adaptive pools the last two axes, and then the one before: means of means, each over the same number
// of elements, or maxima of maxima, of which the first in row-major order is taken.
func adaptive(name string, x *graph.Node, size []int, pool pooler) *graph.Node {
	bad := refused(name, func() error {
		if err := wantFloat(x.Type()); err != nil {
			return err
		}
		if err := checkPlanes(x.Type(), 2+len(size)); err != nil {
			return err
		}
		for _, n := range size {
			if n < 1 {
				return fmt.Errorf("size is %v; want at least 1 in each axis", size)
			}
		}
		return nil
	}, x)
	if bad != nil {
		return bad
	}
	if y := pool.toOne(x, size); y != nil {
		return y
	}
	t := x.Type()
	n, c := t.Dim(0), t.Dim(1)
	switch len(size) {
	case 1:
		return Reshape(pool.line(x, size[0]), n, c, shape.Dim(size[0]))
	case 2:
		return pool.grid(x, [2]int(size))
	}
	d, h, w := size[0], size[1], size[2]
	planes := pool.grid(Reshape(x, n, shape.Dim(t.Int(1)*t.Int(2)), t.Dim(3), t.Dim(4)), [2]int{h, w})
	columns := Reshape(planes, n, c, t.Dim(2), shape.Dim(h*w))
	return Reshape(pool.grid(columns, [2]int{d, h * w}), n, c, shape.Dim(d), shape.Dim(h), shape.Dim(w))
}

// line pools x (N,C,L): as the height of images where windows have the same length, each of which is a
// piece of memory then, otherwise as the width.
func (p pooler) line(x *graph.Node, size int) *graph.Node {
	t := x.Type()
	if t.Int(2)%size == 0 {
		return p.grid(Reshape(x, t.Dim(0), t.Dim(1), t.Dim(2), 1), [2]int{size, 1})
	}
	return p.grid(Reshape(x, t.Dim(0), t.Dim(1), 1, t.Dim(2)), [2]int{1, size})
}

// grid pools both axes of images: with a fixed stride where windows have the same size.
func (p pooler) grid(x *graph.Node, size [2]int) *graph.Node {
	h, w := x.Type().Int(2), x.Type().Int(3)
	if h%size[0] == 0 && w%size[1] == 0 {
		return p.windows(x, MaxPool2DOp{Kernel: [2]int{h / size[0], w / size[1]}})
	}
	return p.windows(x, MaxPool2DOp{Size: size})
}
