package quant

import (
	"encoding/binary"

	"github.com/plexaura/plexaura/internal/simd/window"
)

// frame is the memory of the images that kernels read: x itself, or a copy with padding around the
// pixels and behind the channels of each group.
type frame struct {
	image     window.Window
	n, groups int
	width     int  // channels of a group, at least C
	fh, fw    int  // rows and columns
	planes    bool // x is (N,C,H,W), of one group
	copied    bool
	slack     int   // bytes behind the copy that may be read
	fill      uint8 // what padding is
}

// frameOf returns the frame of n images of so many groups, whose groups have width channels there.
// Kernels read up to slack bytes behind a pixel. The images may be in planes.
func frameOf(w window.Window, n, groups, width, slack int, fill uint8, planes bool) frame {
	f := frame{image: w, n: n, groups: groups, width: width, slack: slack, fill: fill, planes: planes}
	f.fh, f.fw = (w.OH-1)*w.SH+(w.KH-1)*w.DH+1, (w.OW-1)*w.SW+(w.KW-1)*w.DW+1
	inside := w.Top == 0 && w.Left == 0 && f.fh <= w.H && f.fw <= w.W
	if f.copied = planes || !inside || width != w.C || slack > 0; !f.copied {
		f.fh, f.fw = w.H, w.W
	}
	return f
}

// pixel is the bytes of a pixel.
func (f *frame) pixel() int { return f.groups * f.width }

// FrameLen is the bytes of the copy.
func (f *frame) FrameLen() int {
	if !f.copied {
		return 0
	}
	return f.n*f.fh*f.fw*f.pixel() + f.slack
}

// Frames is the number of tasks of Frame: rows of the copy.
func (f *frame) Frames() int {
	if !f.copied {
		return 0
	}
	return f.n * f.fh
}

// Frame does tasks lo to hi of copying the images x to mem.
func (f *frame) Frame(mem, x []uint8, lo, hi int) {
	need("frame", len(mem), f.FrameLen())
	need("images", len(x), f.n*f.image.H*f.image.W*f.groups*f.image.C)
	for i := lo; i < hi; i++ {
		row := mem[i*f.fw*f.pixel():][:f.fw*f.pixel()]
		iy := i%f.fh - f.image.Top
		if iy < 0 || iy >= f.image.H {
			f.pad(row)
			continue
		}
		first, last := min(max(f.image.Left, 0), f.fw), max(min(f.image.Left+f.image.W, f.fw), 0)
		if first >= last {
			f.pad(row)
			continue
		}
		f.pad(row[:first*f.pixel()])
		f.pad(row[last*f.pixel():])
		dst, n := row[first*f.pixel():last*f.pixel()], i/f.fh
		if f.planes {
			f.copyPlanes(dst, x[(n*f.image.C*f.image.H+iy)*f.image.W+first-f.image.Left:])
			continue
		}
		f.copyPixels(dst, x[((n*f.image.H+iy)*f.image.W+first-f.image.Left)*f.groups*f.image.C:])
	}
}

func (f *frame) pad(row []uint8) {
	for i := range row {
		row[i] = f.fill
	}
}

// copyPixels fills dst with the channels of pixels, and with zeros behind those of a group.
func (f *frame) copyPixels(dst, x []uint8) {
	switch {
	case f.width == f.image.C:
		copy(dst, x)
	case f.image.C == 3 && f.width == 4:
		x = x[:len(dst)/4*3]
		for i := 0; i+3 < len(dst); i += 4 {
			dst[i], dst[i+1], dst[i+2], dst[i+3] = x[0], x[1], x[2], 0
			x = x[3:]
		}
	default:
		for len(dst) >= f.width {
			clear(dst[copy(dst, x[:f.image.C]):f.width])
			dst, x = dst[f.width:], x[f.image.C:]
		}
	}
}

// copyPlanes is copyPixels for channels that are a plane apart.
func (f *frame) copyPlanes(dst, x []uint8) {
	n, plane := len(dst)/f.width, f.image.H*f.image.W
	if f.width == 4 {
		var more [3][]uint8
		for c := 1; c < f.image.C; c++ {
			more[c-1] = x[c*plane:][:n]
		}
		copyFour(dst, x[:n], more)
		return
	}
	for i := range n {
		for c := range f.image.C {
			dst[i*f.width+c] = x[c*plane+i]
		}
		clear(dst[i*f.width+f.image.C : (i+1)*f.width])
	}
}

// copyFour joins up to four planes, of which more may be nil.
func copyFour(dst, x []uint8, more [3][]uint8) {
	a, b, c := more[0], more[1], more[2]
	switch {
	case c != nil:
		for i, v := range x {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v)|uint32(a[i])<<8|uint32(b[i])<<16|uint32(c[i])<<24)
		}
	case b != nil:
		a, b = a[:len(x)], b[:len(x)]
		for i, v := range x {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v)|uint32(a[i])<<8|uint32(b[i])<<16)
		}
	case a != nil:
		for i, v := range x {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v)|uint32(a[i])<<8)
		}
	default:
		for i, v := range x {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v))
		}
	}
}

// at is where pixel (y,x) of the windows of image n begins.
func (f *frame) at(n, y, x int) int { return ((n*f.fh+y)*f.fw + x) * f.pixel() }
