package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/data/webdataset"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// streaming are the settings of training on archives that are read from their start.
type streaming struct {
	Stream bool `json:"stream,omitempty"`
	Buffer int  `json:"shuffle_buffer,omitempty"`  // images
	Steps  int  `json:"steps_per_epoch,omitempty"` // 0 is to the end
}

func (s *streaming) declare(c *call) {
	c.BoolVar(&s.Stream, "stream", false, "read the archives of -data from their start to their end, in another order in each epoch, instead of indexing them first; they may be compressed")
	c.IntVar(&s.Buffer, "shuffle-buffer", 0, "with -stream, draw each image from a buffer of `N`; 1 keeps the order of the archives and their images, 0 means 1,000")
	c.IntVar(&s.Steps, "steps-per-epoch", 0, "with -stream, end an epoch after `N` steps; 0 means the end of the archives, and then -schedule is "+onPlateau)
}

const defaultBuffer = 1000

// check refuses what a stream cannot do.
func (s streaming) check(all settings) error {
	if !s.Stream {
		if s.Buffer != 0 || s.Steps != 0 {
			return usagef("-shuffle-buffer and -steps-per-epoch are of -stream, which is not given")
		}
		return nil
	}
	for _, other := range []struct {
		flag  string
		given bool
		why   string
	}{
		{"-limit", all.Limit != 0, "-steps-per-epoch ends an epoch"},
		{"-balance", all.Balance, "it needs the labels of all images before the first step"},
		{"-class-weights " + balanced, all.ClassWeights == balanced, "it needs the labels of all images before the first step"},
		{"-skip-damaged", all.SkipDamaged, "it reads all images before the first step"},
		{"-split", all.Split != 0, "it is of a folder of pictures"},
	} {
		if other.given {
			return usagef("%s: with -stream there is none: %s", other.flag, other.why)
		}
	}
	return nil
}

// fillStream puts defaults where nothing is given. The steps of an epoch are needed for all schedules but one.
func (s *settings) fillStream() error {
	if !s.Stream {
		return nil
	}
	s.Buffer = cmp.Or(s.Buffer, defaultBuffer)
	if s.Steps > 0 {
		return nil
	}
	if s.Schedule = cmp.Or(s.Schedule, onPlateau); s.Schedule != onPlateau {
		return usagef("-schedule %s needs the number of steps of an epoch, which is not known with -stream; give -steps-per-epoch, or -schedule %s", s.Schedule, onPlateau)
	}
	return nil
}

// value is the setting that a flag sets.
func (s streaming) value(flag string) (v any, ok bool) {
	v, ok = map[string]any{"stream": s.Stream, "shuffle-buffer": s.Buffer, "steps-per-epoch": s.Steps}[flag]
	return v, ok
}

// attach makes a run learn from a stream, if there is one.
func (s streaming) attach(c *train.Config, stream data.Stream) {
	if s.Stream {
		c.Stream, c.Buffer, c.StepsPerEpoch = stream, s.Buffer, s.Steps
	}
}

// classesFile names the classes of archives, one on each line.
const classesFile = "classes.txt"

// archivesIn lists the archives in a folder, in alphabetical order.
func archivesIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		if strings.HasSuffix(name, ".tar") || isPacked(name) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// isPacked tells a compressed archive by its name.
func isPacked(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// isArchives tells a folder of archives by those with training images.
func isArchives(dir string) bool {
	paths, err := archivesIn(filepath.Join(dir, imagefolder.TrainFolder))
	return err == nil && len(paths) > 0
}

// loadArchives reads a folder of archives, train/*.tar, val/*.tar and, if there are any, test/*.tar. The
// training images are a stream if that is asked for, or if they are compressed.
func loadArchives(ctx context.Context, dir string, wide, input shape.Shape, p data.Preprocess, stream *webdataset.StreamOptions) (s splits, err error) {
	classes, err := classesOf(dir)
	if err != nil {
		return s, err
	}
	if !takesPictures(p) {
		p.Image = picture.Shorter(min(input.Int(1), input.Int(2))).String()
	}
	options := func(input shape.Shape) webdataset.Options {
		return webdataset.Options{Input: input, Preprocess: p, Classes: classes}
	}
	training, err := archivesIn(filepath.Join(dir, imagefolder.TrainFolder))
	if err != nil {
		return s, err
	}
	if stream == nil && !slices.ContainsFunc(training, isPacked) {
		if s.train, err = webdataset.Open(ctx, training, options(wide)); err != nil {
			return s, err
		}
	} else {
		o := webdataset.StreamOptions{}
		if stream != nil {
			o = *stream
		}
		o.Options = options(wide)
		if s.stream, err = webdataset.NewStream(training, o); err != nil {
			return s, err
		}
		s.archives = len(training)
	}
	for _, part := range []struct {
		ds     *data.Dataset
		folder string
		may    bool // be missing
	}{{&s.validation, imagefolder.ValidationFolder, false}, {&s.test, testFolder, true}} {
		paths, err := archivesIn(filepath.Join(dir, part.folder))
		if err == nil && len(paths) == 0 && part.may {
			continue
		}
		if err == nil && len(paths) == 0 {
			err = fmt.Errorf("%s has archives in %s, but none in %s", dir, imagefolder.TrainFolder, part.folder)
		}
		if err != nil {
			return s, err
		}
		if *part.ds, err = webdataset.Open(ctx, paths, options(input)); err != nil {
			return s, err
		}
	}
	return s, nil
}

// loadStream reads a folder of archives, the training images as a stream.
func (r *trainRun) loadStream(ctx context.Context) (splits, error) {
	s := r.settings
	if !isArchives(s.Data) {
		return splits{}, usagef("-stream: %s has no archives %s", plain.Name(s.Data), filepath.Join(imagefolder.TrainFolder, "*.tar"))
	}
	o := webdataset.StreamOptions{Shuffle: s.Buffer > 1, Seed: s.Seed}
	return loadArchives(ctx, s.Data, r.recipe.from(r.model.image), r.model.image, r.model.preprocess, &o)
}

// classesOf reads the names of the classes of archives.
func classesOf(dir string) ([]string, error) {
	path := filepath.Join(dir, classesFile)
	classes, err := readClasses(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s has archives, but no %s with the names of the classes, one on each line, in the order of their numbers", dir, classesFile)
	case err != nil:
		return nil, err
	case len(classes) < 2:
		return nil, fmt.Errorf("%s names only one class, %q", path, classes)
	}
	return classes, nil
}
