package random

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

func TestUniformGivesTheNumbersOfTheStream(t *testing.T) {
	s := philox.Stream{Seed: 0x123456789abcdef, ID: philox.ID("dropout"), Step: 7}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, first := range []uint64{0, 4, 44, 1<<32 - 8, 1 << 33, 1<<34 - 40, 1 << 40} {
			for _, n := range []int{0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 63, 65, 1000, 33*uniformCall + 5} {
				dst := make([]float32, n+1)
				dst[n] = -1
				k.Uniform(dst[:n], s, first)
				for i, v := range dst[:n] {
					if want := float32(s.Uint32(first+uint64(i))>>8) * 0x1p-24; math.Float32bits(want) != math.Float32bits(v) {
						t.Fatalf("first %d, element %d of %d: %v, want %v", first, i, n, v, want)
					}
				}
				require.EqualValues(t, -1, dst[n])
			}
		}
	})
}

func BenchmarkUniform(b *testing.B) {
	dst := make([]float32, 1<<16)
	for _, l := range isa.Levels() {
		b.Run(fmt.Sprint(l), func(b *testing.B) {
			b.SetBytes(int64(4 * len(dst)))
			for b.Loop() {
				with(l).Uniform(dst, philox.Stream{Seed: 1}, 0)
			}
		})
	}
}
