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
	case d.Dtype() != engine.TensorDType(want.DType) || !sameDims(d.Shape(), want.Ints()):
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

// load sets dst to the elements of d in row-major order, true being 1. It refuses integers that the
// floating-point type would round.
func load[T shape.Float](dst []T, d *tensor.Dense) error {
	b, err := engine.ElementsOf(d)
	if err != nil {
		return err
	}
	if b.DType() == shape.Int64 { // float64 may round too
		return convert(dst, engine.Slice[int64](b))
	}
	if b.DType() == shape.DTypeOf[T]() {
		copy(dst, engine.Slice[T](b))
		return nil
	}
	for i, v := range engine.Floats(b) {
		if dst[i] = T(v); !b.DType().IsFloat() && float64(dst[i]) != v {
			return rounded(i, int64(v), dst[i])
		}
	}
	return nil
}

func convert[T shape.Float](dst []T, src []int64) error {
	for i, v := range src {
		if dst[i] = T(v); int64(dst[i]) != v {
			return rounded(i, v, dst[i])
		}
	}
	return nil
}

func rounded[T shape.Float](i int, v int64, as T) error {
	return fmt.Errorf("element %d is %v, which is carried as %T and would be rounded", i, v, as)
}

// numbers returns the elements, of type T, of a value of the ExprGraph.
func numbers[T shape.Float](v G.Value) []T {
	d, ok := v.(*tensor.Dense)
	if !ok {
		return []T{v.Data().(T)}
	}
	b, err := engine.ElementsOf(d)
	if err != nil { // gorgonia's own tensors do not lead outside themselves
		panic(err)
	}
	return engine.Slice[T](b)
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
		return tensor.New(tensor.Of(engine.TensorDType(o.typ.DType)), tensor.WithShape(o.typ.Ints()...))
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
