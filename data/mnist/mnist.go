package mnist

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/idx"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// Side is the width and height of an image.
const Side = 28

// Mean and Std are the mean and standard deviation of all pixels of the 60,000 training images, on
// a scale from 0 to 1.
const (
	Mean = 0.1307
	Std  = 0.3081
)

// ImagePrep is the name of [Prepare] in [data.Preprocess].
const ImagePrep = "mnist"

// Info describes the images: float32(1,28,28), normalised to mean 0 and standard deviation 1, and
// classes "0" to "9".
func Info() data.Info {
	return data.Info{
		Input:      shape.F32(1, Side, Side),
		Target:     shape.I32(),
		Classes:    []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		Preprocess: data.Preprocess{Image: ImagePrep, Mean: []float32{Mean}, Std: []float32{Std}},
	}
}

//go:embed *-ubyte.gz
var embedded embed.FS

// file is a file of the database with the SHA-256 of its uncompressed content.
type file struct{ name, sha256 string }

// part is the training or the test set.
type part struct{ images, labels file }

var (
	trainPart = part{
		file{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
		file{"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
	}
	testPart = part{
		file{"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
		file{"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
	}
)

// The embedded images are decoded once per process; they are never written.
var (
	train = sync.OnceValues(func() (data.Dataset, error) { return trainPart.load(embedded, Info(), true) })
	test  = sync.OnceValues(func() (data.Dataset, error) { return testPart.load(embedded, Info(), true) })
)

// Train returns all 60,000 training images. To choose between models, by early stopping or
// otherwise, use [TrainValidation].
func Train() (data.Dataset, error) { return train() }

// Test returns the 10,000 test images.
func Test() (data.Dataset, error) { return test() }

// TrainValidation returns the training images in two sets, 55,000 for training and 5,000 for
// validation, split by [Validation].
func TrainValidation() (train, validation data.Dataset, err error) {
	all, err := Train()
	if err != nil {
		return nil, nil, err
	}
	return Validation(all)
}

// Validation chooses one twelfth of the training images at random, for validation, and returns the
// others and the chosen ones. The choice is always the same, for any seed of a run, so that results
// can be compared.
func Validation(train data.Dataset) (rest, validation data.Dataset, err error) {
	if train == nil {
		return nil, nil, errors.New("mnist: no dataset: it is nil")
	}
	return data.Split(train, train.Len()/12, 1998)
}

// Load reads a folder with the four files of MNIST, or files with the same names and format: images
// of 28 by 28 bytes and labels from 0 to 9, in any number. Each may be compressed by gzip, with the
// extension .gz.
func Load(dir string) (train, test data.Dataset, err error) { return LoadAs(dir, Info()) }

// LoadAs is [Load] for other images in that format. info describes their classes and preprocessing.
func LoadAs(dir string, info data.Info) (train, test data.Dataset, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, fmt.Errorf("mnist: %w", err)
	}
	if train, test, err = LoadFS(regularFiles(dir), info); err != nil {
		return nil, nil, fmt.Errorf("%w (in folder %s)", err, dir)
	}
	return train, test, nil
}

// LoadFS is [LoadAs] for any file system, such as one that is embedded in a program.
func LoadFS(folder fs.FS, info data.Info) (train, test data.Dataset, err error) {
	if isnil.Of(folder) {
		return nil, nil, errors.New("mnist: no folder to read from: it is nil")
	}
	if train, err = trainPart.load(folder, info, false); err != nil {
		return nil, nil, err
	}
	if test, err = testPart.load(folder, info, false); err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

// load reads both files of a part from a folder, and compares their checksums if verify is set. It
// reads the labels first: they are few bytes, and give the number of images.
func (p part) load(folder fs.FS, info data.Info, verify bool) (data.Dataset, error) {
	labels, err := p.labels.read(folder, verify, func(h idx.Array) error {
		if h.Type != idx.Uint8 || len(h.Dims) != 1 {
			return fmt.Errorf("%v %v; want a list of uint8 labels", h.Dims, h.Type)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	images, err := p.images.read(folder, verify, func(h idx.Array) error {
		switch n := h.Dims[0]; {
		case h.Type != idx.Uint8 || !slices.Equal(h.Dims, []int{n, Side, Side}):
			return fmt.Errorf("%v %v; want uint8 images of 28 by 28", h.Dims, h.Type)
		case n != labels.Dims[0]:
			return fmt.Errorf("%d images, but %s has %d labels", n, p.labels.name, labels.Dims[0])
		case n == 0:
			return errors.New("no images")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ds, err := data.New(images.Data, labels.Data, info)
	if err != nil {
		return nil, fmt.Errorf("mnist: %s: %w", p.labels.name, err)
	}
	return ds, nil
}

// read reads the file, compressed or not, if check accepts its header.
func (f file) read(folder fs.FS, verify bool, check func(header idx.Array) error) (idx.Array, error) {
	name := f.name
	opened, err := folder.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		name += ".gz"
		opened, err = folder.Open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return idx.Array{}, fmt.Errorf("mnist: neither %s nor %s is there", f.name, name)
	}
	if err != nil {
		return idx.Array{}, fmt.Errorf("mnist: %w", err)
	}
	defer opened.Close()
	a, err := idx.ReadIf(opened, check)
	if err != nil {
		return idx.Array{}, fmt.Errorf("mnist: %s: %w", name, err)
	}
	if verify && checksum(a) != f.sha256 {
		return idx.Array{}, fmt.Errorf("mnist: %s is not the file of the database: its checksum differs", name)
	}
	return a, nil
}

// regularFiles is a folder in which only regular files can be opened.
type regularFiles string

func (dir regularFiles) Open(name string) (fs.File, error) {
	f, err := regular.Open(filepath.Join(string(dir), name))
	if err != nil {
		return nil, err // not a nil file of another type
	}
	return f, nil
}

// checksum returns the SHA-256 of the uncompressed file that holds a.
func checksum(a idx.Array) string {
	h := sha256.New()
	h.Write(a.Header())
	h.Write(a.Data)
	return hex.EncodeToString(h.Sum(nil))
}
