package engine

// Gather says how elements are taken along an axis of x by integer ids, which count from 0.
type Gather struct {
	Axis int
	// Along says that the ids have the shape of the result, which is x's but for the axis: each
	// is that of one element. Otherwise each takes a whole slice of x, and the axes of the ids
	// stand in the result in place of the axis.
	Along bool
}

// An Indexer binds kernels that go by the places of elements.
type Indexer interface {
	// BindGather takes x, of any element type, and ids; it gives what they take. An id that is
	// none of the axis is an error of the run.
	BindGather(g Gather, in []Operand, out Operand) (Bound, error)
	// BindScatterAdd takes what BindGather gives for the ids, of floating point, and the ids; it
	// gives zeros in the shape of x, to which each element is added where it would be taken
	// from: the adjoint of BindGather. An id that is none of the axis is an error of the run.
	BindScatterAdd(g Gather, in []Operand, out Operand) (Bound, error)
	// BindTopK takes numbers x; it gives, as Int64, the places along the axis of the greatest in
	// descending order, as many as the result has room for. Of equals the first comes first; NaN
	// is greater than all numbers.
	BindTopK(axis int, in []Operand, out Operand) (Bound, error)
}

// A Scanner binds running sums.
type Scanner interface {
	// BindCumSum takes numbers x; it gives, of x's type, the sum of each element and those before
	// it along the axis, or with reverse, after it. Integers wrap around.
	BindCumSum(axis int, reverse bool, in []Operand, out Operand) (Bound, error)
}
