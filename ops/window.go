package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/shape"
)

// PadHW returns the padding of h rows above and below, and w columns left and right.
func PadHW(h, w int) [2][2]int { return [2][2]int{{h, h}, {w, w}} }

// SamePad returns the padding with which a k×k window with stride 1 and dilation 1 keeps the size
// of the image. For an even k the extra row and column are after the image, as in PyTorch.
func SamePad(k int) [2][2]int {
	side := [2]int{(k - 1) / 2, k / 2}
	return [2][2]int{side, side}
}

// SamePads returns the padding, before and after an axis, with which a window with stride 1 keeps
// its extent: Dilation*(kernel-1) in total, with the extra element after it if that is odd, as in
// PyTorch. A dilation of 0 means 1.
func SamePads(kernel, dilation int) [2]int {
	all := orElse(dilation, 1) * (kernel - 1)
	return [2]int{all / 2, all - all/2}
}

// window describes how the windows of a convolution or pooling cover one axis of an image.
type window struct {
	kernel, stride, dilation int
	pad                      [2]int // before and after
	ceil                     bool   // the last window may extend beyond the padding
}

// span returns the extent of a window, including the gaps of dilation.
func (w window) span() int { return w.dilation*(w.kernel-1) + 1 }

// check rejects attributes that are out of range.
func (w window) check() error {
	for _, a := range [...]struct {
		name       string
		value, min int
	}{
		{"kernel", w.kernel, 1}, {"stride", w.stride, 1}, {"dilation", w.dilation, 1},
		{"padding before", w.pad[0], 0}, {"padding after", w.pad[1], 0},
	} {
		if a.value < a.min || a.value > math.MaxInt32 {
			return fmt.Errorf("%s is %d, want %d to %d", a.name, a.value, a.min, math.MaxInt32)
		}
	}
	return nil
}

// count returns the number of windows along an axis of extent d. With ceil it is rounded up, but
// the last window must start in the image or the padding before it (PyTorch's rule).
func (w window) count(d shape.Dim) (shape.Dim, error) {
	in, ok := d.Int()
	if !ok {
		return 0, fmt.Errorf("the image has extent %v: only the batch axis may depend on N", d)
	}
	if err := w.check(); err != nil {
		return 0, err
	}
	room := w.pad[0] + in + w.pad[1] - w.span() // number of further positions after the first
	if w.ceil {
		room += w.stride - 1
	}
	if room < 0 {
		return 0, fmt.Errorf("a window of extent %d does not fit in %d padded by %d and %d", w.span(), in, w.pad[0], w.pad[1])
	}
	n := room/w.stride + 1
	if w.ceil && (n-1)*w.stride >= in+w.pad[0] {
		n--
	}
	return shape.Dim(n), nil
}

// transposed returns the extent of the axis that in windows cover, plus extra.
func (w window) transposed(in, extra int) (int, error) {
	if err := w.check(); err != nil {
		return 0, err
	}
	if extra < 0 || extra >= w.stride {
		return 0, fmt.Errorf("extra is %d, want 0 to below the stride %d", extra, w.stride)
	}
	out := (in-1)*w.stride - w.pad[0] - w.pad[1] + w.span() + extra
	if out < 0 {
		return 0, fmt.Errorf("the result would have an extent of %d, for an input of %d; pad by less", out, in)
	}
	return out, nil
}

// empty reports whether one of the n windows along an axis of extent in covers only padding.
func (w window) empty(in, n int) bool {
	for o := range n {
		start := o*w.stride - w.pad[0]
		if start >= 0 {
			break
		}
		k := (w.dilation - 1 - start) / w.dilation // the first tap in or after the image
		if k >= w.kernel || start+k*w.dilation >= in {
			return true
		}
	}
	return (n-1)*w.stride-w.pad[0] >= in
}

var sides = [2]string{"height", "width"}

// slide returns the extents of the result of windows over the last two axes of an image x
// (N,C,H,W).
func slide(x shape.Type, w [2]window) (size [2]shape.Dim, err error) {
	for i := range size {
		if size[i], err = w[i].count(x.Dim(2 + i)); err != nil {
			return size, fmt.Errorf("%s: %w", sides[i], err)
		}
	}
	return size, nil
}

// sameFloats rejects anything other than n inputs of the same floating-point type.
func sameFloats(in []shape.Type, n int) error {
	if err := arity(in, n); err != nil {
		return err
	}
	return wantFloat(in...)
}
