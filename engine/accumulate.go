package engine

// An Accumulator binds kernels that add to a part of a tensor, and work on no more than the part
// where they may overwrite the tensor.
type Accumulator interface {
	// BindAddPart takes a part and a sum, floating point of one type; it gives the sum with the
	// part added in the window. Parts do not overlap. The result may overwrite the sum.
	BindAddPart(w Window, in []Operand, out Operand) (Bound, error)
}
