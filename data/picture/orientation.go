package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"io"
)

// orientation describes how a picture must be rotated to be upright: the value of the tag
// Orientation in its Exif data (Exif 3.0, 4.6.5.1), 1 to 8. It is 1, already upright, if there is
// no tag or it cannot be read.
type orientation uint16

// maxExif is the largest size of Exif data that are read. A segment of JPEG has less than 64 KiB.
const maxExif = 1 << 16

// orientationOf returns the orientation of a PNG or JPEG picture.
func orientationOf(r io.Reader) orientation {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(len(pngMagic)); string(magic) == pngMagic {
		return orientationIn(exifOfPNG(b))
	}
	return orientationIn(exifOfJPEG(b))
}

// exifOfJPEG returns the Exif data in the segments before the image data.
func exifOfJPEG(r *bufio.Reader) []byte {
	const soi, app1, sos, eoi = 0xd8, 0xe1, 0xda, 0xd9
	var head [4]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil || head[0] != 0xff || head[1] != soi {
		return nil
	}
	for {
		marker, ok := nextMarker(r)
		if !ok || marker == sos || marker == eoi {
			return nil
		}
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return nil
		}
		n := int(binary.BigEndian.Uint16(head[:2])) - 2
		if marker != app1 {
			if _, err := r.Discard(max(n, 0)); err != nil || n < 0 {
				return nil
			}
			continue
		}
		segment := make([]byte, max(n, 0))
		if _, err := io.ReadFull(r, segment); err != nil || n < 0 {
			return nil
		}
		if exif, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok {
			return exif
		}
	}
}

// nextMarker reads a marker, which may be preceded by any number of bytes 0xff.
func nextMarker(r *bufio.Reader) (marker byte, ok bool) {
	b, err := r.ReadByte()
	if err != nil || b != 0xff {
		return 0, false
	}
	for b == 0xff {
		if b, err = r.ReadByte(); err != nil {
			return 0, false
		}
	}
	return b, true
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// exifOfPNG returns the content of the chunk eXIf, which may be after the image data (PNG, third
// edition, 11.3.4.5).
func exifOfPNG(r *bufio.Reader) []byte {
	if _, err := r.Discard(len(pngMagic)); err != nil {
		return nil
	}
	const checksum = 4
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil
		}
		n, kind := binary.BigEndian.Uint32(head[:4]), string(head[4:])
		if kind == "eXIf" && n <= maxExif {
			exif := make([]byte, n)
			if _, err := io.ReadFull(r, exif); err != nil {
				return nil
			}
			return exif
		}
		if _, err := io.CopyN(io.Discard, r, int64(n)+checksum); err != nil || kind == "IEND" {
			return nil
		}
	}
}

// orientationIn returns the orientation in Exif data, which are a TIFF file that consists only of
// tags.
func orientationIn(exif []byte) orientation {
	const tag, short, entry = 0x0112, 3, 12
	if len(exif) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(exif[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(exif[4:]))
	if at > int64(len(exif)-2) {
		return 1
	}
	n, entries := int(order.Uint16(exif[at:])), exif[at+2:]
	for ; n > 0 && len(entries) >= entry; n, entries = n-1, entries[entry:] {
		if order.Uint16(entries) != tag {
			continue
		}
		o := orientation(order.Uint16(entries[8:]))
		if order.Uint16(entries[2:]) != short || order.Uint32(entries[4:]) != 1 || o < 1 || o > 8 {
			return 1
		}
		return o
	}
	return 1
}

// turn maps the pixels of a picture: x and y are exchanged first, then each may be counted from the
// other end.
type turn struct{ exchange, flipX, flipY bool }

// turns has the turn of each orientation, from 1 on.
var turns = [8]turn{
	{}, {flipX: true}, {flipX: true, flipY: true}, {flipY: true},
	{exchange: true}, {exchange: true, flipX: true}, {exchange: true, flipX: true, flipY: true}, {exchange: true, flipY: true},
}

// upright returns img rotated according to o.
func upright(img image.Image, o orientation) image.Image {
	if o < 2 || o > 8 {
		return img
	}
	t, from := turns[o-1], img.Bounds()
	w, h := from.Dx(), from.Dy()
	if t.exchange {
		w, h = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	first, right, down := t.steps(w, h)
	row := image.NewRGBA(image.Rect(0, 0, from.Dx(), 1)) // one row at a time, for which conversion is fast
	for y := range from.Dy() {
		draw.Draw(row, row.Rect, img, image.Pt(from.Min.X, from.Min.Y+y), draw.Src)
		at := first + y*down
		for x := range from.Dx() {
			copy(out.Pix[4*(at+x*right):][:4], row.Pix[4*x:][:4])
		}
	}
	return out
}

// steps returns, for a result of w by h pixels, the position of the first pixel, and the distances
// from it to the pixels that were right of it and below it.
func (t turn) steps(w, h int) (first, right, down int) {
	right, down = 1, w
	if t.flipX {
		first, right = first+w-1, -1
	}
	if t.flipY {
		first, down = first+(h-1)*w, -w
	}
	if t.exchange {
		right, down = down, right
	}
	return first, right, down
}
