package par

import (
	"runtime"
	"syscall"
)

// yield lets other goroutines run, and other threads that wait for this processor: the goroutine that is waited for
// may be on one of them, which the kernel would leave there until the time slice of this one ends.
func yield() {
	runtime.Gosched()
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}
