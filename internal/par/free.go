package par

// Free holds values that are not in use, so that kernels that need one for a run do not allocate in
// the steady state. It is safe for concurrent use; the zero Free is not ready.
type Free[T any] struct {
	idle   chan *T
	create func() *T
}

// NewFree returns a list that keeps up to keep values, and calls create when it is empty.
func NewFree[T any](keep int, create func() *T) Free[T] {
	return Free[T]{make(chan *T, keep), create}
}

// Take returns a value that nobody else uses until it is given back.
func (f Free[T]) Take() *T {
	select {
	case v := <-f.idle:
		return v
	default:
		return f.create()
	}
}

// Give returns a value to the list. If the list is full, the value is dropped.
func (f Free[T]) Give(v *T) {
	select {
	case f.idle <- v:
	default:
	}
}
