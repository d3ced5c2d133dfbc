//go:build !race

package enginetest

// raceDetector tells that allocations are not the kernel's own.
const raceDetector = false
