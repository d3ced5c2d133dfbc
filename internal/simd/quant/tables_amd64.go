package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// tables are the kernels by level. A processor with AVX-512 but without its products of bytes has
// those of AVX2.
var tables = map[isa.Level]Kernels{isa.Generic: plain, isa.AVX2: avx2, isa.AVX512: deepest(cpu.X86.HasAVX512VNNI)}

func deepest(vnni bool) Kernels {
	if vnni {
		return avx512
	}
	return avx2
}
