package vec

import (
	"testing"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

func BenchmarkFMALoop(b *testing.B) {
	for _, l := range isa.Levels() {
		b.Run(l.String(), func(b *testing.B) {
			k := with(l)
			body := func(lo, hi int) { k.FMALoop(hi - lo) }
			pool := par.Default()
			for b.Loop() {
				pool.For(512, 8, body)
			}
			work := float64(512 * k.FMALoop(1))
			b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
