package par

// Free holds values that are not in use, so that kernels which need one for a run allocate none in
// the steady state. It is safe for concurrent use; the zero Free is not ready.
type Free[T any] struct {
	idle   chan *T
	create func() *T
}

// NewFree returns a list that keeps up to keep values, and creates one where it has none.
func NewFree[T any](keep int, create func() *T) Free[T] {
	return Free[T]{make(chan *T, keep), create}
}

// Take returns a value that nobody else has until it is given back.
func (f Free[T]) Take() *T {
	select {
	case v := <-f.idle:
		return v
	default:
		return f.create()
	}
}

// Give takes a value back, or drops it where there are enough.
func (f Free[T]) Give(v *T) {
	select {
	case f.idle <- v:
	default:
	}
}
