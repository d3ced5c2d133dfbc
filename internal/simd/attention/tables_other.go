//go:build !amd64

package attention

import "github.com/plexaura/plexaura/internal/simd/isa"

// tables are the kernels by level.
var tables = map[isa.Level]table{isa.Generic: plain}
