package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
)

// LpPool2D returns the p-norm, (sum |x|^p)^(1/p), of each window of images x (N,C,H,W), Float32 or
// Float64: y (N,C,OH,OW), with the extents of [MaxPool2D]. Padding contributes 0. p is a finite
// number of at least 1. PyTorch does not take absolute values, which makes a difference for odd p.
// The gradient of a window of zeros is 0.
func LpPool2D(x *graph.Node, p float64, op MaxPool2DOp) *graph.Node {
	op = op.withDefaults()
	w := op.windows()
	return lpPool("LpPool2D", x, p, w[:], func(powers *graph.Node, pad [][2]int) *graph.Node {
		op.Pad, op.Ceil = [2][2]int(pad), false
		return AvgPool2D(powers, op.averaging(true))
	})
}

// LpPool1D is [LpPool2D] for x (N,C,L): y (N,C,OL).
func LpPool1D(x *graph.Node, p float64, op MaxPool1DOptions) *graph.Node {
	w := op.image().withDefaults().windows()
	return lpPool("LpPool1D", x, p, w[1:], func(powers *graph.Node, pad [][2]int) *graph.Node {
		return AvgPool1D(powers, AvgPool1DOptions{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: pad[0], CountPad: true})
	})
}

// LpPool3D is [LpPool2D] for x (N,C,D,H,W): y (N,C,OD,OH,OW).
func LpPool3D(x *graph.Node, p float64, op MaxPool3DOptions) *graph.Node {
	plane, depth := op.split()
	d, hw := depth.windows(), plane.windows()
	return lpPool("LpPool3D", x, p, []window{d[0], hw[0], hw[1]}, func(powers *graph.Node, pad [][2]int) *graph.Node {
		return AvgPool3D(powers, AvgPool3DOptions{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: [3][2]int(pad), CountPad: true})
	})
}

// lpPool takes the norm of windows along the axes of x after the channels. mean averages over the
// windows, including the zeros of the given padding.
func lpPool(name string, x *graph.Node, p float64, windows []window, mean func(powers *graph.Node, pad [][2]int) *graph.Node) *graph.Node {
	pad, taps := make([][2]int, len(windows)), 1
	bad := refused(name, func() error {
		if !(p >= 1) || math.IsInf(p, 1) {
			return fmt.Errorf("p is %v; want a finite number of at least 1", p)
		}
		if err := wantFloat(x.Type()); err != nil {
			return err
		}
		if err := checkPlanes(x.Type(), 2+len(windows)); err != nil {
			return err
		}
		for i, w := range windows {
			in := x.Type().Dim(2 + i)
			n, err := w.count(in)
			if err != nil {
				return fmt.Errorf("axis %d of %v: %w", 2+i, x.Type(), err)
			}
			pad[i] = w.pad
			pad[i][1] += max(0, (int(n)-1)*w.stride+w.span()-w.pad[0]-int(in)-w.pad[1]) // the windows that Ceil adds
			taps *= w.kernel
		}
		return nil
	}, x)
	if bad != nil {
		return bad
	}
	sum := MulScalar(mean(power(x, p), pad), float64(taps))
	if p == 1 {
		return sum
	}
	none := Equal(sum, Scalar(sum, 0))
	root := Pow(Where(none, Scalar(sum, 1), sum), Scalar(sum, 1/p))
	return Where(none, Scalar(sum, 0), root)
}

// power returns |x|^p.
func power(x *graph.Node, p float64) *graph.Node {
	switch p {
	case 1:
		return Abs(x)
	case 2:
		return Square(x)
	}
	return Pow(Abs(x), Scalar(x, p))
}
