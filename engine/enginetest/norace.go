//go:build !race

package enginetest

// raceDetector reports that allocations may not be the kernel's own.
const raceDetector = false
