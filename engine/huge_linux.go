package engine

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages: when memory is first touched, and immediately for memory that has
// been touched, such as that of the garbage collector. Errors are ignored, since the memory can be
// used in any case.
func adviseHuge(mem []byte) {
	if unix.Madvise(mem, unix.MADV_HUGEPAGE) == nil {
		_ = unix.Madvise(mem, unix.MADV_COLLAPSE)
	}
}
