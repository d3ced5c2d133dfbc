package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
)

// Stream is a [data.Stream] of the lines of a table. It is safe for concurrent use.
type Stream struct {
	o     Options
	path  string // of the file; empty if there is none
	info  data.Info
	names []string              // of the columns
	pipe  atomic.Pointer[lines] // what is read instead of a file, until it is opened
}

// OpenStream returns the stream of the table in a regular file, each epoch of which reads it anew. It is as
// [Read] says, but not in memory: errors in lines come when these are read, and classes by name need
// Options.Classes.
func OpenStream(path string, o Options) (*Stream, error) {
	s := &Stream{path: path}
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	defer f.Close()
	l, err := newLines(f, o)
	if err == nil {
		err = s.begin(l)
	}
	if err != nil {
		return nil, fmt.Errorf("csv: %s: %w", path, err)
	}
	return s, nil
}

// NewStream returns the stream of the table that r has, such as a pipe, whose first line it reads. It has one
// epoch, since r can only be read once, and does not close r.
func NewStream(r io.Reader, o Options) (*Stream, error) {
	s := new(Stream)
	l, err := newLines(r, o)
	if err == nil {
		err = s.begin(l)
	}
	if err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	s.pipe.Store(l)
	return s, nil
}

// begin takes what the first line says.
func (s *Stream) begin(l *lines) (err error) {
	if l.isClass() && l.o.Classes == nil {
		return errors.New("a stream needs the names of its Classes, since it is not read to its end before")
	}
	s.o, s.names = l.o, l.names
	s.o.Inputs, s.o.Target, s.o.Classes = slices.Clone(l.o.Inputs), slices.Clone(l.o.Target), slices.Clone(l.o.Classes)
	if s.info, err = l.info(); err != nil {
		return err
	}
	s.info.Classes = s.o.Classes
	return s.info.Err()
}

// Info implements [data.Stream].
func (s *Stream) Info() data.Info {
	if s == nil {
		return data.Info{}
	}
	return s.info
}

// Open implements [data.Stream].
func (s *Stream) Open(ctx context.Context, _ int) (data.Reader, error) {
	switch {
	case s == nil || s.names == nil:
		return nil, errors.New("csv: the Stream was not made by OpenStream or NewStream")
	case ctx == nil:
		return nil, errors.New("csv: no context")
	case s.path != "":
		return s.file()
	}
	l := s.pipe.Swap(nil)
	if l == nil {
		return nil, errors.New("csv: the table can only be read once, and has been; further epochs need a file")
	}
	return &reader{stream: s, lines: l}, nil
}

// file opens the file, which must have the columns that it had.
func (s *Stream) file() (data.Reader, error) {
	f, err := regular.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	l, err := newLines(f, s.o)
	if err == nil && !slices.Equal(l.names, s.names) {
		err = fmt.Errorf("the columns have changed: they were %s and are %s", plain.Names(s.names, shown), plain.Names(l.names, shown))
	}
	if err != nil {
		return nil, fmt.Errorf("csv: %s: %w", s.path, errors.Join(err, f.Close()))
	}
	return &reader{stream: s, lines: l, closer: f}, nil
}

// Decode implements [data.Stream].
func (s *Stream) Decode(r *data.Record, e data.Example) error { return r.Copy(e) }

// reader reads the lines of an epoch.
type reader struct {
	stream *Stream
	lines  *lines
	closer io.Closer // nil if what is read stays open
}

// Next implements [data.Reader].
func (r *reader) Next(to *data.Record) error {
	err := r.lines.next()
	if err == io.EOF {
		return io.EOF
	}
	if err == nil {
		err = r.fill(to)
	}
	switch path := r.stream.path; {
	case err == nil:
		return nil
	case path != "":
		return fmt.Errorf("csv: %s: %w", path, err)
	}
	return fmt.Errorf("csv: %w", err)
}

// fill makes the line a record.
func (r *reader) fill(to *data.Record) (err error) {
	l := r.lines
	to.Index, _ = l.csv.FieldPos(0)
	to.Name = "line " + strconv.Itoa(to.Index)
	if to.X, err = l.numbers(to.X, l.inputs); err != nil {
		return err
	}
	if !l.isClass() {
		to.Targets, err = l.numbers(to.Targets, l.targets)
		return err
	}
	label, err := l.label()
	to.Labels = append(to.Labels, label)
	return err
}

// Close implements [data.Reader].
func (r *reader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}
