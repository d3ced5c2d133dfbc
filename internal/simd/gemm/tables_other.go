//go:build !amd64

package gemm

import "github.com/plexaura/plexaura/internal/simd/isa"

// tables are the kernels by level.
var tables = map[isa.Level]table{isa.Generic: plain}
