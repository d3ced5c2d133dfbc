package main

import (
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
)

func TestScaledImagesAreThoseOfTheirPictures(t *testing.T) {
	const side, channels = 6, 3
	img, values := image.NewRGBA(image.Rect(0, 0, side, side)), make([]uint8, channels*side*side)
	for i := range side * side {
		c := color.RGBA{uint8(7 * i), uint8(255 - 3*i), uint8(i * i), 255}
		img.SetRGBA(i%side, i/side, c)
		values[i], values[side*side+i], values[2*side*side+i] = c.R, c.G, c.B
	}
	p := data.Preprocess{Image: picture.Shorter(16).String(), Mean: []float32{.4, .5, .6}, Std: []float32{.1, .2, .3}}
	input := shape.Of(3, 16, 16)
	want, err := picture.Shorter(16).Prepare(img, input)
	require.NoError(t, err)
	p.Apply(want)

	own := data.Preprocess{Mean: []float32{.3}, Std: []float32{.7}} // which is undone
	ds, err := data.New(values, []int{2}, data.Info{Input: shape.F32(3, side, side), Classes: []string{"a", "b", "c"}, Preprocess: own})
	require.NoError(t, err)
	big, err := scale(ds, input, p)
	require.NoError(t, err)
	info := ds.Info()
	info.Input, info.Preprocess = shape.F32(3, 16, 16), p
	require.Equal(t, info, big.Info())
	e := data.Example{X: make([]float32, 3*16*16), Labels: make([]int32, 1)}
	require.NoError(t, big.Read(0, e))
	require.Equal(t, want, e.X)
	require.Equal(t, []int32{2}, e.Labels)

	require.ErrorContains(t, big.Read(1, e), "no example 1")
	require.ErrorContains(t, big.Read(0, data.Example{X: make([]float32, 5), Labels: make([]int32, 1)}), "room for 5 elements")
}

// A grey image has three equal channels before they are normalised.
func TestScaledGrey(t *testing.T) {
	ds, err := data.New([]uint8{0, 50, 200, 255}, []int{0}, data.Info{Input: shape.F32(1, 2, 2), Classes: []string{"a"}})
	require.NoError(t, err)
	big, err := scale(ds, shape.Of(3, 2, 2), data.Preprocess{Image: "shorter-2"})
	require.NoError(t, err)
	e := data.Example{X: make([]float32, 12), Labels: make([]int32, 1)}
	require.NoError(t, big.Read(0, e))
	plane := []float32{0, 50. / 255, 200. / 255, 1}
	require.Equal(t, append(append(append([]float32{}, plane...), plane...), plane...), e.X)
}

func TestWhatCannotBeScaledIsAnError(t *testing.T) {
	grey, err := data.New([]uint8{0, 50, 200, 255}, []int{0}, data.Info{Input: shape.F32(1, 2, 2), Classes: []string{"a"}})
	require.NoError(t, err)
	flat, err := data.New([]uint8{0, 50, 200, 255}, []int{0}, data.Info{Input: shape.F32(4), Classes: []string{"a"}})
	require.NoError(t, err)
	for _, c := range []struct {
		ds    data.Dataset
		input shape.Shape
		p     data.Preprocess
		want  string
	}{
		{flat, shape.Of(3, 4, 4), data.Preprocess{Image: "shorter-4"}, "images of (4) to scale"},
		{grey, shape.Of(3, 4, 4), data.Preprocess{Image: "mnist"}, `preprocessing "mnist"`},
		{grey, shape.Of(3, 9, 9), data.Preprocess{Image: "shorter-4"}, "inputs of 9 by 9"},
		{grey, shape.Of(3, 4, 4), data.Preprocess{Image: "shorter-4", Mean: []float32{0}}, "1 means and 0 standard deviations"},
	} {
		_, err := scale(c.ds, c.input, c.p)
		require.ErrorContains(t, err, c.want)
	}
}

func BenchmarkScaled(b *testing.B) {
	ds, err := data.New(make([]uint8, 784), []int{0}, data.Info{Input: shape.F32(1, 28, 28), Classes: []string{"a"}})
	require.NoError(b, err)
	p := picture.ImageNet()
	p.Image = picture.Shorter(224).String()
	big, err := scale(ds, shape.Of(3, 224, 224), p)
	require.NoError(b, err)
	e := data.Example{X: make([]float32, 3*224*224), Labels: make([]int32, 1)}
	for b.Loop() {
		require.NoError(b, big.Read(0, e))
	}
}
