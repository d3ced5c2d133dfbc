package engine

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages: where memory is touched first, and at once where it has been,
// as the garbage collector's has. A system that has none says so; the memory is as good.
func adviseHuge(mem []byte) {
	if unix.Madvise(mem, unix.MADV_HUGEPAGE) == nil {
		_ = unix.Madvise(mem, unix.MADV_COLLAPSE)
	}
}
