package random

import (
	"sync"
	"unsafe"

	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Kernels is the kernel of one level; it gives whole groups of so many.
type Kernels struct {
	uniform func(n int, dst *float32, block, high, key uint64) (csr uint32)
	group   int
}

var plain = Kernels{uniform: uniformGo, group: 4}

// At returns the kernel for a level, or nil where there is none.
func At(l isa.Level) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	return &k
}

// Uniform is [Kernels.Uniform] of the fastest level that the processor has: the numbers are the
// same at every level.
func Uniform(dst []float32, s philox.Stream, first uint64) { fastest().Uniform(dst, s, first) }

var fastest = sync.OnceValue(func() *Kernels { return At(isa.Fastest()) })

// uniformCall is the most groups that one call of a kernel gives.
const uniformCall = 512

// Uniform sets dst to numbers of s: element i is Uint32(first+i) / 2^32, rounded down to a multiple
// of 2^-24, which keeps it below 1. first is a multiple of 4.
func (k *Kernels) Uniform(dst []float32, s philox.Stream, first uint64) {
	if first%4 != 0 {
		panic("random: random numbers begin with a block")
	}
	r, block := *k, first/4
	if block+uint64(len(dst)) >= 1<<32 { // kernels count in 32 bits
		r = plain
	}
	ctr, key := s.Counter(block)
	high, seed := join(ctr[2], ctr[3]), join(key[0], key[1])
	for len(dst) >= r.group {
		groups := min(len(dst)/r.group, uniformCall)
		r.uniform(groups, &dst[0], block, high, seed)
		dst, block = dst[groups*r.group:], block+uint64(groups*r.group/4)
	}
	var rest [4]float32
	for ; len(dst) > 0; block++ {
		uniformGo(1, &rest[0], block, high, seed)
		dst = dst[copy(dst, rest[:]):]
	}
}

func join(lo, hi uint32) uint64 { return uint64(hi)<<32 | uint64(lo) }

// uniformGo is the plain-Go twin.
func uniformGo(n int, dst *float32, block, high, key uint64) uint32 {
	out := unsafe.Slice(dst, 4*n)
	for i := 0; i < len(out); i += 4 {
		ctr := [4]uint32{uint32(block), uint32(block >> 32), uint32(high), uint32(high >> 32)}
		for j, w := range philox.Philox4x32(ctr, [2]uint32{uint32(key), uint32(key >> 32)}) {
			out[i+j] = float32(w>>8) * 0x1p-24
		}
		block++
	}
	return 0
}
