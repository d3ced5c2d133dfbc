package allocs

import "testing"

// attempts is how often PerRun measures.
const attempts = 5

// PerRun is [testing.AllocsPerRun], the least of several attempts. A single one also counts what
// other goroutines allocate meanwhile, such as the clean-up of the machines of earlier tests, whose
// time the garbage collector chooses; what f itself allocates is in every attempt.
func PerRun(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for i := 1; i < attempts && least > 0; i++ {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}
