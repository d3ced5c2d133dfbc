package engine

// Gather describes how elements are taken along an axis of x by integer ids, counted from 0.
type Gather struct {
	Axis int
	// Along means that there is one id per element: the ids have the shape of the result, which is
	// x's except in the axis. Otherwise each id takes a whole slice of x, and the axes of the ids
	// replace the axis in the result.
	Along bool
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
	// BindTopK has numbers x as input. Its result, Int64, is the indices along the axis of the
	// greatest elements in descending order, as many as the result has room for. Equal elements are
	// in the order of their indices; NaN is greater than all numbers.
	BindTopK(axis int, in []Operand, out Operand) (Bound, error)
	// BindUpdateSlice has the inputs x and part, of any one element type, which differ in the extent
	// of the axis only, and start, an Int32(). Its result is x with part in the place of the elements
	// from start on; a start with which part would not be inside x is moved to the nearest. The result
	// may overwrite x: then the kernel accesses the elements of part only.
	BindUpdateSlice(axis int, in []Operand, out Operand) (Bound, error)
}

// A Scanner binds running sums.
type Scanner interface {
	// BindCumSum has numbers x as input. Its result, of x's type, is the sum of each element and
	// those before it along the axis or, with reverse, those after it. Integers wrap around.
	BindCumSum(axis int, reverse bool, in []Operand, out Operand) (Bound, error)
}
