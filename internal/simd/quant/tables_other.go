//go:build !amd64

package quant

import "github.com/plexaura/plexaura/internal/simd/isa"

// tables are the kernels by level.
var tables = map[isa.Level]Kernels{isa.Generic: plain}
