package isa

import "sync"

// Caches are sizes in bytes of what one core reaches: its own first and second level, and the
// last level, which it may share.
type Caches struct{ L1, L2, L3 int }

// typicalCaches serves where the processor does not say.
var typicalCaches = Caches{L1: 32 << 10, L2: 512 << 10, L3: 8 << 20}

// CacheSizes are those of this processor. They are read once: the instruction that gives them takes
// microseconds where the machine is virtual.
var CacheSizes = sync.OnceValue(readCaches)
