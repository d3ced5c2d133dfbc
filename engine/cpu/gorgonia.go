package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// What StdEng is, Engine is. (The library keeps some interfaces to itself; they ask for no
// method that is not here.)
var (
	_ tensor.Adder            = Engine{}
	_ tensor.Suber            = Engine{}
	_ tensor.Muler            = Engine{}
	_ tensor.Diver            = Engine{}
	_ tensor.Power            = Engine{}
	_ tensor.Moder            = Engine{}
	_ tensor.FMAer            = Engine{}
	_ tensor.MinBetweener     = Engine{}
	_ tensor.MaxBetweener     = Engine{}
	_ tensor.Tracer           = Engine{}
	_ tensor.MatMuler         = Engine{}
	_ tensor.MatVecMuler      = Engine{}
	_ tensor.InnerProder      = Engine{}
	_ tensor.OuterProder      = Engine{}
	_ tensor.Dotter           = Engine{}
	_ tensor.SVDer            = Engine{}
	_ tensor.Lter             = Engine{}
	_ tensor.Lteer            = Engine{}
	_ tensor.Gter             = Engine{}
	_ tensor.Gteer            = Engine{}
	_ tensor.ElEqer           = Engine{}
	_ tensor.Mapper           = Engine{}
	_ tensor.Neger            = Engine{}
	_ tensor.Inver            = Engine{}
	_ tensor.Squarer          = Engine{}
	_ tensor.Cuber            = Engine{}
	_ tensor.Exper            = Engine{}
	_ tensor.Tanher           = Engine{}
	_ tensor.Loger            = Engine{}
	_ tensor.Log2er           = Engine{}
	_ tensor.Log10er          = Engine{}
	_ tensor.Sqrter           = Engine{}
	_ tensor.Cbrter           = Engine{}
	_ tensor.InvSqrter        = Engine{}
	_ tensor.Signer           = Engine{}
	_ tensor.Abser            = Engine{}
	_ tensor.Clamper          = Engine{}
	_ tensor.Reducer          = Engine{}
	_ tensor.OptimizedReducer = Engine{}
	_ tensor.Sumer            = Engine{}
	_ tensor.Miner            = Engine{}
	_ tensor.Maxer            = Engine{}
	_ tensor.Argmaxer         = Engine{}
	_ tensor.Argminer         = Engine{}
	_ tensor.Transposer       = Engine{}
	_ tensor.Concater         = Engine{}
	_ tensor.DenseStacker     = Engine{}
	_ tensor.Repeater         = Engine{}
	_ tensor.Diager           = Engine{}
	_ tensor.ByIndiceser      = Engine{}
	_ tensor.SoftMaxer        = Engine{}
)

// given are the tensors that a caller passed to an operation: a result that is one of them
// keeps the engine that it has.
func given(opts []tensor.FuncOpt, ts ...tensor.Tensor) []tensor.Tensor {
	if len(opts) == 0 {
		return ts
	}
	fo := tensor.ParseFuncOpts(opts...)
	return append(ts, fo.Reuse(), fo.Incr())
}

// tensorIn returns the tensor that s is, or nil.
func tensorIn(s any) tensor.Tensor {
	t, _ := s.(tensor.Tensor)
	return t
}

// own makes e the engine of a result that StdEng has made, and leaves one of the given tensors
// alone. What comes with an error is no result.
func own[T tensor.Tensor](e Engine, r T, err error, given []tensor.Tensor) (T, error) {
	if err == nil && tensor.Tensor(r) != nil && !slices.Contains(given, tensor.Tensor(r)) {
		tensor.WithEngine(e)(r)
	}
	return r, err
}

// told makes an error of a panic, by which StdEng refuses what it cannot do, such as a tensor that
// is nil. given are the tensors that a caller passed.
func told(err *error, given ...tensor.Tensor) {
	p := recover()
	if p == nil {
		return
	}
	if *err = absent(given...); *err == nil {
		*err = fmt.Errorf("cpu: the tensors' engine cannot do this: %v", p)
	}
}

// absent says which of the given tensors is nil.
func absent(given ...tensor.Tensor) error {
	for i, t := range given {
		if t == nil || t == tensor.Tensor((*tensor.Dense)(nil)) {
			return fmt.Errorf("cpu: tensor %d of %d is nil; make it by tensor.New", i+1, len(given))
		}
	}
	return nil
}

// isDense reports whether all of ts are dense, in memory that Go may read, with elements of
// type d.
func isDense(d tensor.Dtype, ts ...tensor.Tensor) bool {
	for _, t := range ts {
		dense, ok := t.(*tensor.Dense)
		if !ok || dense.Dtype() != d || !dense.IsNativelyAccessible() {
			return false
		}
	}
	return true
}

// dtypeOf is the tensor library's name of T.
func dtypeOf[T shape.Float]() tensor.Dtype {
	if shape.DTypeOf[T]() == shape.Float32 {
		return tensor.Float32
	}
	return tensor.Float64
}

// memory returns all elements that d's memory holds, in the order of memory.
func memory[T shape.Float](d *tensor.Dense) []T {
	n := int(d.MemSize() / unsafe.Sizeof(T(0)))
	if n == 0 {
		return nil
	}
	if shape.DTypeOf[T]() == shape.Float32 {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(d.Float32s()))), n)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(d.Float64s()))), n)
}

// plain returns the elements of t if they lie in row-major order, without gaps, transposition
// or mask.
func plain[T shape.Float](t tensor.Tensor) (x []T, ok bool) {
	if !isDense(dtypeOf[T](), t) || !isPlain(t.(*tensor.Dense)) {
		return nil, false
	}
	return memory[T](t.(*tensor.Dense)), true
}

// isPlain says so of a tensor of any type of elements. It looks at the strides too, for what a
// tensor says of its order need not be so.
func isPlain(d *tensor.Dense) bool {
	s := d.Shape()
	if d.RequiresIterator() || d.IsMasked() || !d.DataOrder().IsRowMajor() {
		return false
	}
	n := 1
	strides := d.Strides()
	if len(strides) != len(s) {
		return false
	}
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != 1 && strides[i] != n {
			return false
		}
		n *= s[i]
	}
	return n > 0 && d.MemSize() == uintptr(n)*d.Dtype().Size()
}

// newDense returns a tensor of e with the elements x.
func newDense[T any](e Engine, s tensor.Shape, x []T) *tensor.Dense {
	if s.IsScalar() {
		return tensor.New(tensor.FromScalar(x[0]), tensor.WithEngine(e))
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(x), tensor.WithEngine(e))
}

// overlap reports whether x and y share memory.
func overlap[T any](x, y []T) bool {
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	width := unsafe.Sizeof(x[0])
	from, to := uintptr(unsafe.Pointer(&x[0])), uintptr(unsafe.Pointer(&y[0]))
	return from < to+uintptr(len(y))*width && to < from+uintptr(len(x))*width
}
