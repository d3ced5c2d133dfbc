package vec

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Indices reports whether all ids are from 0 up to but not including n, of which there is at least one if there are ids.
func (k *Kernels) Indices(ids []int32, n int) bool {
	last := int32(min(n-1, 1<<31-1))
	for ; len(ids) > 0; ids = ids[min(isa.CallLen, len(ids)):] {
		if last < 0 || k.idsBeyond(min(isa.CallLen, len(ids)), &ids[0], last) != 0 {
			return false
		}
	}
	return true
}

func idsBeyondGo(n int, ids *int32, last int32) uint32 {
	for _, id := range unsafe.Slice(ids, n) {
		if uint32(id) > uint32(last) { // negative ones are large
			return 1
		}
	}
	return 0
}
