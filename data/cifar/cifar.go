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
	"github.com/plexaura/plexaura/shape"
)

// Side is the width and height of an image.
const Side = 32

const pixels = 3 * Side * Side

// database is one of the two.
type database struct {
	train, test []string // files
	labels      []int    // how many values each label byte of a record has; the last is the class
	names       string   // the file with the names of the classes, if there is one
	classes     []string // the names, where there is no file
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
		train:  []string{"train.bin"},
		test:   []string{"test.bin"},
		labels: []int{20, 100},
		names:  "fine_label_names.txt",
		mean:   []float32{.5071, .4865, .4409}, std: []float32{.2673, .2564, .2762},
	}
)

// Load10 reads CIFAR-10 from the folder that holds data_batch_1.bin to data_batch_5.bin and
// test_batch.bin. A file may have any number of records.
func Load10(dir string) (train, test data.Dataset, err error) { return cifar10.load(dir) }

// Load100 reads CIFAR-100, with its 100 classes, from the folder that holds train.bin and
// test.bin. The classes have the names in fine_label_names.txt, or none where that is missing.
// A file may have any number of records.
func Load100(dir string) (train, test data.Dataset, err error) { return cifar100.load(dir) }

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

// info describes the images, with the names of the classes that are found in dir.
func (d database) info(dir string) (data.Info, error) {
	info := data.Info{
		Input: shape.F32(3, Side, Side), Target: shape.I32(), Classes: d.classes,
		Preprocess: data.Preprocess{Image: picture.Shorter(Side).String(), Mean: d.mean, Std: d.std},
	}
	if d.names == "" {
		return info, nil
	}
	path := filepath.Join(dir, d.names)
	text, err := os.ReadFile(path)
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

func (d database) classCount() int { return d.labels[len(d.labels)-1] }

// read reads files as one dataset.
func (d database) read(dir string, files []string, info data.Info) (data.Dataset, error) {
	var images, classes []uint8
	for _, name := range files {
		path := filepath.Join(dir, name)
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		images, classes, err = records(bufio.NewReader(f), d.labels, images, classes)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return data.New(images, classes, info)
}

// records appends the images and classes of a file. labels says how many values each label
// byte may have.
func records(r io.Reader, labels []int, images, classes []uint8) ([]uint8, []uint8, error) {
	head := make([]byte, len(labels))
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
			if int(v) >= labels[i] {
				return nil, nil, fmt.Errorf("record %d has label %d; want 0 to %d", n, v, labels[i]-1)
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
		classes = append(classes, head[len(head)-1])
	}
}

func truncated(record int) error {
	return fmt.Errorf("the file is truncated, or of another form: record %d is not whole", record)
}
