package window

import "github.com/plexaura/plexaura/internal/simd/isa"

// Axis is one axis of windows over an image: tap k of window o lies at
// o*Stride + k*Dilation - Before. Adaptive windows have their first tap at o*In/Out, rounded down,
// and their last one before (o+1)*In/Out, rounded up.
type Axis struct {
	In, Out  int // elements of the image, windows
	Kernel   int // taps of a window; of adaptive ones the most
	Stride   int // from a window to the next
	Dilation int // from a tap to the next
	Before   int // elements of padding before the image

	Adaptive bool // Stride, Dilation and Before do not count
}

// Axes returns the axes of w, whose strides and dilations are not 0.
func (w *Window) Axes() (rows, cols Axis) { return w.Vertical(), w.Horizontal() }

// Vertical returns the axis of rows.
func (w *Window) Vertical() Axis {
	return Axis{w.H, w.OH, w.KH, w.SH, w.DH, w.Top, w.Adaptive}
}

// Horizontal returns the axis of columns.
func (w *Window) Horizontal() Axis {
	return Axis{w.W, w.OW, w.KW, w.SW, w.DW, w.Left, w.Adaptive}
}

// Adaptive returns the axis of out adaptive windows over in elements.
func Adaptive(in, out int) Axis {
	a := Axis{In: in, Out: out, Adaptive: true}
	for o := range out {
		a.Kernel = max(a.Kernel, a.Taps(o).N)
	}
	return a
}

// At is where tap k of window o lies, which may be in the padding.
func (a Axis) At(o, k int) int {
	if a.Adaptive {
		return o*a.In/a.Out + k
	}
	return o*a.Stride + k*a.Dilation - a.Before
}

// Span is the part of a window that lies in the image: N places from At, Step apart.
type Span struct{ At, N, Step int }

// Taps returns the part of window o that lies in the image.
func (a Axis) Taps(o int) Span {
	at, n := a.At(o, 0), a.Kernel
	if a.Adaptive {
		return Span{at, isa.Ceil((o+1)*a.In, a.Out) - at, 1}
	}
	if at < 0 {
		skip := min(isa.Ceil(-at, a.Dilation), n)
		at, n = at+skip*a.Dilation, n-skip
	}
	return Span{at, max(min(n, isa.Ceil(a.In-at, a.Dilation)), 0), a.Dilation}
}

// Windows returns the range of windows, which are not adaptive, whose tap k lies in the image.
func (a Axis) Windows(k int) (lo, hi int) {
	at := a.At(0, k)
	lo = max(min(isa.Ceil(-at, a.Stride), a.Out), 0)
	hi = min(isa.Ceil(a.In-at, a.Stride), a.Out)
	return lo, max(lo, hi)
}

// Whole returns the range of windows that lie in the image with all their taps: none where they are
// wider than it is.
func (a Axis) Whole() (lo, hi int) {
	if a.Adaptive {
		return 0, a.Out
	}
	lo = max(min(isa.Ceil(a.Before, a.Stride), a.Out), 0)
	hi = min(isa.Ceil(a.In-a.At(0, a.Kernel-1), a.Stride), a.Out)
	return lo, max(lo, hi)
}

// Apart reports whether windows do not overlap.
func (a Axis) Apart() bool {
	if a.Adaptive {
		return a.Out == 0 || a.In%a.Out == 0
	}
	return a.Stride > (a.Kernel-1)*a.Dilation
}

// Part returns the axis of the n taps from the first one on; windows are not adaptive.
func (a Axis) Part(first, n int) Axis {
	a.Before -= first * a.Dilation
	a.Kernel = n
	return a
}

// Runs returns the windows by the taps that meet the image.
func (a Axis) Runs() []Run {
	if a.Adaptive {
		return alike(a.Out, 1, a.Taps)
	}
	return runs(a.Out, a.Kernel, 1, func(o, k int) (int, bool) {
		at := a.At(o, k)
		return at, at >= 0 && at < a.In
	})
}

// Adjoint returns the places of the image by the taps through which windows, which are not
// adaptive, meet them.
func (a Axis) Adjoint() []Run {
	return runs(a.In, a.Kernel, a.Stride, func(i, k int) (int, bool) {
		at := i + a.Before - k*a.Dilation
		return at / a.Stride, at >= 0 && at%a.Stride == 0 && at/a.Stride < a.Out
	})
}

// Over returns the places of the image by the windows over them, whatever the taps. A run counts
// windows in order instead of taps.
func (a Axis) Over() []Run {
	over := make([]Span, a.In)
	for o := range a.Out {
		taps := a.Taps(o)
		for k := range taps.N {
			s := &over[taps.At+k*taps.Step]
			switch s.N {
			case 0:
				s.At = o
			case 1:
				s.Step = o - s.At
			}
			s.N++
		}
	}
	phases := 1
	if !a.Adaptive {
		phases = a.Stride
	}
	return alike(a.In, phases, func(i int) Span { return over[i] })
}
