package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif" // the formats that pictures may have
	_ "image/jpeg"
	_ "image/png"
	"io"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// Extensions returns the endings of names of pictures that [Decode] reads, in lower case.
func Extensions() []string {
	return []string{".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
}

// formats names them for errors.
const formats = "PNG, JPEG, WebP, GIF, BMP or TIFF"

// config is the size of a picture, from its header.
func config(r io.ReadSeeker) (size image.Point, format string, err error) {
	c, format, err := image.DecodeConfig(r)
	if err != nil {
		return size, "", fmt.Errorf("no picture that can be read, %s: %w", formats, err)
	}
	size = image.Pt(c.Width, c.Height)
	if format != "webp" {
		return size, format, bounded(size)
	}
	// The header of an extended WebP file has the size of the canvas; the picture in it has its own.
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return size, "", err
	}
	inner, err := sizeOfWebP(r)
	if err == nil {
		err = bounded(inner)
	}
	if err == nil {
		err = bounded(size)
	}
	return size, format, err
}

func bounded(size image.Point) error {
	switch {
	case size.X < 1 || size.Y < 1:
		return fmt.Errorf("a picture of %d by %d pixels", size.X, size.Y)
	case size.X > MaxSide || size.Y > MaxSide:
		return fmt.Errorf("a picture of %d by %d pixels is too long; at most %d", size.X, size.Y, MaxSide)
	case size.X > MaxPixels/size.Y:
		return fmt.Errorf("a picture of %d by %d pixels is too large; at most %d pixels", size.X, size.Y, MaxPixels)
	}
	return nil
}

var errWebP = errors.New("no picture that can be read: the WebP file has no still picture")

// sizeOfWebP returns the size in the first chunk with a picture.
func sizeOfWebP(r io.Reader) (size image.Point, err error) {
	if _, err := io.CopyN(io.Discard, r, 12); err != nil { // RIFF, its length, WEBP
		return size, errWebP
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return size, errWebP
		}
		n, rest := int64(binary.LittleEndian.Uint32(head[4:])), [10]byte{}
		kind := string(head[:4])
		if kind != "VP8 " && kind != "VP8L" {
			if _, err := io.CopyN(io.Discard, r, n+n%2); err != nil {
				return size, errWebP
			}
			continue
		}
		if k, err := io.ReadFull(r, rest[:]); err != nil && k < 5 {
			return size, errWebP
		}
		if kind == "VP8L" { // a signature, then two numbers of 14 bits
			bits := binary.LittleEndian.Uint32(rest[1:])
			return image.Pt(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1), nil
		}
		return image.Pt(int(binary.LittleEndian.Uint16(rest[6:]))&0x3fff, int(binary.LittleEndian.Uint16(rest[8:]))&0x3fff), nil
	}
}

// whole returns the first picture of an animation on the whole canvas, of which it may be a part.
func whole(img image.Image, size image.Point) image.Image {
	canvas := image.Rectangle{Max: size}
	if img.Bounds() == canvas {
		return img
	}
	out := image.NewNRGBA(canvas)
	draw.Draw(out, img.Bounds(), img, img.Bounds().Min, draw.Src)
	return out
}
