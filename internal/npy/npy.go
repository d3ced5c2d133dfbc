package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// Array is an array with its elements in row-major order. Data is a []bool, a slice of a Go number
// of 8 to 64 bits, or []shape.Half for float16.
type Array struct {
	Shape []int
	Data  any
}

const (
	magic = "\x93NUMPY"
	// maxHeader is far more than the header of an array without named fields takes.
	maxHeader = 1 << 16
	maxAxes   = 64 // NumPy's own limit
)

// kind is an element type.
type kind struct {
	size int
	make func(n int) any
	rows func(data any, dims []int) any // row-major elements of column-major ones
}

func kindOf[T any]() kind {
	var zero T
	return kind{binary.Size(zero), func(n int) any { return make([]T, n) }, func(data any, dims []int) any { return rowMajor(data.([]T), dims) }}
}

// kinds are the element types by their codes, without the order of bytes.
var kinds = map[string]kind{
	"b1": kindOf[bool](), "f2": kindOf[shape.Half](), "f4": kindOf[float32](), "f8": kindOf[float64](),
	"i1": kindOf[int8](), "i2": kindOf[int16](), "i4": kindOf[int32](), "i8": kindOf[int64](),
	"u1": kindOf[uint8](), "u2": kindOf[uint16](), "u4": kindOf[uint32](), "u8": kindOf[uint64](),
}

// Unmarshal reads the array in the content of a file.
func Unmarshal(b []byte) (*Array, error) { return unmarshal(b) }

// ReadFile reads the array in a file. It takes memory in proportion to the size of the file.
func ReadFile(path string) (*Array, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	a, err := unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// unmarshal returns the array that b, the content of a file, has. It does not keep b.
func unmarshal(b []byte) (*Array, error) {
	text, elements, err := split(b)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	k, err := kindFor(h.descr)
	if err != nil {
		return nil, err
	}
	n, err := count(h.shape, k.size)
	if err != nil {
		return nil, err
	}
	if n*k.size != len(elements) {
		return nil, fmt.Errorf("%d bytes of elements; an array %v of %s has %d", len(elements), h.shape, h.descr, n*k.size)
	}
	a := &Array{h.shape, k.make(n)}
	if _, err := binary.Decode(elements, binary.LittleEndian, a.Data); err != nil {
		return nil, err
	}
	if h.fortran && len(h.shape) > 1 {
		a.Data = k.rows(a.Data, h.shape)
	}
	return a, nil
}

// split returns the text of the header and the elements behind it.
func split(b []byte) (header string, elements []byte, err error) {
	if len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return "", nil, errors.New("it is no .npy file")
	}
	major, minor, b := b[len(magic)], b[len(magic)+1], b[len(magic)+2:]
	if major < 1 || major > 3 || minor != 0 {
		return "", nil, fmt.Errorf("version %d.%d of the format; want 1.0 to 3.0", major, minor)
	}
	size, width := uint64(binary.LittleEndian.Uint16(b)), 2
	if major > 1 {
		if len(b) < 4 {
			return "", nil, io.ErrUnexpectedEOF
		}
		size, width = uint64(binary.LittleEndian.Uint32(b)), 4
	}
	b = b[width:]
	switch {
	case size > maxHeader:
		return "", nil, fmt.Errorf("a header of %d bytes; at most %d are read", size, maxHeader)
	case size > uint64(len(b)):
		return "", nil, fmt.Errorf("the file ends in its header: %w", io.ErrUnexpectedEOF)
	}
	return string(b[:size]), b[size:], nil
}

// kindFor finds the element type of a description such as "<f4".
func kindFor(descr string) (kind, error) {
	if len(descr) < 3 {
		return kind{}, fmt.Errorf("element type %q is not supported", descr)
	}
	k, ok := kinds[descr[1:]]
	switch order := descr[0]; {
	case !ok || !strings.ContainsRune("<>|=", rune(order)):
		return kind{}, fmt.Errorf("element type %q is not supported; want bool, or integers or floating-point numbers of at most 64 bits", descr)
	case order == '>' && k.size > 1, order == '=' && binary.NativeEndian.Uint16([]byte{1, 0}) != 1:
		return kind{}, fmt.Errorf("elements %q are big-endian; save them as %q", descr, "<"+descr[1:])
	}
	return k, nil
}

// count returns the number of elements, if their bytes can be counted.
func count(dims []int, size int) (int, error) {
	n := 1
	for _, d := range dims {
		if d != 0 && n > math.MaxInt/size/d {
			return 0, fmt.Errorf("extents %v are too large", dims)
		}
		n *= d
	}
	return n, nil
}

// rowMajor returns elements that are in column-major order in row-major order.
func rowMajor[T any](v []T, dims []int) []T {
	out := make([]T, len(v))
	if len(v) == 0 {
		return out
	}
	strides, at := make([]int, len(dims)), 1
	for i, d := range dims {
		strides[i], at = at, at*d
	}
	index, from := make([]int, len(dims)), 0
	for i := range out {
		out[i] = v[from]
		for a := len(dims) - 1; a >= 0; a-- {
			index[a]++
			from += strides[a]
			if index[a] < dims[a] {
				break
			}
			from -= strides[a] * dims[a]
			index[a] = 0
		}
	}
	return out
}

// Marshal returns the content of a file with the array, in version 1.0.
func (a *Array) Marshal() ([]byte, error) {
	if a == nil {
		return nil, errors.New("npy: there is no array")
	}
	code, n := codeOf(a.Data)
	if code == "" {
		return nil, fmt.Errorf("npy: elements of type %T have no type in NumPy", a.Data)
	}
	if len(a.Shape) > maxAxes || slices.ContainsFunc(a.Shape, func(d int) bool { return d < 0 }) {
		return nil, fmt.Errorf("npy: extents %v are not valid", a.Shape)
	}
	if want, err := count(a.Shape, kinds[code].size); err != nil || want != n {
		return nil, fmt.Errorf("npy: %d elements do not fill the extents %v", n, a.Shape)
	}
	var b bytes.Buffer
	header := headerText(code, a.Shape)
	b.WriteString(magic + "\x01\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	if err := binary.Write(&b, binary.LittleEndian, a.Data); err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return b.Bytes(), nil
}

// WriteFile writes the array, or nothing.
func (a *Array) WriteFile(path string) error {
	b, err := a.Marshal()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// codeOf returns the code of a slice's elements, or "", and their number.
func codeOf(data any) (code string, n int) {
	switch v := data.(type) {
	case []bool:
		return "b1", len(v)
	case []shape.Half:
		return "f2", len(v)
	case []float32:
		return "f4", len(v)
	case []float64:
		return "f8", len(v)
	case []int8:
		return "i1", len(v)
	case []int16:
		return "i2", len(v)
	case []int32:
		return "i4", len(v)
	case []int64:
		return "i8", len(v)
	case []uint8:
		return "u1", len(v)
	case []uint16:
		return "u2", len(v)
	case []uint32:
		return "u4", len(v)
	case []uint64:
		return "u8", len(v)
	}
	return "", 0
}

// Float32s writes the elements into x, which has as many. Bytes become 0 to 1, as intensities; other
// elements are float32 or float64.
func (a *Array) Float32s(x []float32) error {
	n := 0
	switch v := a.Data.(type) {
	case []float32:
		n = copy(x, v)
	case []float64:
		for n = 0; n < min(len(v), len(x)); n++ {
			x[n] = float32(v[n])
		}
	case []uint8:
		for n = 0; n < min(len(v), len(x)); n++ {
			x[n] = float32(v[n]) / 255
		}
	default:
		return fmt.Errorf("elements are %T; want float32, float64 or uint8", a.Data)
	}
	if n != len(x) {
		return fmt.Errorf("%d elements; want %d", n, len(x))
	}
	return nil
}
