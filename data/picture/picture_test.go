package picture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/shape"
)

// pattern is the picture of testdata/pillow.py.
func pattern(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		x, y := i%w, i/w
		for c := range 3 {
			v := 9*x + 5*y + 60*c
			if (x/8+y/8)%2 == 1 {
				v = x*x*(c+2) + 31*y*(c+1) + x*y + 7*c
			}
			img.Pix[4*i+c] = uint8(v)
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

// Pillow rounds between the axes, so that it may be off by one step more.
func TestInputsAreThoseOfPillow(t *testing.T) {
	file, err := os.ReadFile("testdata/pillow.json")
	require.NoError(t, err)
	var cases []struct {
		Size, Crop [2]int
		Shorter    int
		Mode       string
		Pixels     []int
	}
	require.NoError(t, json.Unmarshal(file, &cases))
	require.Len(t, cases, 6)
	for _, c := range cases {
		channels := len(c.Mode)
		input := shape.Of(shape.Dim(channels), shape.Dim(c.Crop[0]), shape.Dim(c.Crop[1]))
		x, err := Shorter(c.Shorter).Prepare(pattern(c.Size[0], c.Size[1]), input)
		require.NoError(t, err)
		require.Len(t, x, len(c.Pixels))
		plane, worst, sum := len(x)/channels, 0.0, 0.0
		for i, want := range c.Pixels {
			off := math.Abs(float64(x[i%channels*plane+i/channels])*255 - float64(want))
			worst, sum = max(worst, off), sum+off
		}
		require.LessOrEqual(t, worst, 1.51, "%v", c.Size)
		require.Less(t, sum/float64(len(x)), 0.5, "%v", c.Size)
	}
}

// However a picture is stored, the input is about the same.
func TestEveryKindOfPicture(t *testing.T) {
	input := shape.Of(3, 20, 20)
	smooth := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for i := range 60 * 40 {
		smooth.Set(i%60, i/60, color.NRGBA{uint8(4 * (i % 60)), uint8(6 * (i / 60)), 90, 255})
	}
	want, err := Shorter(20).Prepare(smooth, input)
	require.NoError(t, err)
	wider := image.NewNRGBA64(image.Rect(-5, 3, 55, 43)) // 16 bits, not at the origin
	for i := range 60 * 40 {
		wider.Set(i%60-5, i/60+3, smooth.At(i%60, i/60))
	}
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return png.Encode(b, smooth) },
		func(b *bytes.Buffer) error { return png.Encode(b, wider) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, smooth, &jpeg.Options{Quality: 98}) },
	} {
		var b bytes.Buffer
		require.NoError(t, encode(&b))
		img, err := Decode(bytes.NewReader(b.Bytes()))
		require.NoError(t, err)
		got, err := Shorter(20).Prepare(img, input)
		require.NoError(t, err)
		require.InDeltaSlice(t, want, got, 0.02)
	}
	got, err := Shorter(20).Prepare(wider, input)
	require.NoError(t, err)
	require.InDeltaSlice(t, want, got, 0.005)

	clear := image.NewNRGBA(image.Rect(0, 0, 30, 30))
	got, err = Shorter(20).Prepare(clear, input)
	require.NoError(t, err)
	require.Equal(t, make([]float32, 1200), got)
}

func TestNamesOfWays(t *testing.T) {
	require.Equal(t, "shorter-256", ImageNet().Image)
	way, ok := ParseShorter("shorter-256")
	require.True(t, ok)
	require.Equal(t, Shorter(256), way)
	for _, name := range []string{"", "mnist", "shorter-", "shorter-0", "shorter--4", "shorter-+4", "shorter-04", "shorter-4 ", "shorter-99999999"} {
		_, ok := ParseShorter(name)
		require.False(t, ok, name)
	}
}

func TestShorterSaysWhatItCannotDo(t *testing.T) {
	for _, input := range []shape.Shape{
		shape.Of(), shape.Of(3, 9), shape.Of(2, 9, 9), shape.Of(3, shape.N, 9), shape.Of(3, 33, 9), shape.Of(3, 9, 33), shape.Of(3, 0, 9),
	} {
		require.Error(t, Shorter(32).Check(input), "%v", input)
		_, err := Shorter(32).Prepare(pattern(40, 40), input)
		require.Error(t, err, "%v", input)
	}
	require.ErrorContains(t, Shorter(1<<30).Check(shape.Of(3, 1, 1)), "want 1 to")
	require.NoError(t, Shorter(32).Check(shape.Of(1, 32, 7)))
	_, err := Shorter(32).Prepare(image.NewGray(image.Rectangle{}), shape.Of(3, 32, 32))
	require.ErrorContains(t, err, "0 by 0")
	_, err = Shorter(4096).Prepare(image.NewGray(image.Rect(0, 0, 60000, 2)), shape.Of(3, 32, 32))
	require.ErrorContains(t, err, "too long")
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b))
	return b.Bytes()
}

func TestPicturesThatCannotBeDecoded(t *testing.T) {
	whole := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, pattern(20, 20)) })
	huge := bytes.Clone(whole) // claims to be of the longest sides
	binary.BigEndian.PutUint32(huge[16:], MaxSide)
	binary.BigEndian.PutUint32(huge[20:], MaxSide)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "no picture that can be read"},
		{[]byte("not a picture"), "no picture that can be read"},
		{whole[:len(whole)-20], "damaged"},
		{huge, "too large"},
	} {
		path := filepath.Join(t.TempDir(), "x.png")
		require.NoError(t, os.WriteFile(path, c.file, 0o644))
		_, err := DecodeFile(path)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, path)
	}
	_, err := DecodeFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, func(b *bytes.Buffer) error { return png.Encode(b, pattern(28, 28)) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return jpeg.Encode(b, pattern(40, 20), nil) }))
	for _, c := range storedPictures(f) {
		f.Add(c.File)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		img, err := Decode(bytes.NewReader(file))
		if err != nil {
			return
		}
		x, err := Shorter(8).Prepare(img, shape.Of(3, 6, 8))
		if err != nil {
			return
		}
		for _, v := range x {
			require.True(t, v >= 0 && v <= 1, "%v", v)
		}
	})
}

// A photograph of the usual size of ImageNet's.
func BenchmarkPrepare(b *testing.B) {
	file := encoded(b, func(w *bytes.Buffer) error { return jpeg.Encode(w, pattern(500, 375), nil) })
	img, err := Decode(bytes.NewReader(file))
	require.NoError(b, err)
	input := shape.Of(3, 224, 224)
	x := make([]float32, input.Len())
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, err = Decode(bytes.NewReader(file))
		}
	})
	b.Run("fill", func(b *testing.B) {
		for b.Loop() {
			err = Shorter(256).Fill(x, img, input)
		}
	})
	require.NoError(b, err)
}
