package engine

// A Resampler binds weighted sums of elements along an axis.
type Resampler interface {
	// BindResample has the inputs x, floating point, of which the axis has N elements; starts, an
	// Int32(M+1) of ascending numbers from 0 to L; ids, an Int32(L) of numbers below N; and weights
	// (L) of x's element type. Its result is x with M elements along the axis: element m is the sum
	// of weights[l] times element ids[l] of x, for l from starts[m] up to but not including
	// starts[m+1]. There are no other starts and ids: whoever binds it has made them.
	BindResample(axis int, in []Operand, out Operand) (Bound, error)
}
