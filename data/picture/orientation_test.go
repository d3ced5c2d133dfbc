package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// exifWith returns Exif data with a tag before the orientation o.
func exifWith(order binary.AppendByteOrder, magic string, o uint16) []byte {
	b := order.AppendUint32([]byte(magic), 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x010f, 7}, {0x0112, o}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3) // a short
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = append(b, 0, 0)
	}
	return order.AppendUint32(b, 0)
}

// jpegWith puts Exif data into a JPEG file, behind another segment.
func jpegWith(t testing.TB, img image.Image, exif []byte) []byte {
	t.Helper()
	file := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 100}) })
	segment := append([]byte("Exif\x00\x00"), exif...)
	app := append([]byte("\xff\xe0\x00\x04ab\xff\xff\xe1"), byte((len(segment)+2)>>8), byte(len(segment)+2))
	return slices.Concat(file[:2], app, segment, file[2:])
}

// pngWith puts Exif data into a PNG file, at its end or before the pixels.
func pngWith(t testing.TB, img image.Image, exif []byte, late bool) []byte {
	t.Helper()
	file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif))), "eXIf"...)
	chunk = append(chunk, exif...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	at := 8 + 25 // behind the header
	if late {
		at = len(file) - 12
	}
	return slices.Concat(file[:at], chunk, file[at:])
}

// stored says how a picture of two rows, abc and def, is stored with each orientation: by the
// definition, where the row 0 and the column 0 of what is stored are to be seen (1: top, left;
// 2: top, right; 3: bottom, right; 4: bottom, left; 5: left, top; 6: right, top; 7: right,
// bottom; 8: left, bottom).
var stored = [8][]string{
	{"abc", "def"}, {"cba", "fed"}, {"fed", "cba"}, {"def", "abc"},
	{"ad", "be", "cf"}, {"cf", "be", "ad"}, {"fc", "eb", "da"}, {"da", "eb", "fc"},
}

var letters = map[byte]color.NRGBA{
	'a': {255, 0, 0, 255}, 'b': {0, 255, 0, 255}, 'c': {0, 0, 255, 255},
	'd': {255, 255, 0, 255}, 'e': {0, 255, 255, 255}, 'f': {255, 255, 255, 255},
}

const block = 16 // pixels, so that the colours of JPEG stay apart

func drawn(rows []string) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, block*len(rows[0]), block*len(rows)))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			img.SetNRGBA(x, y, letters[rows[y/block][x/block]])
		}
	}
	return img
}

// read returns the letters of a picture.
func read(t *testing.T, img image.Image) (rows []string) {
	t.Helper()
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		row := ""
		for x := b.Min.X; x < b.Max.X; x++ {
			row += letterOf(img.At(x, y))
		}
		rows = append(rows, row)
	}
	return rows
}

func letterOf(c color.Color) string {
	r, g, b, _ := c.RGBA()
	for l, want := range letters {
		wr, wg, wb, _ := want.RGBA()
		if r>>15 == wr>>15 && g>>15 == wg>>15 && b>>15 == wb>>15 {
			return string(l)
		}
	}
	return "?"
}

func TestPicturesStandUpright(t *testing.T) {
	want := read(t, drawn([]string{"abc", "def"}))
	for i, rows := range stored {
		little := exifWith(binary.LittleEndian, "II*\x00", uint16(i+1))
		big := exifWith(binary.BigEndian, "MM\x00*", uint16(i+1))
		for kind, file := range map[string][]byte{
			"JPEG, little-endian": jpegWith(t, drawn(rows), little), "JPEG, big-endian": jpegWith(t, drawn(rows), big),
			"PNG, early": pngWith(t, drawn(rows), big, false), "PNG, late": pngWith(t, drawn(rows), little, true),
		} {
			img, err := Decode(bytes.NewReader(file))
			require.NoError(t, err)
			require.Equal(t, want, read(t, img), "%s, orientation %d", kind, i+1)
		}
	}
}

// Grey, palette, 16 bits, not at the origin: what can be decoded can be turned.
func TestEveryKindOfPictureIsTurned(t *testing.T) {
	row := image.Rect(3, 5, 5, 6) // black and white
	for _, img := range []interface {
		image.Image
		Set(x, y int, c color.Color)
	}{
		image.NewGray(row), image.NewGray16(row), image.NewNRGBA64(row), image.NewCMYK(row),
		image.NewPaletted(row, color.Palette{color.Black, color.White}),
	} {
		img.Set(3, 5, color.Black)
		img.Set(4, 5, color.White)
		turned := upright(img, 8)
		require.Equal(t, image.Rect(0, 0, 1, 2), turned.Bounds())
		require.Equal(t, color.RGBA{255, 255, 255, 255}, turned.At(0, 0), "%T", img)
		require.Equal(t, color.RGBA{0, 0, 0, 255}, turned.At(0, 1), "%T", img)
	}
}

func TestExifThatSaysNothingLeavesThePicture(t *testing.T) {
	good := exifWith(binary.LittleEndian, "II*\x00", 6)
	require.Equal(t, orientation(6), orientationIn(good))
	with := func(at int, b ...byte) []byte { return slices.Concat(good[:at], b, good[at+len(b):]) }
	for name, exif := range map[string][]byte{
		"nothing": nil, "no byte order": with(0, 'X'), "tags outside": with(4, 255, 255, 255, 255),
		"tags at the end": with(4, byte(len(good)-1)), "orientation 0": with(10+12+8, 0),
		"orientation 9": with(10+12+8, 9), "of another type": with(10+12+2, 4), "two of them": with(10+12+4, 2),
		"fewer tags": with(8, 1), "cut off": good[:20],
	} {
		require.Equal(t, orientation(1), orientationIn(exif), name)
		for _, file := range [][]byte{jpegWith(t, drawn(stored[0]), exif), pngWith(t, drawn(stored[0]), exif, true)} {
			img, err := Decode(bytes.NewReader(file))
			require.NoError(t, err, name)
			require.Equal(t, drawn(stored[0]).Bounds(), img.Bounds(), name)
		}
	}
}

// FuzzOrientation holds that no file makes the search panic or go on for ever, and that what is
// found is an orientation.
func FuzzOrientation(f *testing.F) {
	for _, exif := range [][]byte{exifWith(binary.LittleEndian, "II*\x00", 6), exifWith(binary.BigEndian, "MM\x00*", 3)} {
		f.Add(jpegWith(f, image.NewGray(image.Rect(0, 0, 1, 1)), exif))
		f.Add(pngWith(f, image.NewGray(image.Rect(0, 0, 1, 1)), exif, true))
		f.Add(exif)
	}
	for _, c := range pillowFiles(f, "testdata/oriented.json", 54) {
		f.Add(c.File)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, format := range []string{"jpeg", "png", "webp", "tiff", "gif"} {
			o := orientationOf(bytes.NewReader(file), format)
			require.True(t, 1 <= o && o <= 8)
		}
	})
}

// A file of some hundred kilobytes may claim to be of one column that takes gigabytes.
func TestSidesHaveABound(t *testing.T) {
	whole := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, pattern(20, 20)) })
	for _, size := range [][2]uint32{{1, MaxPixels}, {MaxPixels, 1}, {1, MaxSide + 1}} {
		file := bytes.Clone(whole)
		binary.BigEndian.PutUint32(file[16:], size[0])
		binary.BigEndian.PutUint32(file[20:], size[1])
		binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
		_, err := Decode(bytes.NewReader(file))
		require.ErrorContains(t, err, fmt.Sprintf("a picture of %d by %d pixels is too long; at most 65535", size[0], size[1]))
	}
}
