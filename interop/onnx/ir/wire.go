package ir

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxDepth is how deep messages may be nested: graphs in attributes of nodes, types in types.
const MaxDepth = 100

// What is made of a file's messages, besides the elements of tensors, may take least bytes and,
// since an empty message takes two bytes of the file and hundreds of memory, times as many bytes as
// the file has. Files of networks take less than a third of that.
const (
	least = 64 << 20
	times = 16
)

// decoder counts what a file makes.
type decoder struct {
	left  int // bytes that may still be taken
	depth int
}

func newDecoder(b []byte) *decoder { return &decoder{left: least + times*len(b)} }

var (
	errTruncated = errors.New("the file is truncated or no protocol buffer")
	errMany      = errors.New("the file has more messages than a network of its size")
	errDeep      = fmt.Errorf("messages are nested more than %d deep", MaxDepth)
)

// field is one field of a message, with its value by wire type.
type field struct {
	num  protowire.Number
	typ  protowire.Type
	bits uint64 // of a varint or fixed value
	data []byte // of a message, string or packed list
}

// message calls f for each field of the message b. Groups are skipped.
func (d *decoder) message(b []byte, f func(field) error) error {
	if d.depth++; d.depth > MaxDepth {
		return errDeep
	}
	defer func() { d.depth-- }()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		fd := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			fd.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			fd.bits = uint64(v)
		case protowire.Fixed64Type:
			fd.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			fd.data, n = protowire.ConsumeBytes(b)
		default:
			if n = protowire.ConsumeFieldValue(num, typ, b); n >= 0 {
				b = b[n:]
				continue
			}
		}
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		if err := f(fd); err != nil {
			return err
		}
	}
	return nil
}

// want returns an error if the field has another wire type than its definition says.
func (f field) want(t protowire.Type) error {
	if f.typ != t {
		return fmt.Errorf("field %d has wire type %d; want %d", f.num, f.typ, t)
	}
	return nil
}

func (f field) text(dst *string) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.data) {
		return fmt.Errorf("field %d is no UTF-8", f.num)
	}
	*dst = string(f.data)
	return nil
}

// octets is text that need not be UTF-8.
func (f field) octets(dst *string) error {
	*dst = string(f.data)
	return f.want(protowire.BytesType)
}

func (f field) texts(dst *[]string) error {
	var s string
	err := f.text(&s)
	*dst = append(*dst, s)
	return err
}

func (f field) int(dst *int64) error {
	*dst = int64(f.bits)
	return f.want(protowire.VarintType)
}

// enum sets a number of 32 bits.
func enum[T ~int32](f field, dst *T) error {
	*dst = T(int32(f.bits))
	return f.want(protowire.VarintType)
}

// varints appends the numbers of a repeated field, packed or not.
func varints[T any](f field, dst *[]T, of func(uint64) T) error {
	if f.typ == protowire.VarintType {
		*dst = append(*dst, of(f.bits))
		return nil
	}
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	for b := f.data; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return errTruncated
		}
		*dst = append(*dst, of(v))
		b = b[n:]
	}
	return nil
}

func asInt64(v uint64) int64   { return int64(v) }
func asInt32(v uint64) int32   { return int32(v) }
func asUint64(v uint64) uint64 { return v }

func (f field) floats(dst *[]float32) error {
	if f.typ == protowire.Fixed32Type {
		*dst = append(*dst, math.Float32frombits(uint32(f.bits)))
		return nil
	}
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	for b := f.data; len(b) > 0; {
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return errTruncated
		}
		*dst = append(*dst, math.Float32frombits(v))
		b = b[n:]
	}
	return nil
}

func (f field) doubles(dst *[]float64) error {
	if f.typ == protowire.Fixed64Type {
		*dst = append(*dst, math.Float64frombits(f.bits))
		return nil
	}
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	for b := f.data; len(b) > 0; {
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return errTruncated
		}
		*dst = append(*dst, math.Float64frombits(v))
		b = b[n:]
	}
	return nil
}

// sub decodes a message field into a new T, by read.
func sub[T any](d *decoder, f field, read func(*decoder, []byte, *T) error) (*T, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return nil, err
	}
	v := new(T)
	if d.left -= int(unsafe.Sizeof(*v)); d.left < 0 {
		return v, errMany
	}
	return v, read(d, f.data, v)
}

// add appends a message field to a list of values.
func add[T any](d *decoder, f field, dst *[]T, read func(*decoder, []byte, *T) error) error {
	v, err := sub(d, f, read)
	if err == nil {
		*dst = append(*dst, *v)
	}
	return err
}

// addTo appends a message field to a list of pointers.
func addTo[T any](d *decoder, f field, dst *[]*T, read func(*decoder, []byte, *T) error) error {
	v, err := sub(d, f, read)
	*dst = append(*dst, v)
	return err
}

// in puts the place in front of an error.
func in(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
