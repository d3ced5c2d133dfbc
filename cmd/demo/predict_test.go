package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/data/picture"
)

// stroke is a picture with a white bar on black.
func stroke(w, h int) image.Image {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := h / 4; y < 3*h/4; y++ {
		img.SetGray(w/2, y, color.Gray{Y: 255})
	}
	return img
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	var b bytes.Buffer
	require.NoError(t, encode(&b))
	return b.Bytes()
}

func TestPicturesThatCannotBeReadAreErrors(t *testing.T) {
	whole := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, stroke(20, 20)) })
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"text", []byte("not a picture"), "no picture that can be read"},
		{"truncated", whole[:len(whole)-20], "damaged"},
		{"blank", encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 9, 9))) }), "blank"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		require.NoError(t, os.WriteFile(path, c.file, 0o644))
		_, err := readPicture(path, mnist.Info())
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, path)
	}
}

func FuzzReadPicture(f *testing.F) {
	f.Add(encoded(f, func(b *bytes.Buffer) error { return png.Encode(b, stroke(28, 28)) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return jpeg.Encode(b, stroke(40, 20), nil) }))
	f.Fuzz(func(t *testing.T, file []byte) {
		img, err := picture.Decode(bytes.NewReader(file))
		if err != nil {
			return
		}
		x, err := mnist.Prepare(img)
		if err != nil {
			return
		}
		require.Len(t, x, mnist.Side*mnist.Side)
		for _, v := range x {
			require.True(t, v >= 0 && v <= 1, "%v", v)
		}
	})
}
