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

// orientationOf returns the orientation of a picture of the given format, as package image names it.
func orientationOf(r io.ReadSeeker, format string) orientation {
	switch format {
	case "jpeg":
		return orientationIn(exifOfJPEG(bufio.NewReader(r)))
	case "png":
		return orientationIn(exifOfPNG(bufio.NewReader(r)))
	case "webp":
		return orientationIn(exifOfWebP(bufio.NewReader(r)))
	case "tiff":
		return orientationOfTIFF(r)
	}
	return 1
}

// exifMark begins a segment of JPEG with Exif data.
const exifMark = "Exif\x00\x00"

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
		if exif, ok := bytes.CutPrefix(segment, []byte(exifMark)); ok {
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

// exifOfWebP returns the content of the chunk EXIF of an extended file whose header announces one
// (WebP Container Specification, "Extended File Format").
func exifOfWebP(b *bufio.Reader) []byte {
	var head [12]byte // RIFF, the size of what follows, WEBP
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return nil
	}
	r := io.LimitReader(b, int64(binary.LittleEndian.Uint32(head[4:]))-int64(len("WEBP")))
	for first := true; ; first = false {
		if _, err := io.ReadFull(r, head[:8]); err != nil {
			return nil
		}
		kind, n := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		padding := n % 2
		switch {
		case first:
			const announced = 1 << 3
			var flags [1]byte
			if _, err := io.ReadFull(r, flags[:]); err != nil || kind != "VP8X" || n == 0 || flags[0]&announced == 0 {
				return nil
			}
			n--
		case kind == "EXIF" && n <= maxExif:
			exif := make([]byte, n)
			if _, err := io.ReadFull(r, exif); err != nil {
				return nil
			}
			return exif
		}
		if _, err := io.CopyN(io.Discard, r, n+padding); err != nil {
			return nil
		}
	}
}

// orientationIn returns the orientation in Exif data, which are a TIFF file that consists only of
// tags. Some writers of WebP and PNG put the mark of JPEG's segments in front.
func orientationIn(exif []byte) orientation {
	return orientationOfTIFF(bytes.NewReader(bytes.TrimPrefix(exif, []byte(exifMark))))
}

// orientationOfTIFF returns the orientation among the tags of the first picture of a TIFF file (TIFF 6.0,
// section 2).
func orientationOfTIFF(r io.ReadSeeker) orientation {
	const entry = 12
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(head[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	if _, err := r.Seek(int64(order.Uint32(head[4:])), io.SeekStart); err != nil {
		return 1
	}
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 1
	}
	entries, err := io.ReadAll(io.LimitReader(r, entry*int64(order.Uint16(head[:2]))))
	if err != nil {
		return 1
	}
	for ; len(entries) >= entry; entries = entries[entry:] {
		if order.Uint16(entries) == orientationTag {
			return orientationOfTag(order, entries)
		}
	}
	return 1
}

const orientationTag = 0x0112

// orientationOfTag returns the value of a tag Orientation, which is one short.
func orientationOfTag(order binary.ByteOrder, entry []byte) orientation {
	const short = 3
	o := orientation(order.Uint16(entry[8:]))
	if order.Uint16(entry[2:]) != short || order.Uint32(entry[4:]) != 1 || o < 1 || o > 8 {
		return 1
	}
	return o
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
