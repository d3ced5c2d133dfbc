package engine

// An Accumulator binds kernels that add to a part of a tensor. If they may overwrite the tensor
// they access only the part.
type Accumulator interface {
	// BindAddPart has the inputs part and sum, floating point of one type. Its result is sum with
	// part added in the window. Parts do not overlap. The result may overwrite sum.
	BindAddPart(w Window, in []Operand, out Operand) (Bound, error)
}
