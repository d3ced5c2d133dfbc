package enginetest

import "syscall"

// hasGuards reports that reading beyond guarded memory faults, and not only writing.
const hasGuards = true

// guarded returns size bytes between two pages that fault when they are read or written: directly
// before the second page if behind is set, otherwise directly after the first. free frees them.
func guarded(size int, behind bool) (mem []byte, free func(), err error) {
	page := syscall.Getpagesize()
	inner := (size/page + 1) * page
	all, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	free = func() { _ = syscall.Munmap(all) } // on failure only some memory is lost
	for _, guard := range [][]byte{all[:page], all[page+inner:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			free()
			return nil, nil, err
		}
	}
	start := page
	if behind {
		start += inner - size
	}
	return all[start : start+size : start+size], free, nil
}
