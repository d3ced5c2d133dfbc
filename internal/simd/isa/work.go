package isa

const (
	// TaskWork is the number of multiplications that make a task worth handing out: about
	// two microseconds.
	TaskWork = 1 << 18

	// MaxTasks bounds how finely work is cut; more would only cost.
	MaxTasks = 64

	// CallWork bounds the multiplications of one call of a kernel, which cannot be
	// preempted, to some 20 microseconds.
	CallWork = 1 << 20

	// CallLen is the most elements that one call of a kernel goes through: some microseconds.
	CallLen = 8192
)

// Even returns the size of the parts when n is cut into equal parts of at most most.
func Even(n, most int) int {
	if n == 0 {
		return 0
	}
	return Ceil(n, Ceil(n, most))
}

// Ceil is a/b rounded up, also for negative a; b is positive.
func Ceil(a, b int) int {
	if a > 0 {
		return (a + b - 1) / b
	}
	return a / b
}

// RoundUp is n rounded up to a multiple of to.
func RoundUp(n, to int) int { return Ceil(n, to) * to }
