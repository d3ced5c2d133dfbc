package attention

import (
	"fmt"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

func BenchmarkAttention(b *testing.B) {
	for _, l := range isa.Levels()[1:] {
		k := At(l, gemm.At(l), vec.At(l))
		for _, op := range []Op{
			{L: 128, S: 128, E: 64, V: 64}, {L: 64, S: 64, E: 32, V: 32}, {L: 512, S: 512, E: 64, V: 64}, {L: 1, S: 1024, E: 64, V: 64},
			{L: 512, S: 512, E: 64, V: 64, Causal: true},
		} {
			op.Keys, op.Scale = op.S, .125
			v := func(n int) []float32 { return make([]float32, n) }
			h := Head[float32]{Q: v(op.L * op.E), K: v(op.S * op.E), V: v(op.S * op.V), DY: v(op.L * op.V)}
			y, g := v(op.L*op.V), Grads[float32]{v(op.L * op.E), v(op.S * op.E), v(op.S * op.V)}
			one, all := v(Scratch[float32](k, op, false)), v(Scratch[float32](k, op, true))
			rate := func(b *testing.B, products int) {
				b.ReportMetric(float64(products*2*op.L*op.S*op.E*b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			}
			b.Run(fmt.Sprintf("%v/%dx%dx%d,causal=%t/fwd", l, op.L, op.S, op.E, op.Causal), func(b *testing.B) {
				for b.Loop() {
					Forward(k, op, 0, op.L, h, y, one)
				}
				rate(b, 2)
			})
			b.Run(fmt.Sprintf("%v/%dx%dx%d,causal=%t/grad", l, op.L, op.S, op.E, op.Causal), func(b *testing.B) {
				for b.Loop() {
					Backward(k, op, 0, op.L, h, g, all)
				}
				rate(b, 5)
			})
		}
	}
}
