package simd

const (
	// taskWork is the number of multiplications that make a task worth handing out: about
	// two microseconds.
	taskWork = 1 << 18

	// maxTasks bounds how finely work is cut; more would only cost.
	maxTasks = 64

	// callWork bounds the multiplications of one call of a kernel, which cannot be
	// preempted, to some 20 microseconds.
	callWork = 1 << 20

	// callLen is the most elements that one call of a kernel goes through: some microseconds.
	callLen = 8192
)

// even returns the size of the parts when n is cut into equal parts of at most most.
func even(n, most int) int {
	if n == 0 {
		return 0
	}
	return ceil(n, ceil(n, most))
}

// ceil is a/b rounded up, also for negative a; b is positive.
func ceil(a, b int) int {
	if a > 0 {
		return (a + b - 1) / b
	}
	return a / b
}

// roundUp is n rounded up to a multiple of to.
func roundUp(n, to int) int { return ceil(n, to) * to }
