package engine

import "fmt"

// Gather describes how elements are taken along an axis of x by integer ids, counted from 0.
type Gather struct {
	Axis int
	// Along means that there is one id per element: the ids have the shape of the result, which is
	// x's except in the axis. Otherwise each id takes a whole slice of x, and the axes of the ids
	// replace the axis in the result.
	Along bool
}

// Combine is the way in which a value is combined with an element.
type Combine uint8

// The ways. Integers wrap around; the greater and the lesser one of two are NaN if either is.
const (
	Replace Combine = iota
	CombineAdd
	CombineMul
	CombineMax
	CombineMin
)

// String returns the name of the way.
func (c Combine) String() string {
	if c > CombineMin {
		return fmt.Sprintf("Combine(%d)", uint8(c))
	}
	return [...]string{"Replace", "Add", "Mul", "Max", "Min"}[c]
}

// Scatter describes how values are combined with the elements that ids select.
type Scatter struct {
	Gather
	Combine Combine
}

// TopK describes which elements along an axis are taken: the greatest, or the least.
type TopK struct {
	Axis  int
	Least bool
}

// An Indexer binds kernels that use indices of elements.
type Indexer interface {
	// BindGather has the inputs x, of any element type, and ids. Its result is the gathered
	// elements. An id outside the axis is an error of the run.
	BindGather(g Gather, in []Operand, out Operand) (Bound, error)
	// BindScatterAdd has the inputs dy, floating point with the type of BindGather's result for the
	// ids, and ids. Its result is zeros in the shape of x, to which each element is added where
	// BindGather would take it from: the adjoint of BindGather. An id outside the axis is an error
	// of the run.
	BindScatterAdd(g Gather, in []Operand, out Operand) (Bound, error)
	// BindScatter has the inputs x, of any element type if values replace elements, otherwise
	// numbers, ids, and values with the type of BindGather's result for the ids. Its result is x,
	// where each value in turn is combined with the element that BindGather would take. It may
	// overwrite x. An id outside the axis is an error of the run.
	BindScatter(s Scatter, in []Operand, out Operand) (Bound, error)
	// BindTopK has numbers x as input. Its result, Int64, is the indices along the axis of the
	// greatest elements in descending order, or of the least in ascending order, as many as the
	// result has room for. Equal elements are in the order of their indices; NaN is greater than
	// all numbers.
	BindTopK(t TopK, in []Operand, out Operand) (Bound, error)
	// BindUpdateSlice has the inputs x and part, of any one element type, which differ in the extent
	// of the axis only, and start, an Int32(). Its result is x with part in the place of the elements
	// from start on; a start with which part would not be inside x is moved to the nearest. The result
	// may overwrite x: then the kernel accesses the elements of part only.
	BindUpdateSlice(axis int, in []Operand, out Operand) (Bound, error)
}

// CumSum describes running sums along an axis: of each element and those before it or, with Reverse,
// those after it; Exclusive leaves the element itself out.
type CumSum struct {
	Axis               int
	Reverse, Exclusive bool
}

// A Scanner binds running sums.
type Scanner interface {
	// BindCumSum has numbers x as input. Its result has x's type. Integers wrap around.
	BindCumSum(s CumSum, in []Operand, out Operand) (Bound, error)
	// BindLinearScan has the inputs a and b of one floating-point type. Its result h has that type:
	// the first element along the axis or, with reverse, the last is that of b, and every other one is
	// that of a times the element of h before it, plus that of b. It may overwrite either input.
	BindLinearScan(axis int, reverse bool, in []Operand, out Operand) (Bound, error)
}
