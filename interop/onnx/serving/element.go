package serving

import (
	"unsafe"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/shape"
)

// element is what goes by the Go type of an element type, whose elements data holds.
type element struct {
	datatype serve.Datatype
	// grown returns a slice of n elements, of the memory of data if that is large enough.
	grown func(data any, n int) any
	part  func(data any, from, to int) any
	bytes func(data any) []byte
}

// elements are the element types that requests carry.
var elements = map[ir.DataType]element{
	ir.Bool:     elementOf[bool](serve.BOOL),
	ir.Uint8:    elementOf[uint8](serve.UINT8),
	ir.Uint16:   elementOf[uint16](serve.UINT16),
	ir.Uint32:   elementOf[uint32](serve.UINT32),
	ir.Uint64:   elementOf[uint64](serve.UINT64),
	ir.Int8:     elementOf[int8](serve.INT8),
	ir.Int16:    elementOf[int16](serve.INT16),
	ir.Int32:    elementOf[int32](serve.INT32),
	ir.Int64:    elementOf[int64](serve.INT64),
	ir.Float16:  elementOf[shape.Half](serve.FP16),
	ir.BFloat16: elementOf[shape.Brain](serve.BF16),
	ir.Float:    elementOf[float32](serve.FP32),
	ir.Double:   elementOf[float64](serve.FP64),
}

func elementOf[T any](d serve.Datatype) element {
	return element{
		datatype: d,
		grown: func(data any, n int) any {
			if v, _ := data.([]T); cap(v) >= n && v != nil {
				return v[:n]
			}
			return make([]T, n)
		},
		part: func(data any, from, to int) any { return data.([]T)[from:to:to] },
		bytes: func(data any) []byte {
			var zero T
			v, _ := data.([]T)
			return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
		},
	}
}
