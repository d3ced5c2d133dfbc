package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// A Reader reads the tensors of a file when they are asked for, whatever its size. It holds the
// header in memory, which has at most 100 MB, and is safe for use by many goroutines.
type Reader struct {
	file *os.File
	head header
}

// Open opens the file at path and reads its header. Its errors, and those of the Reader, begin
// with the path. What is no regular file is an error, before it is opened.
func Open(path string) (*Reader, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{file: f}
	if err := r.read(); err != nil {
		f.Close()
		return nil, r.named(err)
	}
	return r, nil
}

// read reads the header, and checks that the file has the data.
func (r *Reader) read() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.head, err = readHeader(r.file, info.Size()); err != nil {
		return err
	}
	switch have := info.Size() - r.head.length; {
	case have < r.head.data:
		return fmt.Errorf("data of %d bytes: %w", r.head.data, errTruncated)
	case have > r.head.data:
		return errTooLong
	}
	return nil
}

func (r *Reader) named(err error) error {
	if err == nil || !r.opened() {
		return err
	}
	return fmt.Errorf("%s: %w", r.file.Name(), err)
}

// opened tells a Reader that Open made.
func (r *Reader) opened() bool { return r != nil && r.file != nil }

var errNoReader = errors.New("safetensors: no reader; make one by Open")

// Name is the path of the file.
func (r *Reader) Name() string {
	if !r.opened() {
		return ""
	}
	return r.file.Name()
}

// Close closes the file.
func (r *Reader) Close() error {
	if !r.opened() {
		return nil
	}
	return r.file.Close()
}

// Metadata returns the file's strings, which are the Reader's own.
func (r *Reader) Metadata() map[string]string {
	if !r.opened() {
		return nil
	}
	return r.head.metadata
}

// Tensors yields the tensors in the order of their names, without their Data.
func (r *Reader) Tensors() iter.Seq[Tensor] {
	return func(yield func(Tensor) bool) {
		if !r.opened() {
			return
		}
		for _, e := range r.head.entries {
			if !yield(e.tensor()) {
				return
			}
		}
	}
}

// Tensor returns the tensor of that name with its Data, or an error where there is none.
func (r *Reader) Tensor(name string) (Tensor, error) {
	e, err := r.find(name)
	if err != nil {
		return Tensor{}, r.named(err)
	}
	t := e.tensor()
	t.Data = make([]byte, e.end-e.begin)
	if _, err := io.ReadFull(r.data(e), t.Data); err != nil {
		return Tensor{}, r.named(fmt.Errorf("tensor %q: %w", name, truncated(err)))
	}
	return t, nil
}

// Values puts the elements of the tensor of that name into dst, row-major in the byte order of
// this machine: as many bytes as its Type has.
func (r *Reader) Values(name string, dst []byte) error {
	e, err := r.find(name)
	if err == nil {
		err = r.values(e, e.tensor().Type.DType, dst)
	}
	return r.named(err)
}

// ValuesAs is [Reader.Values] for elements of type d, which the tensor must [Tensor.ReadsAs].
func (r *Reader) ValuesAs(name string, d shape.DType, dst []byte) error {
	e, err := r.find(name)
	if err == nil {
		err = r.values(e, d, dst)
	}
	return r.named(err)
}

func (r *Reader) find(name string) (entry, error) {
	if !r.opened() {
		return entry{}, errNoReader
	}
	i, found := slices.BinarySearchFunc(r.head.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !found {
		return entry{}, fmt.Errorf("there is no tensor %q", name)
	}
	return r.head.entries[i], nil
}

// data are the bytes of e in the file.
func (r *Reader) data(e entry) io.Reader {
	return io.NewSectionReader(r.file, r.head.length+e.begin, e.end-e.begin)
}

// values reads a part of the data at a time, so that memory for them is needed once.
func (r *Reader) values(e entry, as shape.DType, dst []byte) error {
	t := e.tensor()
	if err := t.DecodeFrom(r.data(e), as, dst); err != nil {
		return fmt.Errorf("tensor %q: %w", e.name, err)
	}
	return nil
}

// Fits returns an error unless the elements of t can be decoded as elements of type as into dst.
func (t Tensor) Fits(as shape.DType, dst []byte) error {
	want := t.Type.As(as)
	switch err := t.Err(); {
	case err != nil:
		return err
	case !t.ReadsAs(as):
		return fmt.Errorf("it is %v; want %v", t.Type, as)
	case len(dst) != want.Bytes():
		return fmt.Errorf("room for %d bytes; %v has %d", len(dst), want, want.Bytes())
	}
	return nil
}

// DecodeFrom is [Tensor.Decode] of all elements, which must [Tensor.Fits] into dst. It reads them from r, a part at a time.
func (t Tensor) DecodeFrom(r io.Reader, as shape.DType, dst []byte) error {
	if r == nil {
		return errNoReader
	}
	if err := t.Fits(as, dst); err != nil {
		return err
	}
	width := t.Type.Width()
	for buf := make([]byte, 1<<16); len(dst) > 0; {
		n := min(len(buf)/width, len(dst)/as.Width())
		if _, err := io.ReadFull(r, buf[:n*width]); err != nil {
			return truncated(err)
		}
		if err := t.Decode(as, dst[:n*as.Width()], buf[:n*width]); err != nil {
			return err
		}
		dst = dst[n*as.Width():]
	}
	return nil
}

// widenings are how elements of the file, of two bytes, become float32.
var widenings = map[shape.DType]func(bits uint16) float32{
	shape.BFloat16: func(bits uint16) float32 { return shape.Brain(bits).Float32() },
	shape.Float16:  func(bits uint16) float32 { return shape.Half(bits).Float32() },
}

// Decode turns src, elements of t as they are in a file, little-endian, into elements of type as, which t must
// [Tensor.ReadsAs], in the byte order of this machine.
func (t Tensor) Decode(as shape.DType, dst, src []byte) error {
	own := t.Type.DType
	if !t.ReadsAs(as) || own == shape.Invalid || len(src)%own.Width() != 0 || len(dst) != len(src)/own.Width()*as.Width() {
		return fmt.Errorf("%d bytes of %v are not %d of %v", len(src), t, len(dst), as)
	}
	switch {
	case as != own:
		widen := widenings[own]
		for i := range len(src) / 2 {
			binary.NativeEndian.PutUint32(dst[4*i:], math.Float32bits(widen(binary.LittleEndian.Uint16(src[2*i:]))))
		}
	case own == shape.Bool:
		copy(dst, src)
		return checkBools(src)
	default:
		if copy(dst, src); !littleEndian() {
			reversed(dst, own.Width())
		}
	}
	return nil
}

// checkBools refuses what Go cannot hold in a bool.
func checkBools(data []byte) error {
	for i, b := range data {
		if b > 1 {
			return fmt.Errorf("BOOL element %d is %d; want 0 or 1", i, b)
		}
	}
	return nil
}
