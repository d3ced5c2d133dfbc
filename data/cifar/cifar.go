package cifar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// Side is the width and height of an image.
const Side = 32

const pixels = 3 * Side * Side

// database is CIFAR-10 or CIFAR-100.
type database struct {
	train, test []string // files
	labels      []int    // number of values of each label byte of a record
	class       int      // index of the label byte with the class
	names       string   // the file with the names of the classes, if there is one
	classes     []string // the published names, used if there is no file
	mean, std   []float32
}

// Means and standard deviations are those of the training images, on a scale from 0 to 1.
var (
	cifar10 = database{
		train:   []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
		test:    []string{"test_batch.bin"},
		labels:  []int{10},
		classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
		mean:    []float32{.4914, .4822, .4465}, std: []float32{.2470, .2435, .2616},
	}
	cifar100 = database{
		train: []string{"train.bin"}, test: []string{"test.bin"},
		labels: []int{20, 100}, class: 1,
		names: "fine_label_names.txt", classes: strings.Fields(fineNames),
		mean: []float32{.5071, .4865, .4409}, std: []float32{.2673, .2564, .2762},
	}
	cifar20 = database{ // CIFAR-100 by its superclasses
		train: cifar100.train, test: cifar100.test,
		labels: cifar100.labels, class: 0,
		names: "coarse_label_names.txt", classes: strings.Fields(coarseNames),
		mean: cifar100.mean, std: cifar100.std,
	}
)

// Info describes the images of CIFAR-10, for programs that have none: (3,32,32), with the mean and the
// standard deviation of the training images.
func Info() data.Info { return cifar10.published() }

// Load10 reads CIFAR-10 from a folder with the files data_batch_1.bin to data_batch_5.bin and
// test_batch.bin. A file may have any number of records up to a million.
func Load10(dir string) (train, test data.Dataset, err error) { return cifar10.load(dir) }

// Load100 reads CIFAR-100, with its 100 classes, from a folder with the files train.bin and
// test.bin. The classes have the names in fine_label_names.txt or, if that is missing, the
// published names. A file may have any number of records up to a million.
func Load100(dir string) (train, test data.Dataset, err error) { return cifar100.load(dir) }

// Load100Coarse is [Load100] with the 20 superclasses, named in coarse_label_names.txt.
func Load100Coarse(dir string) (train, test data.Dataset, err error) { return cifar20.load(dir) }

func (d database) load(dir string) (train, test data.Dataset, err error) {
	info, err := d.info(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("cifar: %w", err)
	}
	if train, err = d.read(dir, d.train, info); err != nil {
		return nil, nil, fmt.Errorf("cifar: %w", err)
	}
	if test, err = d.read(dir, d.test, info); err != nil {
		return nil, nil, fmt.Errorf("cifar: %w", err)
	}
	return train, test, nil
}

// published describes the images, with the published names of classes.
func (d database) published() data.Info {
	return data.Info{
		Input: shape.F32(3, Side, Side), Target: shape.I32(), Classes: slices.Clone(d.classes),
		Preprocess: data.Preprocess{Image: picture.Shorter(Side).String(), Mean: slices.Clone(d.mean), Std: slices.Clone(d.std)},
	}
}

// info describes the images. It reads the names of the classes from dir if they are there.
func (d database) info(dir string) (data.Info, error) {
	info := d.published()
	if d.names == "" {
		return info, nil
	}
	path := filepath.Join(dir, d.names)
	text, err := regular.ReadFile(path, maxNames)
	if errors.Is(err, os.ErrNotExist) {
		return info, nil
	}
	if err != nil {
		return info, err
	}
	info.Classes = strings.Fields(string(text))
	if n := d.classCount(); len(info.Classes) != n {
		return info, fmt.Errorf("%s: %d names; want %d", path, len(info.Classes), n)
	}
	return info, nil
}

func (d database) classCount() int { return d.labels[d.class] }

// maxNames is the largest size of the file of names, in bytes.
const maxNames = 1 << 16

// read reads files as one dataset.
func (d database) read(dir string, files []string, info data.Info) (data.Dataset, error) {
	var images, classes []uint8
	for _, name := range files {
		path := filepath.Join(dir, name)
		f, err := regular.Open(path)
		if err != nil {
			return nil, err
		}
		if err = d.sized(f); err == nil {
			images, classes, err = d.records(bufio.NewReader(f), images, classes)
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return data.New(images, classes, info)
}

// maxRecords is the largest number of records in a file. Those of the databases have at most
// 50,000.
const maxRecords = 1_000_000

// sized returns an error if a file of that size cannot consist of records. It does not read any.
func (d database) sized(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if most := int64(maxRecords) * int64(len(d.labels)+pixels); info.Size() > most {
		return fmt.Errorf("%d bytes are more than %d records", info.Size(), maxRecords)
	}
	return nil
}

// records appends the images and classes of a file.
func (d database) records(r io.Reader, images, classes []uint8) ([]uint8, []uint8, error) {
	head := make([]byte, len(d.labels))
	for n := 0; ; n++ {
		switch _, err := io.ReadFull(r, head); {
		case errors.Is(err, io.EOF) && n > 0:
			return images, classes, nil
		case errors.Is(err, io.EOF):
			return nil, nil, errors.New("the file is empty")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, nil, truncated(n)
		case err != nil:
			return nil, nil, err
		}
		for i, v := range head {
			if int(v) >= d.labels[i] {
				return nil, nil, fmt.Errorf("record %d has label %d; want 0 to %d", n, v, d.labels[i]-1)
			}
		}
		at := len(images)
		images = slices.Grow(images, pixels)[:at+pixels]
		switch _, err := io.ReadFull(r, images[at:]); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, nil, truncated(n)
		case err != nil:
			return nil, nil, err
		}
		classes = append(classes, head[d.class])
	}
}

func truncated(record int) error {
	return fmt.Errorf("the file is truncated, or of another form: record %d is not whole", record)
}
