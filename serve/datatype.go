package serve

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

// A Datatype is an element type of the protocol, by its name there.
type Datatype string

// The types of elements. FP16 and BF16 are sent as bytes only.
const (
	BOOL   Datatype = "BOOL"
	UINT8  Datatype = "UINT8"
	UINT16 Datatype = "UINT16"
	UINT32 Datatype = "UINT32"
	UINT64 Datatype = "UINT64"
	INT8   Datatype = "INT8"
	INT16  Datatype = "INT16"
	INT32  Datatype = "INT32"
	INT64  Datatype = "INT64"
	FP16   Datatype = "FP16"
	BF16   Datatype = "BF16"
	FP32   Datatype = "FP32"
	FP64   Datatype = "FP64"
)

// datatype is a row of the table of element types.
type datatype struct {
	name  Datatype
	width int // bytes of an element
	// read writes the element that a JSON literal stands for to b, which has the width of the type. It is
	// nil for a type that JSON does not carry.
	read func(b []byte, literal string) error
	// append adds the element at b as JSON.
	append func(to, b []byte) ([]byte, error)
}

var native = binary.NativeEndian

var datatypes = [...]datatype{
	{FP32, 4,
		func(b []byte, s string) error {
			v, err := strconv.ParseFloat(s, 32)
			native.PutUint32(b, math.Float32bits(float32(v)))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return appendFloat(to, float64(math.Float32frombits(native.Uint32(b))), 32)
		}},
	{FP64, 8,
		func(b []byte, s string) error {
			v, err := strconv.ParseFloat(s, 64)
			native.PutUint64(b, math.Float64bits(v))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return appendFloat(to, math.Float64frombits(native.Uint64(b)), 64)
		}},
	{BOOL, 1,
		func(b []byte, s string) error {
			if s != "true" && s != "false" {
				return strconv.ErrSyntax
			}
			b[0] = 0
			if s == "true" {
				b[0] = 1
			}
			return nil
		},
		func(to, b []byte) ([]byte, error) { return strconv.AppendBool(to, b[0] != 0), nil }},
	signed(INT8, 1), signed(INT16, 2), signed(INT32, 4), signed(INT64, 8),
	unsigned(UINT8, 1), unsigned(UINT16, 2), unsigned(UINT32, 4), unsigned(UINT64, 8),
	{name: FP16, width: 2}, {name: BF16, width: 2},
}

func signed(name Datatype, width int) datatype {
	return datatype{name, width,
		func(b []byte, s string) error {
			v, err := strconv.ParseInt(s, 10, 8*width)
			put(b, uint64(v))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			unused := 64 - 8*width
			return strconv.AppendInt(to, int64(get(b)<<unused)>>unused, 10), nil
		}}
}

func unsigned(name Datatype, width int) datatype {
	return datatype{name, width,
		func(b []byte, s string) error {
			v, err := strconv.ParseUint(s, 10, 8*width)
			put(b, v)
			return err
		},
		func(to, b []byte) ([]byte, error) { return strconv.AppendUint(to, get(b), 10), nil }}
}

// put writes the lower bytes of v to b, which has 1, 2, 4 or 8.
func put(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		native.PutUint16(b, uint16(v))
	case 4:
		native.PutUint32(b, uint32(v))
	default:
		native.PutUint64(b, v)
	}
}

// get reads what put has written.
func get(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(native.Uint16(b))
	case 4:
		return uint64(native.Uint32(b))
	}
	return native.Uint64(b)
}

// errNotFinite is of an output that JSON has no literal for.
var errNotFinite = errors.New("not finite")

// appendFloat adds the shortest number that is read as v.
func appendFloat(to []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return to, errNotFinite
	}
	return strconv.AppendFloat(to, v, 'g', -1, bits), nil
}

// row returns the row of the table for d, or nil.
func (d Datatype) row() *datatype {
	i := slices.IndexFunc(datatypes[:], func(t datatype) bool { return t.name == d })
	if i < 0 {
		return nil
	}
	return &datatypes[i]
}

// datatypeOf returns the name of d in the protocol.
func datatypeOf(d shape.DType) Datatype {
	return map[shape.DType]Datatype{
		shape.Float32: FP32, shape.Float64: FP64, shape.Float16: FP16, shape.BFloat16: BF16,
		shape.Int8: INT8, shape.Int32: INT32, shape.Int64: INT64, shape.Uint8: UINT8, shape.Bool: BOOL,
	}[d]
}

func datatypeNames() string {
	var all []string
	for _, d := range datatypes {
		all = append(all, string(d.name))
	}
	return strings.Join(all, ", ")
}
