package webdataset

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/shape"
)

// Options say how the members of an example become an input and a class.
type Options struct {
	// Input is the shape of an input: (3,H,W) or (1,H,W) of a picture, any of an array.
	Input shape.Shape
	// Preprocess describes how pictures become inputs; its Image is the name of a [picture.Shorter]. An
	// array is normalised by its Mean and Std only.
	Preprocess data.Preprocess
	// Classes are the names of the classes. Without them, classes are numbers.
	Classes []string
	// Field is the field of .json with the class, by number or name; default "label".
	Field string
}

// layout says how the members of an archive become examples.
type layout struct {
	info    data.Info
	way     picture.Shorter
	field   string
	classes data.ClassIndex
}

func newLayout(o Options) (layout, error) {
	l := layout{
		info:  data.Info{Input: shape.Type{DType: shape.Float32, Shape: o.Input}, Target: shape.I32(), Classes: slices.Clone(o.Classes), Preprocess: o.Preprocess},
		field: o.Field,
	}
	if l.field == "" {
		l.field = "label"
	}
	if err := l.info.Err(); err != nil {
		return l, err
	}
	l.classes = data.NewClassIndex(l.info.Classes)
	if o.Preprocess.Image == "" {
		return l, nil
	}
	var ok bool
	if l.way, ok = picture.ParseShorter(o.Preprocess.Image); !ok {
		return l, fmt.Errorf("preprocessing %q; want that of a picture.Shorter, such as %q", o.Preprocess.Image, picture.ImageNet().Image)
	}
	return l, l.way.Check(o.Input)
}

// fits returns an error if e has not the sizes of an example.
func (l *layout) fits(e data.Example) error {
	if len(e.X) != l.info.Input.Len() || len(e.Labels) != 1 {
		return fmt.Errorf("room for %d and %d elements; want %v and %v", len(e.X), len(e.Labels), l.info.Input, l.info.Target)
	}
	return nil
}

// decode makes an input of the content of a member, an array or a picture.
func (l *layout) decode(x []float32, array bool, content io.ReadSeeker) error {
	fill := l.picture
	if array {
		fill = l.array
	}
	if err := fill(x, content); err != nil {
		return err
	}
	l.info.Preprocess.Apply(x)
	return nil
}

func (l *layout) picture(x []float32, content io.ReadSeeker) error {
	if l.way == 0 {
		return errors.New("a picture, but Preprocess does not say how to prepare it")
	}
	img, err := picture.Decode(content)
	if err != nil {
		return err
	}
	return l.way.Fill(x, img, l.info.Input.Shape)
}

func (l *layout) array(x []float32, content io.ReadSeeker) error {
	b, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	a, err := npy.Unmarshal(b)
	if err != nil {
		return err
	}
	if want := l.info.Input.Shape.Ints(); !slices.Equal(a.Shape, want) {
		return fmt.Errorf("an array of %v; want %v", a.Shape, want)
	}
	return a.Float32s(x)
}
