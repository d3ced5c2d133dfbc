package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// Tensor holds elements on the host, row-major. Data is a slice of the Go type of the element type:
// []float32, []float64, []int8 to []int64, []uint8 to []uint64, []bool, []string, and for Float16
// and BFloat16 []shape.Half and []shape.Brain. Elements of less than 8 bits are in []int8 or []uint8
// one by one, and floating-point numbers of at most 8 bits in []uint8 as their bits.
type Tensor struct {
	Type ir.DataType
	Dims []int
	Data any
	// Kind is [ir.SequenceKind] for a sequence and [ir.OptionalKind] for an optional, which have no Dims
	// and Data but Items: any number of one Type, and one or none. Else it is 0 or [ir.TensorKind].
	Kind  ir.Kind
	Items []*Tensor
}

func (t *Tensor) kind() ir.Kind {
	if t.Kind == 0 {
		return ir.TensorKind
	}
	return t.Kind
}

// element has what goes by the Go type of an element type.
type element struct {
	compute shape.DType // the type in which it is computed
	same    bool        // its Go type is that of the compute type, and needs no narrow
	read    func(t *ir.Tensor, n int) any
	lenOf   func(data any) (int, bool)
	widen   func(data any) any // to a slice of the compute type; the same slice if that is its own
	narrow  func(data any) any // back, for values that the type has
	key     func(data any) []byte
	repeat  func(data any, n int) any // the first element n times
	pick    func(data any, starts []int, size int) any
	join    func([]*Tensor) any
	none    func() any // no elements
}

// elements are the types that we compute with. The others are refused where they are met.
var elements = map[ir.DataType]element{
	ir.Float:    elementOf(shape.Float32, func(t *ir.Tensor) []float32 { return t.Floats }, same[float32], same[float32]),
	ir.Double:   elementOf(shape.Float64, func(t *ir.Tensor) []float64 { return t.Doubles }, same[float64], same[float64]),
	ir.Int32:    elementOf(shape.Int32, func(t *ir.Tensor) []int32 { return t.Int32s }, same[int32], same[int32]),
	ir.Int64:    elementOf(shape.Int64, func(t *ir.Tensor) []int64 { return t.Int64s }, same[int64], same[int64]),
	ir.Uint8:    elementOf(shape.Uint8, listed[uint8], same[uint8], same[uint8]),
	ir.Bool:     elementOf(shape.Bool, listedBools, same[bool], same[bool]),
	ir.Int8:     elementOf(shape.Int32, listed[int8], converted[int8, int32], converted[int32, int8]),
	ir.Int16:    elementOf(shape.Int32, listed[int16], converted[int16, int32], converted[int32, int16]),
	ir.Uint16:   elementOf(shape.Int32, listed[uint16], converted[uint16, int32], converted[int32, uint16]),
	ir.Uint32:   elementOf(shape.Int64, listedWide[uint32], converted[uint32, int64], converted[int64, uint32]),
	ir.Uint64:   elementOf(shape.Int64, listedWide[uint64], converted[uint64, int64], converted[int64, uint64]),
	ir.Float16:  elementOf(shape.Float32, listedBits[shape.Half], widened[shape.Half], rounded(shape.HalfOf32)),
	ir.BFloat16: elementOf(shape.Float32, listedBits[shape.Brain], widened[shape.Brain], rounded(shape.BrainOf32)),

	ir.Float8E4M3FN:   smallElement(ir.Float8E4M3FN),
	ir.Float8E4M3FNUZ: smallElement(ir.Float8E4M3FNUZ),
	ir.Float8E5M2:     smallElement(ir.Float8E5M2),
	ir.Float8E5M2FNUZ: smallElement(ir.Float8E5M2FNUZ),
	ir.Float4E2M1:     smallElement(ir.Float4E2M1),
	ir.Float8E8M0:     smallElement(ir.Float8E8M0),
	ir.Int4:           smallInteger[int8](ir.Int4),
	ir.Int2:           smallInteger[int8](ir.Int2),
	ir.Uint4:          smallInteger[uint8](ir.Uint4),
	ir.Uint2:          smallInteger[uint8](ir.Uint2),
}

func elementOf[T, C any](compute shape.DType, list func(*ir.Tensor) []T, widen func([]T) []C, narrow func([]C) []T) element {
	var zero T
	_, same := any(zero).(C)
	return element{
		compute: compute,
		same:    same,
		read: func(t *ir.Tensor, n int) any {
			if t.HasRaw {
				return view[T](t.Raw, n)
			}
			return list(t)
		},
		lenOf:  func(data any) (int, bool) { d, ok := data.([]T); return len(d), ok },
		widen:  func(data any) any { return widen(data.([]T)) },
		narrow: func(data any) any { return narrow(data.([]C)) },
		key:    func(data any) []byte { return bytesOf(data.([]T)) },
		repeat: func(data any, n int) any { return slices.Repeat(data.([]T)[:1], n) },
		pick:   func(data any, starts []int, size int) any { return pickBlocks(data.([]T), starts, size) },
		join:   func(list []*Tensor) any { return joinSlices[T](list) },
		none:   func() any { return []T{} },
	}
}

func same[T any](v []T) []T { return v }

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func converted[S, D integer](src []S) []D {
	dst := make([]D, len(src))
	for i, v := range src {
		dst[i] = D(v)
	}
	return dst
}

func listed[T integer](t *ir.Tensor) []T     { return converted[int32, T](t.Int32s) }
func listedWide[T integer](t *ir.Tensor) []T { return converted[uint64, T](t.Uint64s) }
func listedBits[T ~uint16](t *ir.Tensor) []T {
	return mapped(t.Int32s, func(v int32) T { return T(v) })
}
func listedBools(t *ir.Tensor) []bool                           { return mapped(t.Int32s, func(v int32) bool { return v != 0 }) }
func widened[T interface{ Float32() float32 }](v []T) []float32 { return mapped(v, T.Float32) }
func rounded[T any](f func(float32) T) func([]float32) []T {
	return func(v []float32) []T { return mapped(v, f) }
}

func mapped[S, D any](src []S, f func(S) D) []D {
	dst := make([]D, len(src))
	for i, v := range src {
		dst[i] = f(v)
	}
	return dst
}

// view returns n elements of raw: the memory itself where it can be used as it is, else a copy.
func view[T any](raw []byte, n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	p := unsafe.Pointer(unsafe.SliceData(raw))
	_, isBool := any(zero).(bool)
	if !isBool && nativeLittle && uintptr(p)%unsafe.Alignof(zero) == 0 {
		return unsafe.Slice((*T)(p), n)
	}
	v := make([]T, n)
	b := bytesOf(v)
	copy(b, raw)
	exchange(b, size)
	if isBool { // any byte but 0 is true, and Go knows only 0 and 1
		for i := range b {
			b[i] = min(b[i], 1)
		}
	}
	return v
}

// exchange brings elements of size bytes from the byte order of files to that of this machine, or back.
func exchange(b []byte, size int) {
	for i := 0; !nativeLittle && i < len(b); i += size {
		slices.Reverse(b[i : i+size])
	}
}

var nativeLittle = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func bytesOf[T any](v []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
}

// FromProto returns the tensor of a message. Where its memory can be used as it is, it is shared.
func FromProto(t *ir.Tensor) (*Tensor, error) {
	if t == nil {
		return nil, errors.New("onnx: there is no tensor")
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	n, _ := t.Len()
	h := &Tensor{Type: t.Type, Dims: make([]int, len(t.Dims))}
	for i, d := range t.Dims {
		if d > math.MaxInt32 {
			return nil, fmt.Errorf("extent %d is too large", d)
		}
		h.Dims[i] = int(d)
	}
	if t.Type == ir.String {
		h.Data = t.Strings
		return h, nil
	}
	e, ok := elements[t.Type]
	if !ok {
		return nil, fmt.Errorf("element type %v is not supported", t.Type)
	}
	if len(t.Dims) > shape.MaxRank {
		return nil, fmt.Errorf("%d axes; at most %d are supported", len(t.Dims), shape.MaxRank)
	}
	h.Data = e.read(t, n)
	return h, nil
}

// FromValue returns the tensor, sequence or optional of a message.
func FromValue(v *ir.Value) (*Tensor, error) {
	if v == nil {
		return nil, errors.New("onnx: there is no value")
	}
	if v.Kind == ir.TensorKind {
		return FromProto(v.Tensor)
	}
	t := &Tensor{Kind: v.Kind, Type: v.Elem}
	for _, e := range v.Items {
		h, err := FromValue(e)
		if err != nil {
			return nil, err
		}
		t.Items, t.Type = append(t.Items, h), h.Type
	}
	return t, t.check()
}

// Len returns the number of elements that the extents ask for.
func (t *Tensor) Len() int {
	n := 1
	if t == nil {
		return 0
	}
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// String describes t as "int64(2,3)".
func (t *Tensor) String() string {
	if t == nil {
		return "nil"
	}
	switch t.Kind {
	case ir.SequenceKind:
		return fmt.Sprintf("a sequence of %d of type %v", len(t.Items), t.Type)
	case ir.OptionalKind:
		return fmt.Sprintf("an optional of %d of type %v", len(t.Items), t.Type)
	}
	return typeString(t.Type, shape.OfInts(t.Dims...))
}

func typeString(d ir.DataType, s shape.Shape) string { return d.String() + s.String() }

// check returns an error if the data of t, which a user made, are not what its type and extents
// say.
func (t *Tensor) check() error {
	if t == nil {
		return errors.New("the tensor is nil")
	}
	if t.kind() != ir.TensorKind {
		return t.checkItems()
	}
	e, ok := elements[t.Type]
	if t.Type == ir.String {
		e.lenOf, ok = func(data any) (int, bool) { v, ok := data.([]string); return len(v), ok }, true
	}
	if !ok {
		return fmt.Errorf("element type %v is not supported", t.Type)
	}
	if len(t.Dims) > shape.MaxRank {
		return fmt.Errorf("%d axes; at most %d are supported", len(t.Dims), shape.MaxRank)
	}
	size, err := shape.OfInts(t.Dims...).Size()
	if err != nil || shape.OfInts(t.Dims...).Err() != nil {
		return fmt.Errorf("extents %v are not valid", t.Dims)
	}
	have, ok := e.lenOf(t.Data)
	switch want, _ := size.Int(); {
	case !ok:
		return fmt.Errorf("the data of a tensor of type %v are a %T", t.Type, t.Data)
	case have != want:
		return fmt.Errorf("%d elements; %v has %d", have, t, want)
	}
	return nil
}

// checkItems is check for a sequence or optional.
func (t *Tensor) checkItems() error {
	switch {
	case t.Kind != ir.SequenceKind && t.Kind != ir.OptionalKind:
		return fmt.Errorf("kind %d is not supported", t.Kind)
	case t.Kind == ir.OptionalKind && len(t.Items) > 1:
		return fmt.Errorf("an optional has %d items", len(t.Items))
	}
	for i, e := range t.Items {
		if err := e.check(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		if e.Type != t.Type || e.kind() != ir.TensorKind && (t.Kind == ir.SequenceKind || e.Kind == ir.OptionalKind) {
			return fmt.Errorf("item %d of %v is %v", i, t, e)
		}
	}
	return nil
}

// compute is the type of the node that stands for t.
func (t *Tensor) compute() shape.Type {
	return shape.Type{DType: elements[t.Type].compute, Shape: shape.OfInts(t.Dims...)}
}

// wide returns the elements as a slice of the type in which they are computed.
func (t *Tensor) wide() any {
	if e := elements[t.Type]; !e.same {
		return e.widen(t.Data)
	}
	return t.Data
}

// dense returns the elements in the type in which they are computed.
func (t *Tensor) dense() *tensor.Dense {
	return engine.DenseOf(shape.OfInts(t.Dims...), t.buffer())
}

func (t *Tensor) buffer() engine.Buffer {
	switch v := t.wide().(type) {
	case []float32:
		return engine.BufferOf(v)
	case []float64:
		return engine.BufferOf(v)
	case []int32:
		return engine.BufferOf(v)
	case []int64:
		return engine.BufferOf(v)
	case []uint8:
		return engine.BufferOf(v)
	case []bool:
		return engine.BufferOf(v)
	}
	return engine.Buffer{}
}

// fromDense returns a copy of d, which is computed for the element type e.
func fromDense(d *tensor.Dense, e ir.DataType) *Tensor {
	b := engine.BufferOfDense(d)
	t := &Tensor{Type: e, Dims: slices.Clone([]int(d.Shape()))}
	var data any
	switch b.DType() {
	case shape.Float32:
		data = slices.Clone(engine.Slice[float32](b))
	case shape.Float64:
		data = slices.Clone(engine.Slice[float64](b))
	case shape.Int32:
		data = slices.Clone(engine.Slice[int32](b))
	case shape.Int64:
		data = slices.Clone(engine.Slice[int64](b))
	case shape.Uint8:
		data = slices.Clone(engine.Slice[uint8](b))
	case shape.Bool:
		data = slices.Clone(engine.Slice[bool](b))
	}
	if t.Data = data; !elements[e].same {
		t.Data = elements[e].narrow(data)
	}
	return t
}

// ints returns the elements of an integer or bool tensor as numbers, or false.
func (t *Tensor) ints() ([]int64, bool) {
	switch v := t.wide().(type) {
	case []int32:
		return converted[int32, int64](v), true
	case []int64:
		return v, true
	case []uint8:
		return converted[uint8, int64](v), true
	case []bool:
		return mapped(v, func(b bool) int64 {
			if b {
				return 1
			}
			return 0
		}), true
	}
	return nil, false
}

// floats returns the elements as numbers.
func (t *Tensor) floats() []float64 { return engine.Floats(t.buffer()) }

// Numbers returns the elements, of any type but strings, as numbers: true is 1. It returns nil if t
// is not valid.
func (t *Tensor) Numbers() []float64 {
	if t.check() != nil || t.kind() != ir.TensorKind || t.Type == ir.String {
		return nil
	}
	return t.floats()
}

// intsTensor returns a vector, or for a nil dims a scalar, of Int64.
func intsTensor(v []int64, dims ...int) *Tensor { return &Tensor{Type: ir.Int64, Dims: dims, Data: v} }
