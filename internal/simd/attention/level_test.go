package attention

import (
	"testing"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// eachLevel runs a test with the kernels of every level that the processor has.
func eachLevel(t *testing.T, test func(t *testing.T, k *Kernels)) {
	for _, l := range isa.Levels() {
		t.Run(l.String(), func(t *testing.T) { test(t, At(l, gemm.At(l), vec.At(l))) })
	}
}
