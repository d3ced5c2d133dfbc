package simd

import "sync"

// caches are sizes in bytes of what one core reaches: its own first and second level, and the
// last level, which it may share.
type caches struct{ l1, l2, l3 int }

// typicalCaches serves where the processor does not tell.
var typicalCaches = caches{l1: 32 << 10, l2: 512 << 10, l3: 8 << 20}

// cacheSizes are those of this processor. They are read once: the instruction that tells them takes
// microseconds where the machine is virtual.
var cacheSizes = sync.OnceValue(readCaches)
