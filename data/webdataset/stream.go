package webdataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/regular"
)

// StreamOptions say how archives are read as a stream.
type StreamOptions struct {
	Options
	// Shuffle reads the archives in another order in each epoch, which depends only on Seed, the epoch
	// and their number. The examples of an archive keep their order; a shuffle buffer changes it, such as
	// the Buffer of [data.Batching].
	Shuffle bool
	Seed    uint64
}

// Stream is a [data.Stream] of the examples in tar archives, which are read from their start to their end
// and may be compressed by gzip. It is safe for concurrent use, as long as the files do not change.
type Stream struct {
	layout
	files   []string
	shuffle bool
	seed    uint64
}

// NewStream returns the stream of the archives at paths, in this order unless they are shuffled. It opens
// them to see that they are there, but does not read them. Whether one is compressed is told by its
// content. What is an error for [Open] ends the epoch in which it is met; the error names the archive and
// the position, which is one in the content of an archive that is compressed. Pictures are decoded by
// the goroutines of the [data.Loader], and a shuffle buffer holds their files.
func NewStream(paths []string, o StreamOptions) (*Stream, error) {
	if len(paths) == 0 {
		return nil, errors.New("webdataset: no archives")
	}
	l, err := newLayout(o.Options)
	if err != nil {
		return nil, fmt.Errorf("webdataset: %w", err)
	}
	for _, p := range paths {
		f, err := regular.Open(p)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("webdataset: %w", err)
		}
	}
	return &Stream{layout: l, files: slices.Clone(paths), shuffle: o.Shuffle, seed: o.Seed}, nil
}

// Info implements [data.Stream].
func (s *Stream) Info() data.Info {
	if s == nil {
		return data.Info{}
	}
	return s.info
}

// Open implements [data.Stream].
func (s *Stream) Open(ctx context.Context, epoch int) (data.Reader, error) {
	switch {
	case s == nil || len(s.files) == 0:
		return nil, errors.New("webdataset: the Stream was not made by NewStream")
	case ctx == nil:
		return nil, errors.New("webdataset: no context")
	}
	order := make([]int, len(s.files))
	for i := range order {
		order[i] = i
	}
	if s.shuffle {
		philox.Stream{Seed: s.seed, ID: philox.ID("webdataset.order"), Step: uint64(epoch)}.Shuffle(order)
	}
	return &reader{ctx: ctx, stream: s, order: order}, nil
}

// The kinds of inputs, which are the first byte of a record.
const (
	isPicture = 'p'
	isArray   = 'a'
)

// Decode implements [data.Stream].
func (s *Stream) Decode(r *data.Record, e data.Example) error {
	if s == nil || r == nil || len(r.Raw) == 0 || len(r.Labels) != 1 {
		return errors.New("webdataset: a record that this Stream has not made")
	}
	if err := s.fits(e); err != nil {
		return fmt.Errorf("webdataset: %w", err)
	}
	if err := s.decode(e.X, r.Raw[0] == isArray, bytes.NewReader(r.Raw[1:])); err != nil {
		return fmt.Errorf("webdataset: %w", err)
	}
	e.Labels[0] = r.Labels[0]
	return nil
}

// reader reads the archives of an epoch.
type reader struct {
	ctx    context.Context
	stream *Stream
	order  []int // of the archives that are left

	file    *os.File // the one that is being read, or nil
	path    string
	content *counted
	archive archive
	record  *data.Record // that is being read
}

// Next implements [data.Reader].
func (r *reader) Next(to *data.Record) error {
	r.record = to
	for {
		if r.file == nil && len(r.order) == 0 {
			return io.EOF
		}
		e, err := r.next()
		if err == io.EOF {
			continue
		}
		if err != nil {
			return fmt.Errorf("webdataset: %w", err)
		}
		to.Name = r.path + "/" + e.key
		to.Labels = append(to.Labels, e.class)
		return nil
	}
}

// next returns the next example of the archive, and io.EOF at its end.
func (r *reader) next() (example, error) {
	if r.file == nil {
		if err := r.open(); err != nil {
			return example{}, err
		}
	}
	e, err := r.archive.next(r.ctx)
	if err == io.EOF {
		if err = r.content.finish(); err == nil {
			err = r.Close()
		}
		if err == nil {
			return e, io.EOF
		}
	}
	if err != nil && r.ctx.Err() == nil {
		err = fmt.Errorf("%s, at byte %d: %w", r.path, r.archive.at, err)
	}
	return e, err
}

// open opens the next archive.
func (r *reader) open() (err error) {
	r.path, r.order = r.stream.files[r.order[0]], r.order[1:]
	if r.file, err = regular.Open(r.path); err != nil {
		r.file = nil
		return err
	}
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	r.content = &counted{from: bufio.NewReaderSize(r.file, 1<<16)}
	if compressed(r.file) {
		size = math.MaxInt64
		if r.content.gzip, err = gzip.NewReader(r.content.from); err != nil {
			return fmt.Errorf("%s: %w", r.path, early(err))
		}
		r.content.from = r.content.gzip
	}
	r.archive = archive{
		layout: &r.stream.layout, tar: tar.NewReader(r.content), size: size, input: r.input,
		place: func() (int64, error) { return r.content.n, nil },
		ended: func(end int64) bool { return r.content.n >= end+endMark },
	}
	return nil
}

// input takes the content of an input into the record.
func (r *reader) input(h *tar.Header, array bool) (err error) {
	kind := byte(isPicture)
	if array {
		kind = isArray
	}
	r.record.Raw, err = appendContent(append(r.record.Raw, kind), r.archive.tar, h.Size)
	return err
}

// appendContent appends the content of a member. Memory grows with what there is, not with what a header
// claims.
func appendContent(raw []byte, from io.Reader, size int64) ([]byte, error) {
	const most = 1 << 20
	for size > 0 {
		n := int(min(size, most))
		raw = slices.Grow(raw, n)
		if _, err := io.ReadFull(from, raw[len(raw):len(raw)+n]); err != nil {
			return raw, early(err)
		}
		raw, size = raw[:len(raw)+n], size-int64(n)
	}
	return raw, nil
}

// Close implements [data.Reader].
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// counted counts the bytes of an archive.
type counted struct {
	from io.Reader
	gzip *gzip.Reader // nil if the archive is not compressed
	n    int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// finish reads what is behind the end mark of a compressed archive, which is padding, since the checksum
// follows it.
func (c *counted) finish() error {
	const most = 1 << 20
	if c.gzip == nil {
		return nil
	}
	_, err := io.CopyN(io.Discard, c.from, most)
	if err == io.EOF {
		return nil
	}
	return early(err)
}
