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

// datatype is an element type of the protocol.
type datatype struct {
	name  string
	dtype shape.DType
	// read writes the element that a JSON literal stands for to b, which has the width of the type.
	read func(b []byte, literal string) error
	// append adds the element at b as JSON.
	append func(to, b []byte) ([]byte, error)
}

var native = binary.NativeEndian

var datatypes = [...]datatype{
	{"FP32", shape.Float32,
		func(b []byte, s string) error {
			v, err := strconv.ParseFloat(s, 32)
			native.PutUint32(b, math.Float32bits(float32(v)))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return appendFloat(to, float64(math.Float32frombits(native.Uint32(b))), 32)
		}},
	{"FP64", shape.Float64,
		func(b []byte, s string) error {
			v, err := strconv.ParseFloat(s, 64)
			native.PutUint64(b, math.Float64bits(v))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return appendFloat(to, math.Float64frombits(native.Uint64(b)), 64)
		}},
	{"INT32", shape.Int32,
		func(b []byte, s string) error {
			v, err := strconv.ParseInt(s, 10, 32)
			native.PutUint32(b, uint32(v))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return strconv.AppendInt(to, int64(int32(native.Uint32(b))), 10), nil
		}},
	{"INT64", shape.Int64,
		func(b []byte, s string) error {
			v, err := strconv.ParseInt(s, 10, 64)
			native.PutUint64(b, uint64(v))
			return err
		},
		func(to, b []byte) ([]byte, error) {
			return strconv.AppendInt(to, int64(native.Uint64(b)), 10), nil
		}},
	{"UINT8", shape.Uint8,
		func(b []byte, s string) error {
			v, err := strconv.ParseUint(s, 10, 8)
			b[0] = uint8(v)
			return err
		},
		func(to, b []byte) ([]byte, error) { return strconv.AppendUint(to, uint64(b[0]), 10), nil }},
	{"BOOL", shape.Bool,
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

// datatypeOf returns the row of the table for d, or nil.
func datatypeOf(d shape.DType) *datatype {
	i := slices.IndexFunc(datatypes[:], func(t datatype) bool { return t.dtype == d })
	if i < 0 {
		return nil
	}
	return &datatypes[i]
}

func datatypeNames() string {
	var all []string
	for _, d := range datatypes {
		all = append(all, d.name)
	}
	return strings.Join(all, ", ")
}
