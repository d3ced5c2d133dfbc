//go:build !linux

package par

// yieldThread does nothing: the kernel takes the processor when it wants to.
func yieldThread() {}
