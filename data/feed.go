package data

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/plexaura/plexaura/internal/philox"
)

// pool is the memory of a shuffle buffer.
type pool struct {
	records []*Record // nil where none has been needed yet
	bytes   int64     // of all records, those in slots included
}

func newPool(buffer int) *pool { return &pool{records: make([]*Record, max(buffer, 1))} }

// maxHeld is the largest number of bytes of all records in memory, 16 GiB as of all batches.
const maxHeld = 4 * maxBatches

// feed is the source of an epoch of a stream: what its Reader reads goes through a shuffle buffer. It
// reads no further than the next example needs.
type feed struct {
	stream Stream
	*pool
	order       philox.Stream
	epoch       int
	first, size int // the first batch, and examples in a batch
	dropLast    bool

	reader Reader // nil before the first batch and after the end
	n      int    // number of records in the buffer, the first ones
	read   int    // number of records that have been read
	drawn  uint64 // number of those that have been drawn from the buffer
	err    error  // of reading; io.EOF at the end of the stream
}

// take implements source.
func (f *feed) take(ctx context.Context, s *slot, k int) error {
	if f.read == 0 && f.err == nil {
		if err := f.begin(ctx, s); err != nil {
			return f.failed(ctx, err)
		}
	}
	n, err := f.draw(ctx, s)
	switch {
	case err != nil:
		return f.failed(ctx, err)
	case k == 0 && f.drawn == 0:
		return prefixed(errors.New("the stream has no examples"))
	case k == 0 && n < f.size && f.dropLast:
		return prefixed(fmt.Errorf("the stream has %d examples, fewer than a batch of %d, and DropLast leaves the smaller batch out: none is left", n, f.size))
	case n == 0 || n < f.size && f.dropLast:
		return errEnd
	}
	s.examples = s.numbers[:n]
	for j, r := range s.records[:n] {
		s.numbers[j], s.names[j] = r.place, r.Name
	}
	return nil
}

// failed returns err with the package's name, or the cause if ctx is cancelled.
func (f *feed) failed(ctx context.Context, err error) error {
	f.err = err
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return prefixed(err)
}

// begin opens the stream, and draws the examples before the first batch.
func (f *feed) begin(ctx context.Context, s *slot) error {
	if err := f.open(ctx); err != nil {
		return fmt.Errorf("opening the stream: %w", err)
	}
	for k := range f.first {
		n, err := f.draw(ctx, s)
		if err != nil {
			return err
		}
		if n == 0 || n < f.size && f.dropLast {
			return fmt.Errorf("the stream has only %d examples, %d batches: it cannot go on after %d", f.drawn, k, f.first)
		}
	}
	return nil
}

func (f *feed) open(ctx context.Context) (err error) {
	defer rescue(&err)
	r, err := f.stream.Open(ctx, f.epoch)
	if err == nil && r == nil {
		err = errors.New("Open returns no Reader")
	}
	f.reader = r
	return err
}

// draw swaps the records of s for those of the next batch, and returns their number.
func (f *feed) draw(ctx context.Context, s *slot) (n int, err error) {
	for n < f.size {
		if err := f.fill(ctx); err != nil {
			return n, err
		}
		if f.n == 0 {
			break
		}
		f.swap(&s.records[n])
		n++
	}
	return n, nil
}

// swap draws a record from the buffer at random and leaves r in its stead, as one that is empty.
func (f *feed) swap(r **Record) {
	i := f.order.Below(f.drawn, f.n)
	f.drawn++
	f.n--
	drawn, last := f.records[i], f.records[f.n]
	f.records[i], f.records[f.n] = last, *r
	*r = drawn
}

// fill reads until the buffer is full or the stream ends.
func (f *feed) fill(ctx context.Context) error {
	for f.n < len(f.records) && f.err != io.EOF {
		if f.err != nil {
			return f.err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.records[f.n] == nil {
			f.records[f.n] = new(Record)
		}
		switch err := f.next(f.records[f.n]); {
		case err == io.EOF:
			f.err = io.EOF
			if err := f.end(); err != nil {
				return fmt.Errorf("closing the stream after %d examples: %w", f.read, err)
			}
		case err != nil:
			return fmt.Errorf("example %d of the stream: %w", f.read, err)
		default:
			f.read++
			f.n++
		}
	}
	return nil
}

// next reads a record.
func (f *feed) next(r *Record) (err error) {
	defer rescue(&err)
	r.empty()
	r.place = f.read
	if err := f.reader.Next(r); err != nil {
		return err
	}
	f.bytes += r.size() - r.held
	r.held = r.size()
	if f.bytes > maxHeld {
		return fmt.Errorf("the examples that are held take more than %d bytes; want a smaller Buffer", maxHeld)
	}
	return nil
}

// end closes the Reader, if it is open.
func (f *feed) end() (err error) {
	if f.reader == nil {
		return nil
	}
	defer rescue(&err)
	r := f.reader
	f.reader = nil
	return r.Close()
}

// close implements source. An error of what has not been read to its end says nothing.
func (f *feed) close() { _ = f.end() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf returns a checksum of records.
func sumOf(records []*Record) uint64 {
	sum := uint64(len(records))
	for _, r := range records {
		sum = mixed64(sum, uint64(r.place))
		sum = mixed64(sum, uint64(r.Index))
		sum = mixed64(sum, philox.ID(r.Name))
		sum = mixed64(sum, uint64(crc32.Checksum(r.Raw, castagnoli))<<32|uint64(uint32(len(r.Raw))))
		for _, v := range r.X {
			sum = mixed64(sum, uint64(math.Float32bits(v)))
		}
		for _, v := range r.Labels {
			sum = mixed64(sum, uint64(uint32(v)))
		}
		for _, v := range r.Targets {
			sum = mixed64(sum, uint64(math.Float32bits(v)))
		}
	}
	return sum
}

// mixed64 adds a word to a checksum as FNV-1a adds a byte, with a rotation that brings high bits down.
func mixed64(sum, word uint64) uint64 {
	sum = (sum ^ word) * 0x100000001b3
	return sum<<29 | sum>>35
}
