package webdataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/regular"
)

// maxExamples is the largest number of examples.
const maxExamples = math.MaxInt32

// Shards is a dataset in tar archives. It is immutable and safe for concurrent use, as long as the
// files do not change.
type Shards struct {
	layout
	files    []string
	examples []indexed
}

// indexed says where an example is.
type indexed struct {
	file   int32
	class  int32
	array  bool // rather than a picture
	offset int64
	size   int64
	key    string
}

// Open indexes the archives at paths, in this order. A name that is absolute or leads out of the
// archive, a link, a member that is too large, an example that lacks a part or whose members do not stand
// next to each other, an archive that is compressed, and one that ends early are errors, which name the
// archive and the position. If ctx is cancelled, the error is its cause.
func Open(ctx context.Context, paths []string, o Options) (*Shards, error) {
	s, err := open(ctx, paths, o)
	if err != nil {
		return nil, fmt.Errorf("webdataset: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, paths []string, o Options) (*Shards, error) {
	switch {
	case ctx == nil:
		return nil, errors.New("no context")
	case len(paths) == 0:
		return nil, errors.New("no archives")
	}
	l, err := newLayout(o)
	if err != nil {
		return nil, err
	}
	s := &Shards{layout: l, files: slices.Clone(paths)}
	for i, p := range paths {
		if err := s.index(ctx, int32(i), p); err != nil {
			return nil, err
		}
	}
	if len(s.examples) == 0 {
		return nil, fmt.Errorf("%s and %d other archives have no examples", paths[0], len(paths)-1)
	}
	return s, nil
}

// index adds the examples of an archive.
func (s *Shards) index(ctx context.Context, number int32, file string) error {
	f, err := regular.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if compressed(f) {
		return fmt.Errorf("%s is compressed, so that its examples cannot be read in any order; unpack it, or read it as a stream", file)
	}
	e := indexed{file: number}
	a := archive{
		layout: &s.layout, tar: tar.NewReader(f), size: info.Size(),
		place: func() (int64, error) { return f.Seek(0, io.SeekCurrent) },
		ended: func(end int64) bool {
			var mark [endMark]byte
			_, err := f.ReadAt(mark[:], end)
			return err == nil && mark == [endMark]byte{}
		},
	}
	a.input = func(h *tar.Header, array bool) error {
		if len(s.examples) == maxExamples {
			return fmt.Errorf("more than %d examples", maxExamples)
		}
		e.array, e.offset, e.size = array, a.at, h.Size
		return nil
	}
	for {
		found, err := a.next(ctx)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%s, at byte %d: %w", file, a.at, err)
		}
		e.key, e.class = found.key, found.class
		s.examples = append(s.examples, e)
	}
}

// compressed tells a file in gzip's format by its first bytes.
func compressed(f *os.File) bool {
	var magic [2]byte
	_, err := f.ReadAt(magic[:], 0)
	return err == nil && magic == [2]byte{0x1f, 0x8b}
}

// Len returns the number of examples.
func (s *Shards) Len() int {
	if s == nil {
		return 0
	}
	return len(s.examples)
}

// Info describes the examples.
func (s *Shards) Info() data.Info {
	if s == nil {
		return data.Info{}
	}
	return s.info
}

// Path returns the archive of example i and its name there, "shard.tar/0001", or "" if there is no such
// example.
func (s *Shards) Path(i int) string {
	if i < 0 || i >= s.Len() {
		return ""
	}
	return s.files[s.examples[i].file] + "/" + s.examples[i].key
}

// Label returns the class of example i; see [data.Labelled].
func (s *Shards) Label(i int) (int32, bool) {
	if i < 0 || i >= s.Len() {
		return 0, false
	}
	return s.examples[i].class, true
}

// Read decodes example i. Errors name its archive.
func (s *Shards) Read(i int, e data.Example) error {
	if n := s.Len(); i < 0 || i >= n {
		return fmt.Errorf("webdataset: no example %d among %d", i, n)
	}
	if err := s.fits(e); err != nil {
		return fmt.Errorf("webdataset: %w", err)
	}
	if err := s.read(s.examples[i], e.X); err != nil {
		return fmt.Errorf("webdataset: %s: %w", s.Path(i), err)
	}
	e.Labels[0] = s.examples[i].class
	return nil
}

func (s *Shards) read(e indexed, x []float32) error {
	f, err := regular.Open(s.files[e.file])
	if err != nil {
		return err
	}
	defer f.Close()
	return s.decode(x, e.array, io.NewSectionReader(f, e.offset, e.size))
}
