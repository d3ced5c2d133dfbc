package idx

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"slices"
)

// Type is an element type, numbered as in a file.
type Type uint8

// The element types.
const (
	Uint8   Type = 0x08
	Int8    Type = 0x09
	Int16   Type = 0x0b
	Int32   Type = 0x0c
	Float32 Type = 0x0d
	Float64 Type = 0x0e
)

// types has the name of each element type, its size in bytes, and its conversion to a number.
var types = map[Type]struct {
	name  string
	width int
	value func(b []byte) float64
}{
	Uint8:   {"uint8", 1, func(b []byte) float64 { return float64(b[0]) }},
	Int8:    {"int8", 1, func(b []byte) float64 { return float64(int8(b[0])) }},
	Int16:   {"int16", 2, func(b []byte) float64 { return float64(int16(binary.BigEndian.Uint16(b))) }},
	Int32:   {"int32", 4, func(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) }},
	Float32: {"float32", 4, func(b []byte) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(b))) }},
	Float64: {"float64", 8, func(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) }},
}

// String returns Go's name for the type.
func (t Type) String() string {
	if row, ok := types[t]; ok {
		return row.name
	}
	return fmt.Sprintf("Type(%#02x)", uint8(t))
}

// Width returns the size of one element in bytes, or 0 for an unknown type.
func (t Type) Width() int { return types[t].width }

// maxRank is the largest number of axes.
const maxRank = 8

// Array is the content of a file.
type Array struct {
	Type Type
	Dims []int  // the extent of each of one to eight axes
	Data []byte // row-major, big-endian: for Uint8 and Int8 one byte per element
}

// Header returns the bytes before Data in an uncompressed file.
func (a Array) Header() []byte {
	b := []byte{0, 0, byte(a.Type), byte(len(a.Dims))}
	for _, n := range a.Dims {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// Float64s returns the elements as numbers.
func (a Array) Float64s() []float64 {
	row := types[a.Type]
	if row.width == 0 {
		return nil
	}
	values := make([]float64, len(a.Data)/row.width)
	for i := range values {
		values[i] = row.value(a.Data[i*row.width:])
	}
	return values
}

// Limits of what is read. An expanded file may be up to 64 MiB plus 128 times its compressed size;
// images of the databases compress to a fifth.
const (
	MaxBytes   = 1 << 33 // of all elements
	gzipAlways = 1 << 26
	gzipRatio  = 128
)

// Read reads a file's content from r to its end. The file may be compressed by gzip.
func Read(r io.Reader) (Array, error) {
	return ReadIf(r, func(Array) error { return nil })
}

// ReadIf is Read with a check of the header: before it allocates memory for the data it calls check
// with an Array without Data. An error of check ends the reading.
func ReadIf(r io.Reader, check func(header Array) error) (Array, error) {
	switch {
	case r == nil:
		return Array{}, errors.New("idx: nothing to read from: the reader is nil")
	case check == nil:
		return Array{}, errors.New("idx: no check of the header: it is nil; Read is without one")
	}
	room := sizeOf(r)
	counted := &counter{r: r}
	buffered := bufio.NewReader(counted)
	magic, _ := buffered.Peek(2) // a read error occurs again below
	if string(magic) != "\x1f\x8b" {
		return read(buffered, room, check)
	}
	z, err := gzip.NewReader(buffered)
	if err = truncated(err); err == errTruncated {
		err = fmt.Errorf("gzip: %w", err) // like its other errors
	}
	if err != nil {
		return Array{}, err
	}
	return read(&inflated{z: z, from: counted}, expanded(room), check)
}

// sizeOf returns the largest number of bytes that can come from r, as far as it is known.
func sizeOf(r io.Reader) int64 {
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return math.MaxInt64
}

// expanded returns how large a compressed file of n bytes may be when it is expanded.
func expanded(n int64) int64 {
	if n > (math.MaxInt64-gzipAlways)/gzipRatio {
		return math.MaxInt64
	}
	return gzipAlways + gzipRatio*n
}

// counter counts the bytes that are read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// inflated reads expanded bytes, as long as there are not too many for the compressed size.
type inflated struct {
	z    io.Reader
	from *counter
	n    int64
}

func (f *inflated) Read(b []byte) (int, error) {
	n, err := f.z.Read(b)
	if f.n += int64(n); f.n > expanded(f.from.n) {
		return n, fmt.Errorf("gzip: more than %d times as large as it is compressed", gzipRatio)
	}
	return n, err
}

// read reads a file from r, which has at most room bytes.
func read(r io.Reader, room int64, check func(Array) error) (Array, error) {
	a, size, err := header(r)
	if err == nil {
		err = check(a)
	}
	if err != nil {
		return Array{}, err
	}
	if left := room - int64(len(a.Header())); size > left {
		return Array{}, fmt.Errorf("idx data, %v %v: %w: %d of %d bytes, or less", a.Dims, a.Type, errTruncated, max(left, 0), size)
	}
	if a.Data, err = take(r, int(size)); err != nil {
		return Array{}, fmt.Errorf("idx data, %v %v: %w", a.Dims, a.Type, err)
	}
	var next [1]byte
	switch n, err := io.ReadFull(r, next[:]); {
	case n > 0:
		return Array{}, fmt.Errorf("idx data, %v %v: more bytes follow", a.Dims, a.Type)
	case !errors.Is(err, io.EOF):
		return Array{}, fmt.Errorf("idx data, %v %v: %w", a.Dims, a.Type, truncated(err))
	}
	return a, nil
}

// header reads the header, and returns the number of bytes that the data must have.
func header(r io.Reader) (a Array, size int64, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return a, 0, fmt.Errorf("idx header: %w", truncated(err))
	}
	a = Array{Type: Type(head[2]), Dims: make([]int, head[3])}
	switch {
	case head[0] != 0 || head[1] != 0 || a.Type.Width() == 0:
		return a, 0, fmt.Errorf("not an idx file: it begins with % x", head)
	case len(a.Dims) == 0 || len(a.Dims) > maxRank:
		return a, 0, fmt.Errorf("idx file of %d axes; want 1 to %d", len(a.Dims), maxRank)
	}
	bytes := uint64(a.Type.Width())
	for i := range a.Dims {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return a, 0, fmt.Errorf("idx header: %w", truncated(err))
		}
		extent := binary.BigEndian.Uint32(head[:])
		over, product := bits.Mul64(bytes, uint64(extent))
		if over > 0 || product > min(MaxBytes, math.MaxInt) {
			return a, 0, fmt.Errorf("idx file of too large extents: %v and %d; want at most %d bytes", a.Dims[:i], extent, uint64(MaxBytes))
		}
		bytes, a.Dims[i] = product, int(extent)
	}
	return a, int64(bytes), nil
}

// take reads n bytes. It grows its memory with the bytes that arrive, by a factor of eight at a
// time.
func take(r io.Reader, n int) ([]byte, error) {
	b := []byte{}
	for len(b) < n {
		have := len(b)
		step := min(n-have, max(7*have, 1<<20))
		b = slices.Grow(b, step)[:have+step]
		if got, err := io.ReadFull(r, b[have:]); err != nil {
			if errors.Is(truncated(err), errTruncated) {
				return nil, fmt.Errorf("%w: %d of %d bytes", errTruncated, have+got, n)
			}
			return nil, err
		}
	}
	return b, nil
}

var errTruncated = errors.New("the file is truncated")

func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return err
}
