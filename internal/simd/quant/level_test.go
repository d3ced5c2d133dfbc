package quant

import (
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// eachLevel runs a test with the kernels of every level that the processor has, and with those of
// AVX2 where AVX-512 has no products of bytes.
func eachLevel(t *testing.T, test func(t *testing.T, k *Kernels)) {
	for _, l := range isa.Levels() {
		t.Run(l.String(), func(t *testing.T) { test(t, At(l)) })
	}
}

// trials returns n, or with -short fewer.
func trials(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}
