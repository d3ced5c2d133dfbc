package idx

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// types says what an element is called, how many bytes it has, and what number they are.
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

// String returns Go's name of the type.
func (t Type) String() string {
	if row, ok := types[t]; ok {
		return row.name
	}
	return fmt.Sprintf("Type(%#02x)", uint8(t))
}

// Width is the size of one element in bytes, 0 for an unknown type.
func (t Type) Width() int { return types[t].width }

// maxRank bounds the number of axes.
const maxRank = 8

// Array is the content of a file.
type Array struct {
	Type Type
	Dims []int  // the extent of each axis, one to eight of them
	Data []byte // row-major, big-endian: for Uint8 and Int8 one byte an element
}

// Header returns what comes before Data in an uncompressed file.
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

// Read reads a file's content from r, to its end. The file may be compressed by gzip.
func Read(r io.Reader) (Array, error) {
	buffered := bufio.NewReader(r)
	magic, _ := buffered.Peek(2) // a read error comes again
	if string(magic) != "\x1f\x8b" {
		return read(buffered)
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return Array{}, fmt.Errorf("gzip: %w", truncated(err))
	}
	return read(z)
}

func read(r io.Reader) (Array, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Array{}, fmt.Errorf("idx header: %w", truncated(err))
	}
	a := Array{Type: Type(head[2]), Dims: make([]int, head[3])}
	switch {
	case head[0] != 0 || head[1] != 0 || a.Type.Width() == 0:
		return Array{}, fmt.Errorf("not an idx file: it begins with % x", head)
	case len(a.Dims) == 0 || len(a.Dims) > maxRank:
		return Array{}, fmt.Errorf("idx file of %d axes; want 1 to %d", len(a.Dims), maxRank)
	}
	size := uint64(a.Type.Width())
	for i := range a.Dims {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return Array{}, fmt.Errorf("idx header: %w", truncated(err))
		}
		extent := binary.BigEndian.Uint32(head[:])
		over, product := bits.Mul64(size, uint64(extent))
		if over > 0 || product > math.MaxInt {
			return Array{}, fmt.Errorf("idx file of too large extents: %v and %d", a.Dims[:i], extent)
		}
		size, a.Dims[i] = product, int(extent)
	}
	var err error
	if a.Data, err = take(r, int(size)); err != nil {
		return Array{}, fmt.Errorf("idx data, %v %v: %w", a.Dims, a.Type, err)
	}
	switch n, err := io.ReadFull(r, head[:1]); {
	case n > 0:
		return Array{}, fmt.Errorf("idx data, %v %v: more bytes follow", a.Dims, a.Type)
	case !errors.Is(err, io.EOF):
		return Array{}, fmt.Errorf("idx data, %v %v: %w", a.Dims, a.Type, truncated(err))
	}
	return a, nil
}

// take reads n bytes. Memory grows with what really comes, eightfold at a time.
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
