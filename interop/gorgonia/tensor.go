package gorgonia

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// checkDense says why d is no value of type want.
func checkDense(d *tensor.Dense, want shape.Type) error {
	switch {
	case d == nil:
		return errors.New("the tensor is nil")
	case len(d.Strides()) != len(d.Shape()):
		return fmt.Errorf("the tensor of shape %v has strides %v", d.Shape(), d.Strides())
	case engine.DTypeOf(d) != want.DType || !sameDims(d.Shape(), want.Ints()):
		return fmt.Errorf("want %v, the tensor given is %v%v", want, d.Dtype(), d.Shape())
	case d.IsMasked():
		return errors.New("masked tensors are not supported")
	}
	return nil
}

// A feed is the memory of a leaf of the ExprGraph. It holds numbers of any type as floating
// point.
type feed struct {
	to  *G.Node
	f32 []float32 // the one of the leaf's type is set
	f64 []float64
}

func newFeed(to *G.Node) *feed {
	f := &feed{to: to}
	n := size(to.Shape())
	if to.Dtype() == tensor.Float32 {
		f.f32 = make([]float32, n)
	} else {
		f.f64 = make([]float64, n)
	}
	return f
}

// set copies d into the leaf's memory and binds that to the leaf.
func (f *feed) set(d *tensor.Dense) error {
	if f.f32 != nil {
		return set(f.to, f.f32, d)
	}
	return set(f.to, f.f64, d)
}

func set[T shape.Float](to *G.Node, memory []T, d *tensor.Dense) error {
	if err := load(memory, d); err != nil {
		return err
	}
	return G.Let(to, valueOf(to.Shape(), memory))
}

// load sets dst to the elements of d in row-major order, true being 1.
func load[T shape.Float](dst []T, d *tensor.Dense) error {
	switch d.Dtype() {
	case tensor.Float32:
		return convert(dst, elements(d, d.Float32s()))
	case tensor.Float64:
		return convert(dst, elements(d, d.Float64s()))
	case tensor.Int32:
		return convert(dst, elements(d, d.Int32s()))
	case tensor.Int64:
		return convert(dst, elements(d, d.Int64s()))
	case tensor.Uint8:
		return convert(dst, elements(d, d.Uint8s()))
	case tensor.Bool:
		return loadBools(dst, d)
	}
	return fmt.Errorf("elements of type %v cannot be carried as %T; want float32 or float64, see Cast", engine.DTypeOf(d), dst[:0])
}

func loadBools[T shape.Float](dst []T, d *tensor.Dense) error {
	for i, b := range elements(d, d.Bools()) {
		dst[i] = 0
		if b {
			dst[i] = 1
		}
	}
	return nil
}

// convert refuses integers that the floating-point type would round.
func convert[T shape.Float, S float32 | float64 | int32 | int64 | uint8](dst []T, src []S) error {
	half := 0.5
	integer := S(half) == 0
	for i, v := range src {
		dst[i] = T(v)
		if integer && S(dst[i]) != v {
			return fmt.Errorf("element %d is %v, which is carried as %T and would be rounded", i, v, dst[i])
		}
	}
	return nil
}

// elements returns d's elements in row-major order, given its memory: the same slice where
// they lie so, a copy where they do not.
func elements[T any](d *tensor.Dense, memory []T) []T {
	dims, strides := d.Shape(), d.Strides()
	if len(dims) == 0 {
		return memory[:1]
	}
	n := size(dims)
	if rowMajor(dims, strides) {
		return memory[:n]
	}
	index := make([]int, len(dims))
	out, at := make([]T, n), 0
	for i := range out {
		out[i] = memory[at]
		for axis := len(dims) - 1; axis >= 0; axis-- {
			index[axis]++
			at += strides[axis]
			if index[axis] < dims[axis] {
				break
			}
			at -= index[axis] * strides[axis]
			index[axis] = 0
		}
	}
	return out
}

func rowMajor(dims, strides []int) bool {
	want := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] != 1 && strides[i] != want {
			return false
		}
		want *= dims[i]
	}
	return true
}

// numbers returns the elements, of type T, of a value of the ExprGraph.
func numbers[T shape.Float](v G.Value) []T {
	d, ok := v.(*tensor.Dense)
	if !ok {
		return []T{v.Data().(T)}
	}
	if v.Dtype() == tensor.Float32 {
		return any(elements(d, d.Float32s())).([]T)
	}
	return any(elements(d, d.Float64s())).([]T)
}

// valueOf makes a value of the ExprGraph.
func valueOf[T shape.Float](dims []int, v []T) G.Value {
	if len(dims) > 0 {
		return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
	}
	if x, ok := any(v[0]).(float32); ok {
		return G.NewF32(x)
	}
	return G.NewF64(float64(v[0]))
}

// result returns what a run has computed, as a tensor that nothing else holds.
func (o output) result() *tensor.Dense {
	if o.value == nil {
		return tensor.New(tensor.Of(engine.DenseDType(o.typ.DType)), tensor.WithShape(o.typ.Ints()...))
	}
	if v := *o.value; v.Dtype() == tensor.Float32 {
		return denseOf(o.typ, numbers[float32](v))
	}
	return denseOf(o.typ, numbers[float64](*o.value))
}

// denseOf returns v as a tensor of type t.
func denseOf[T shape.Float](t shape.Type, v []T) *tensor.Dense {
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, len(v))
	engine.Load(b, engine.Floats(engine.BufferOf(v)))
	return engine.DenseOf(t.Shape, b)
}

// vector returns v as a tensor.
func vector(v []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v))
}
