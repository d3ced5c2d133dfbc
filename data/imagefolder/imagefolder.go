package imagefolder

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
)

// The folders of a dataset.
const (
	TrainFolder      = "train"
	ValidationFolder = "val"
)

// Folder is a dataset of pictures in one folder per class. It is immutable and safe for concurrent
// use, as long as the files do not change.
type Folder struct {
	dir     string
	info    data.Info
	way     picture.Shorter
	folders []string // of the classes
	files   []file
	leftOut leftOut
}

type file struct {
	path  string // relative to the folder of its class
	class int32
}

// Load lists the pictures of both parts of a dataset, dir/train and dir/val, which must have the
// same classes. p, such as the result of [picture.ImageNet], describes how pictures become inputs;
// its Image must be the name of a [picture.Shorter]. Validation images have the shape input,
// (3,H,W) or (1,H,W). Training images have the shape wide, which is larger if each epoch crops them
// randomly; they too are cut from the centre. If ctx is cancelled in the meantime, the error is its
// cause.
func Load(ctx context.Context, dir string, wide, input shape.Shape, p data.Preprocess) (train, validation *Folder, err error) {
	if train, err = Open(ctx, filepath.Join(dir, TrainFolder), wide, p); err != nil {
		return nil, nil, err
	}
	if validation, err = Open(ctx, filepath.Join(dir, ValidationFolder), input, p); err != nil {
		return nil, nil, err
	}
	if a, b := train.info.Classes, validation.info.Classes; !slices.Equal(a, b) {
		return nil, nil, fmt.Errorf("imagefolder: %s and %s differ in their classes: %s", train.dir, validation.dir, difference(a, b))
	}
	return train, validation, nil
}

// difference returns the names of the classes that are in only one of two lists.
func difference(a, b []string) string {
	only := func(a, b []string) string {
		missing := slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
		const show = 5
		if len(missing) > show {
			return fmt.Sprintf("%q and %d more", missing[:show], len(missing)-show)
		}
		return fmt.Sprintf("%q", missing)
	}
	return fmt.Sprintf("only the first has %s, only the second %s", only(a, b), only(b, a))
}

// Open lists the pictures of one part, dir/CLASS/..., in the same way as [Load]. [Folder.LeftOut]
// lists the other files.
func Open(ctx context.Context, dir string, input shape.Shape, p data.Preprocess) (*Folder, error) {
	f := &Folder{dir: dir, info: data.Info{
		Input: shape.Type{DType: shape.Float32, Shape: input}, Target: shape.I32(), Preprocess: p,
	}}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("imagefolder: %w", err)
	}
	if err := f.list(ctx); err != nil {
		return nil, fmt.Errorf("imagefolder: %w", err)
	}
	return f, nil
}

// check returns an error if pictures cannot become such inputs.
func (f *Folder) check() error {
	var ok bool
	if f.way, ok = picture.ParseShorter(f.info.Preprocess.Image); !ok {
		return fmt.Errorf("preprocessing %q; want that of a picture.Shorter, such as %q", f.info.Preprocess.Image, picture.ImageNet().Image)
	}
	if err := f.way.Check(f.info.Input.Shape); err != nil {
		return err
	}
	return f.info.Err()
}

// Len returns the number of pictures.
func (f *Folder) Len() int {
	if f == nil {
		return 0
	}
	return len(f.files)
}

// Info describes the pictures as inputs.
func (f *Folder) Info() data.Info {
	if f == nil {
		return data.Info{}
	}
	return f.info
}

// Path returns the file of picture i, or "" if there is no such picture.
func (f *Folder) Path(i int) string {
	if i < 0 || i >= f.Len() {
		return ""
	}
	p := f.files[i]
	return filepath.Join(f.dir, f.folders[p.class], p.path)
}

// Label returns the class of picture i; see [data.Labelled].
func (f *Folder) Label(i int) (int32, bool) {
	if i < 0 || i >= f.Len() {
		return 0, false
	}
	return f.files[i].class, true
}

// Read decodes picture i. Errors name its file.
func (f *Folder) Read(i int, e data.Example) error {
	if n := f.Len(); i < 0 || i >= n {
		return fmt.Errorf("imagefolder: no picture %d among %d", i, n)
	}
	if len(e.X) != f.info.Input.Len() || len(e.Labels) != 1 {
		return fmt.Errorf("imagefolder: room for %d and %d elements; want %v and %v", len(e.X), len(e.Labels), f.info.Input, f.info.Target)
	}
	path := f.Path(i)
	img, err := picture.DecodeFile(path)
	if err != nil {
		return fmt.Errorf("imagefolder: %w", err)
	}
	if err := f.way.Fill(e.X, img, f.info.Input.Shape); err != nil {
		return fmt.Errorf("imagefolder: %s: %w", path, err)
	}
	f.info.Preprocess.Apply(e.X)
	e.Labels[0] = f.files[i].class
	return nil
}
