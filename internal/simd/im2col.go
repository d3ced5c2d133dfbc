package simd

import "fmt"

// Window describes how a convolution or pooling looks at one image of C×H×W: KH×KW windows at
// OH×OW places. Strides and dilations of 0 mean 1.
type Window struct {
	C, H, W   int
	KH, KW    int
	OH, OW    int
	SH, SW    int // strides
	DH, DW    int // dilations
	Top, Left int // rows and columns of zeros before the image
}

func (w Window) withDefaults() Window {
	w.SH, w.SW, w.DH, w.DW = max(w.SH, 1), max(w.SW, 1), max(w.DH, 1), max(w.DW, 1)
	return w
}

// Rows returns C*KH*KW, the rows of the matrix that Im2Col makes.
func (w Window) Rows() int { return w.C * w.KH * w.KW }

// Cols returns OH*OW, its columns.
func (w Window) Cols() int { return w.OH * w.OW }

// Im2Col sets rows lo to hi of the matrix whose row (c,i,j) holds, for each place of the window, the
// element at row i and column j of the window on channel c of src, and 0 outside of the image.
// A convolution is the product of the filters, one a row, and this matrix. ld is the distance
// between rows of dst, 0 for none between them, so that the images of a batch can stand side by side.
func Im2Col[T Float](dst []T, ld int, src []T, w Window, lo, hi int) {
	w = w.withDefaults()
	ld = stride(ld, w.Cols())
	w.check("Im2Col", len(dst), ld, len(src), lo, hi)
	for r := lo; r < hi; r++ {
		t := w.tap(r)
		for y := range w.OH {
			out := dst[r*ld+y*w.OW:][:w.OW]
			at, ok := t.start(y)
			if !ok {
				clear(out)
				continue
			}
			clear(out[:t.from])
			clear(out[t.to:])
			out = out[t.from:t.to]
			if w.SW == 1 {
				copy(out, src[at:])
				continue
			}
			for i := range out {
				out[i] = src[at]
				at += w.SW
			}
		}
	}
}

// Col2Im adds to dst, an image, channels lo to hi of a matrix as Im2Col makes it: its adjoint.
func Col2Im[T Float](dst []T, src []T, ld int, w Window, lo, hi int) {
	w = w.withDefaults()
	ld = stride(ld, w.Cols())
	taps := w.KH * w.KW
	w.check("Col2Im", len(src), ld, len(dst), lo*taps, hi*taps)
	for r := lo * taps; r < hi*taps; r++ {
		t := w.tap(r)
		for y := range w.OH {
			at, ok := t.start(y)
			if !ok {
				continue
			}
			in := src[r*ld+y*w.OW:][t.from:t.to]
			if w.SW == 1 {
				out := dst[at:][:len(in)]
				for i, v := range in {
					out[i] += v
				}
				continue
			}
			for _, v := range in {
				dst[at] += v
				at += w.SW
			}
		}
	}
}

func (w Window) check(kernel string, matrix, ld, image, lo, hi int) {
	if lo < 0 || hi > w.Rows() || lo < hi && (ld < w.Cols() || matrix < (hi-1)*ld+w.Cols() || image < w.C*w.H*w.W) {
		panic(fmt.Sprintf("simd: %s of rows %d to %d of %+v with %d elements in the matrix, rows of %d, %d in the image",
			kernel, lo, hi, w, matrix, ld, image))
	}
}

// tap is one element of the window: what a row of the matrix is made from.
type tap struct {
	Window
	plane, i, j int // channel, row and column
	from, to    int // the columns of places at which it lies on the image
}

func (w Window) tap(row int) tap {
	t := tap{Window: w, plane: row / (w.KH * w.KW), i: row / w.KW % w.KH, j: row % w.KW}
	left := t.j*w.DW - w.Left // at the first place
	t.from = min(max(ceil(-left, w.SW), 0), w.OW)
	t.to = max(min(ceil(w.W-left, w.SW), w.OW), t.from)
	return t
}

// start is the index in the image of the tap at place (y, from), or false where none of places
// (y, ...) has it on the image.
func (t tap) start(y int) (int, bool) {
	row := y*t.SH + t.i*t.DH - t.Top
	if row < 0 || row >= t.H || t.from == t.to {
		return 0, false
	}
	return (t.plane*t.H+row)*t.W + t.from*t.SW + t.j*t.DW - t.Left, true
}
