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

// atOnce pools all axes at once, or returns nil where that cannot be done.
func (p pooler) atOnce(x *graph.Node, size []int) *graph.Node {
	var axes, kernel []int
	one, even := true, true
	for i, n := range size {
		in := x.Type().Int(2 + i)
		axes, kernel = append(axes, 2+i), append(kernel, in/n)
		one, even = one && n == 1, even && in%n == 0
	}
	switch {
	case one && p.whole != nil:
		return p.whole(x, axes...)
	case even && len(size) == 2:
		return p.windows(x, MaxPool2DOp{Kernel: [2]int(kernel)})
	}
	return nil
}

// adaptive pools one axis after the other: means of means, each over the same number of elements,
// or maxima of maxima. It begins with the last axis, so that of equal maxima the first in row-major
// order is taken.
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
	if y := pool.atOnce(x, size); y != nil {
		return y
	}
	for i := len(size) - 1; i >= 0; i-- {
		x = adaptiveAxis(x, 2+i, size[i], pool)
	}
	return x
}

// adaptiveAxis pools one axis, as the height of images.
func adaptiveAxis(x *graph.Node, axis, size int, pool pooler) *graph.Node {
	t := x.Type()
	in, before, after := t.Int(axis), 1, 1
	for i := 1; i < t.Rank(); i++ {
		switch {
		case i < axis:
			before *= t.Int(i)
		case i > axis:
			after *= t.Int(i)
		}
	}
	images := Reshape(x, t.Dim(0), shape.Dim(before), shape.Dim(in), shape.Dim(after))
	return Reshape(adaptiveRows(images, in, size, pool), t.With(axis, shape.Dim(size)).Dims()...)
}

// adaptiveRows pools the rows of images to size rows. If all windows have the same length, it uses
// one pooling with a fixed stride.
func adaptiveRows(images *graph.Node, in, size int, pool pooler) *graph.Node {
	if in%size == 0 {
		return pool.windows(images, MaxPool2DOp{Kernel: [2]int{in / size, 1}})
	}
	rows := make([]*graph.Node, size)
	for i := range rows {
		from, to := i*in/size, ((i+1)*in+size-1)/size
		rows[i] = pool.windows(sliceAxis(images, 2, from, to), MaxPool2DOp{Kernel: [2]int{to - from, 1}})
	}
	return Concat(2, rows...)
}
