package simdtest

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Guarded returns n elements with a page that faults right behind them, or right before.
func Guarded[T isa.Float | int32 | int64 | uint8](t *testing.T, n int, behind bool) []T {
	page := syscall.Getpagesize()
	size := n * int(unsafe.Sizeof(T(0)))
	inner := (size/page + 1) * page
	mem, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(mem)) })
	require.NoError(t, syscall.Mprotect(mem[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(mem[page+inner:], syscall.PROT_NONE))
	start := page
	if behind {
		start += inner - size
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[start])), n)
}

// GuardedCopy is a copy of s in such memory.
func GuardedCopy[T isa.Float](t *testing.T, s []T, behind bool) []T {
	g := Guarded[T](t, len(s), behind)
	copy(g, s)
	return g
}
