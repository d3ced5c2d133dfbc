package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/cifar"
	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
)

// splits are the parts of a dataset. Nothing is chosen by looking at test, which a folder of
// pictures may lack.
type splits struct {
	train, validation, test data.Dataset
	leftOut                 string // a line that tells what is not read, or empty

	stream   data.Stream // of the training images, if train is nil
	archives int         // of the stream
}

// info describes the training images.
func (s splits) info() data.Info {
	if s.stream != nil {
		return s.stream.Info()
	}
	return s.train.Info()
}

// source tells how much there is to train on.
func (s splits) source() string {
	switch {
	case s.stream == nil:
		return fmt.Sprint(s.train.Len(), " images")
	case s.archives == 1:
		return "1 archive"
	}
	return fmt.Sprint(s.archives, " archives")
}

// indexed refuses training images that can only be read as a stream.
func (s splits) indexed(from string) error {
	if s.train != nil {
		return nil
	}
	return fmt.Errorf("the training images of %s are in compressed archives, which cannot be indexed; unpack them", plain.Name(from))
}

// limit keeps only the first images of each part; 0 means all.
func (s *splits) limit(train, test int) {
	for part, n := range map[*data.Dataset]int{&s.train: train, &s.validation: test, &s.test: test} {
		if n > 0 && *part != nil {
			*part = data.Limit(*part, n)
		}
	}
}

// last is what a trained model is tested on, and its name.
func (s splits) last() (data.Dataset, string) {
	if s.test == nil {
		return s.validation, "validation"
	}
	return s.test, "test"
}

// source is a dataset that the -data flag knows by name.
type source struct {
	folder string // where it is by default; empty where there is no such place
	load   func(folder string) (train, test data.Dataset, err error)
}

func sources() map[string]source {
	return map[string]source{
		"mnist":         {load: loadMNIST},
		"fashion-mnist": {folder: "/usr/share/datasets/fashion-mnist", load: fashion.Load}, // Debian's dataset-fashion-mnist
		"cifar10":       {load: cifar.Load10},
		"cifar100":      {load: cifar.Load100},
	}
}

// dataUsage describes the -data flag.
const dataUsage = "mnist; fashion-mnist, which Debian packages; fashion-mnist:FOLDER, cifar10:FOLDER, cifar100:FOLDER with the published files;" +
	" or a `folder`, with pictures in train/CLASS and val/CLASS, with the four files of MNIST, or with archives as WebDataset has them in" +
	" train/*.tar and val/*.tar, and the names of the classes in classes.txt"

// loadData reads the dataset of a -data flag with inputs of the given shapes, wide for training,
// prepared and normalised by p. Small images are scaled up for a model that takes pictures: their
// sides to those of wide, and of what is not for training the centre is cut out. split is that of a -split
// flag, 0 for none.
func loadData(ctx context.Context, from string, wide, input shape.Shape, p data.Preprocess, split float64) (s splits, err error) {
	if split != 0 {
		return loadSplit(ctx, from, wide, input, p, split)
	}
	if isArchives(from) {
		return loadArchives(ctx, from, wide, input, p, nil)
	}
	if isPictures(from) {
		return loadPictures(ctx, from, wide, input, p)
	}
	if s, err = readData(from); err != nil {
		return s, err
	}
	switch have := s.train.Info().Input.Shape; {
	case have == input && have != wide:
		return s, fmt.Errorf("the images of %s are %v, the augmentation cuts its parts from %v", from, have, wide)
	case have != input && takesPictures(p):
		p.Image = picture.Shorter(min(wide.Int(1), wide.Int(2))).String()
	}
	for _, part := range []struct {
		ds    *data.Dataset
		shape shape.Shape
	}{{&s.train, wide}, {&s.validation, input}, {&s.test, input}} {
		if *part.ds, err = fit(*part.ds, from, part.shape, p); err != nil {
			return s, err
		}
	}
	return s, nil
}

// takesPictures tells inputs that can be made of any picture.
func takesPictures(p data.Preprocess) bool {
	_, ok := picture.ParseShorter(p.Image)
	return ok
}

// isPictures tells a folder of pictures by its folder of training pictures.
func isPictures(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, imagefolder.TrainFolder))
	return err == nil && info.IsDir()
}

func loadPictures(ctx context.Context, dir string, wide, input shape.Shape, p data.Preprocess) (s splits, err error) {
	if !takesPictures(p) {
		return s, fmt.Errorf("%s holds pictures, the model takes images %v of a dataset", dir, input)
	}
	train, validation, err := imagefolder.Load(ctx, dir, wide, input, p)
	if err != nil {
		return s, err
	}
	if classes := train.Info().Classes; len(classes) == 1 {
		return s, fmt.Errorf("%s has pictures of only one class, %q", dir, classes)
	}
	test, err := imagefolder.Open(ctx, filepath.Join(dir, testFolder), input, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return splits{train: train, validation: validation, leftOut: leftOut(train, validation)}, nil
	case err != nil:
		return s, err
	case !slices.Equal(test.Info().Classes, train.Info().Classes):
		return s, fmt.Errorf("%s has other classes in %s than in %s", dir, testFolder, imagefolder.TrainFolder)
	}
	return splits{train: train, validation: validation, test: test, leftOut: leftOut(train, validation, test)}, nil
}

// tell prints what is not read, if anything.
func (s splits) tell(w io.Writer) error {
	if s.leftOut == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, plain.Line(s.leftOut))
	return err
}

// leftOut tells in a line what is in folders of pictures but is not read.
func leftOut(folders ...*imagefolder.Folder) string {
	var told []string
	for _, f := range folders {
		for _, l := range f.LeftOut() {
			told = append(told, l.String())
		}
	}
	if len(told) == 0 {
		return ""
	}
	const show = 3
	if more := len(told) - show; more > 0 {
		told = append(told[:show], fmt.Sprintf("and %d kinds more", more))
	}
	return "not read, as no pictures of a class: " + strings.Join(told, ", ")
}

// testFolder holds pictures for the last test, where a folder of pictures has any.
const testFolder = "test"

// readData reads a dataset as it is published.
func readData(from string) (s splits, err error) {
	name, folder, _ := strings.Cut(from, ":")
	src, ok := sources()[name]
	if !ok {
		src, folder = source{load: loadFolder}, from
	}
	if folder == "" {
		folder = src.folder
	}
	all, test, err := src.load(folder)
	if errors.Is(err, fs.ErrNotExist) && ok {
		return s, fmt.Errorf("%w; name the folder that has the files: -data %s:FOLDER", err, name)
	}
	if err != nil {
		return s, err
	}
	rest, validation, err := mnist.Validation(all)
	return splits{train: rest, validation: validation, test: test}, err
}

// loadFolder reads the files of MNIST, which are all that a folder without pictures may hold.
func loadFolder(folder string) (train, test data.Dataset, err error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("no dataset %q, and no such folder; there are %s", folder, list(sources()))
	}
	if train, test, err = mnist.Load(folder); err != nil {
		return nil, nil, fmt.Errorf("%s has no pictures in %s/CLASS, nor the files of MNIST: %w", folder, imagefolder.TrainFolder, err)
	}
	return train, test, nil
}

// loadMNIST reads the embedded images where no folder is given.
func loadMNIST(folder string) (train, test data.Dataset, err error) {
	if folder != "" {
		return mnist.Load(folder)
	}
	if train, err = mnist.Train(); err != nil {
		return nil, nil, err
	}
	test, err = mnist.Test()
	return train, test, err
}

// fit brings the images of the dataset called name into the form that a model takes.
func fit(ds data.Dataset, name string, input shape.Shape, p data.Preprocess) (data.Dataset, error) {
	have := ds.Info().Input.Shape
	switch {
	case have == input:
		return data.WithPreprocess(ds, p)
	case !takesPictures(p):
		return nil, fmt.Errorf("the images of %s are %v, the model takes %v", name, have, input)
	}
	return scale(ds, input, p)
}
