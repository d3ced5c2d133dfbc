package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// axis describes the windows along one axis of an image: tap k of window o is at position o*stride
// + k*dilation - before, which is padding unless it is in 0..in-1.
type axis struct {
	in, out                  int // extents of image and result
	kernel, stride, dilation int
	before, after            int // padding
	adaptive                 bool
}

// windows returns the range of windows whose tap k is in the image.
func (a axis) windows(k int) (lo, hi int) {
	return inside(k*a.dilation-a.before, a.stride, a.out, a.in)
}

// taps returns the range of taps of window o that are in the image.
func (a axis) taps(o int) (lo, hi int) {
	if a.adaptive {
		return 0, ceilDiv((o+1)*a.in, a.out) - a.at(o, 0)
	}
	return inside(o*a.stride-a.before, a.dilation, a.kernel, a.in)
}

// padded returns the range of taps of window o that are in the image or its padding.
func (a axis) padded(o int) (lo, hi int) {
	return inside(o*a.stride, a.dilation, a.kernel, a.before+a.in+a.after)
}

// at returns the position of tap k of window o.
func (a axis) at(o, k int) int {
	if a.adaptive {
		return o*a.in/a.out + k
	}
	return o*a.stride + k*a.dilation - a.before
}

// inside returns the range of the i in 0..n-1 for which start + i*step is in 0..extent-1.
func inside(start, step, n, extent int) (lo, hi int) {
	lo = max(0, ceilDiv(-start, step))
	return lo, max(lo, min(n, ceilDiv(extent-start, step)))
}

// ceilDiv returns a/b rounded up, for b > 0.
func ceilDiv(a, b int) int {
	if a > 0 {
		return (a + b - 1) / b
	}
	return a / b
}

// bindFloat picks the kernel for the element type of the result. Its scratch is sums float64
// numbers, in which sums are accumulated before they are rounded once.
func bindFloat(kernel string, in []engine.Operand, out engine.Operand, sums int, f32, f64 engine.Kernel) (engine.Bound, error) {
	for _, t := range in {
		if t.DType != out.DType {
			return unsupported(kernel, in)
		}
	}
	b := bound(f64)
	switch out.DType {
	case shape.Float64:
	case shape.Float32:
		b = bound(f32)
	default:
		return unsupported(kernel, in)
	}
	b.Scratch = sums * shape.Float64.Width()
	return b, nil
}

// sumsOf returns the first n sums in c's scratch.
func sumsOf(c *engine.Call, n int) []float64 {
	return engine.Slice[float64](c.Scratch.At(0, shape.Float64, n))
}

// round stores sums.
func round[T shape.Float](dst []T, sums []float64) {
	for i, v := range sums {
		dst[i] = T(v)
	}
}

// rectify applies the ReLU of an epilogue. NaN stays NaN.
func rectify[T shape.Float](v []T) {
	for i := range v {
		v[i] = max(v[i], 0)
	}
}

// nth returns the n-th part of v, of length size.
func nth[T any](v []T, n, size int) []T { return v[n*size:][:size] }
