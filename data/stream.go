package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/shape"
)

// Stream is a source of examples that come one after the other, of a number that need not be known and
// may be infinite: archives that are read from their start, lines of a pipe, a generator. A [Loader] made by
// [NewStreamLoader] divides it into batches. [Generate] makes one of a function, [StreamOf] of a dataset.
//
// Reading has two parts, so that most of the work can be done by several goroutines. A [Reader] finds the
// next example and keeps it as it is, such as the bytes of a JPEG file, in a [Record]. Decode makes
// numbers of that.
type Stream interface {
	// Info describes the examples, which all have the same types. Its slices must not be changed.
	Info() Info
	// Open starts to read the examples of an epoch, counted from 0. A stream may have others, or
	// another order, in each epoch, but must have the same whenever the epoch is opened, which
	// resumed runs rely on. It may be opened again while an earlier Reader is in use. A stream that
	// can only be read once returns an error from then on. ctx is cancelled when the reading ends.
	Open(ctx context.Context, epoch int) (Reader, error)
	// Decode writes the example that r holds into e. It must be safe for concurrent use, and
	// depend on nothing but r, which it must not change.
	Decode(r *Record, e Example) error
}

// Reader reads the examples of one epoch of a [Stream]. It serves one goroutine at a time, not always the same.
type Reader interface {
	// Next reads the next example into r, or returns [io.EOF] if there is none. After an error it
	// is not called again. It may wait, but should end when the context of Open is cancelled; see
	// [Loader.EpochFrom].
	Next(r *Record) error
	// Close ends the reading. It is called once, and may be called before the end. After Next has
	// returned io.EOF, an error of Close is one of the epoch.
	Close() error
}

// Record is an example of a stream before it is decoded. What its fields hold is between the Reader and
// Decode of a stream. Records are used again: Next finds all fields empty, but slices with the
// capacity that they had, so that appending to them allocates nothing in the end.
type Record struct {
	Name    string    // tells the example to users in errors, such as "shard.tar/0001"; may be empty
	Index   int       // such as the number of the example in a dataset
	Raw     []byte    // such as the content of a file
	X       []float32 // such as an input that needs no decoding
	Labels  []int32   // such as its class number
	Targets []float32 // such as its target numbers

	place int   // in the stream
	held  int64 // bytes that are counted
}

// empty makes r ready for Next.
func (r *Record) empty() {
	*r = Record{Raw: r.Raw[:0], X: r.X[:0], Labels: r.Labels[:0], Targets: r.Targets[:0], held: r.held}
}

// size returns the number of bytes that r keeps.
func (r *Record) size() int64 {
	return int64(cap(r.Raw)) + 4*(int64(cap(r.X))+int64(cap(r.Labels))+int64(cap(r.Targets)))
}

// Copy copies X, Labels and Targets to e, which is what Decode does if a Reader sets them.
func (r *Record) Copy(e Example) error {
	if r == nil {
		return prefixed(errors.New("no record: it is nil"))
	}
	if len(r.X) != len(e.X) || len(r.Labels) != len(e.Labels) || len(r.Targets) != len(e.Targets) {
		return fmt.Errorf("data: a record of %d, %d and %d elements in X, Labels and Targets; want %d, %d and %d",
			len(r.X), len(r.Labels), len(r.Targets), len(e.X), len(e.Labels), len(e.Targets))
	}
	copy(e.X, r.X)
	copy(e.Labels, r.Labels)
	copy(e.Targets, r.Targets)
	return nil
}

var errNoStream = errors.New("no stream: it is nil")

// describeStream returns the Info of s.
func describeStream(s Stream) (info Info, err error) {
	if isnil.Of(s) {
		return info, errNoStream
	}
	defer rescue(&err)
	return s.Info(), nil
}

// StreamOf returns the stream of the examples of ds in their order, which are the same in each epoch.
func StreamOf(ds Dataset) (Stream, error) {
	if _, err := count(ds); err != nil {
		return nil, prefixed(err)
	}
	return inOrder{ds}, nil
}

// inOrder is the stream of a dataset, whose examples are read by Decode.
type inOrder struct{ ds Dataset }

// Info implements [Stream].
func (s inOrder) Info() Info { return s.ds.Info() }

// Open implements [Stream].
func (s inOrder) Open(context.Context, int) (Reader, error) { return &counter{ds: s.ds}, nil }

// Decode implements [Stream].
func (s inOrder) Decode(r *Record, e Example) error { return s.ds.Read(r.Index, e) }

// counter counts the examples of a dataset.
type counter struct {
	ds   Dataset
	next int
}

// Next implements [Reader].
func (c *counter) Next(r *Record) error {
	if c.next >= c.ds.Len() {
		return io.EOF
	}
	r.Index, r.Name = c.next, Path(c.ds, c.next)
	c.next++
	return nil
}

// Close implements [Reader].
func (c *counter) Close() error { return nil }

// Generate returns the stream of the examples that a generator yields. It is called for each epoch, counted
// from 0, must yield the same examples whenever it is called for the same epoch, and may go on for ever. The
// example that it yields has the sizes given by info and is copied, so that its memory can be used
// again; preparing it is part of generating, which one goroutine does. An error that it yields ends the
// epoch. ctx is cancelled when no more examples are wanted: a generator that waits for something should
// then return.
func Generate(info Info, generator func(ctx context.Context, epoch int) iter.Seq2[Example, error]) (Stream, error) {
	if err := info.Err(); err != nil {
		return nil, prefixed(err)
	}
	if generator == nil {
		return nil, prefixed(errors.New("no generator: it is nil"))
	}
	return generated{info, generator}, nil
}

type generated struct {
	info      Info
	generator func(ctx context.Context, epoch int) iter.Seq2[Example, error]
}

// Info implements [Stream].
func (g generated) Info() Info { return g.info }

// Open implements [Stream].
func (g generated) Open(ctx context.Context, epoch int) (Reader, error) {
	seq := g.generator(ctx, epoch)
	if seq == nil {
		return nil, fmt.Errorf("the generator returns nil for epoch %d", epoch)
	}
	p := &pulled{info: g.info}
	p.next, p.stop = iter.Pull2(func(yield func(Example, error) bool) {
		defer rescue(&p.panicked) // here, where the stack has the line
		seq(yield)
	})
	return p, nil
}

// Decode implements [Stream].
func (g generated) Decode(r *Record, e Example) error { return r.Copy(e) }

// pulled reads what a generator yields.
type pulled struct {
	info     Info
	next     func() (Example, error, bool)
	stop     func()
	panicked error
}

// Next implements [Reader].
func (p *pulled) Next(r *Record) error {
	e, err, ok := p.next()
	if !ok {
		return cmp.Or(p.panicked, io.EOF)
	}
	if err == nil {
		err = e.fits(p.info)
	}
	if err != nil {
		return err
	}
	r.X, r.Labels, r.Targets = append(r.X, e.X...), append(r.Labels, e.Labels...), append(r.Targets, e.Targets...)
	return nil
}

// Close implements [Reader].
func (p *pulled) Close() error {
	p.stop()
	return nil
}

// fits returns an error if e has not the sizes given by info.
func (e Example) fits(info Info) error {
	labels, targets := info.Target.Len(), 0
	if info.Target.DType == shape.Float32 {
		labels, targets = 0, labels
	}
	if len(e.X) != info.Input.Len() || len(e.Labels) != labels || len(e.Targets) != targets {
		return fmt.Errorf("it has %d, %d and %d elements in X, Labels and Targets; want %d, %d and %d for %v and %v",
			len(e.X), len(e.Labels), len(e.Targets), info.Input.Len(), labels, targets, info.Input, info.Target)
	}
	return nil
}
