package attention

import "github.com/plexaura/plexaura/internal/simd/isa"

// tables are the kernels by level.
var tables = map[isa.Level]table{isa.Generic: plain, isa.AVX2: avx2, isa.AVX512: avx512}
