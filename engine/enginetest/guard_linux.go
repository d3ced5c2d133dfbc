package enginetest

import "syscall"

// hasGuards tells that reading beyond guarded memory is noticed, not only writing.
const hasGuards = true

// guarded returns size bytes between two pages that fault when they are read or written: right
// before the second one if behind, else right after the first. free gives them back.
func guarded(size int, behind bool) (mem []byte, free func(), err error) {
	page := syscall.Getpagesize()
	inner := (size/page + 1) * page
	all, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	free = func() { _ = syscall.Munmap(all) } // all that fails is to save memory
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
