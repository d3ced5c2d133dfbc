package simdtest

import (
	"runtime"
	"testing"
	"time"

	"github.com/plexaura/plexaura/internal/par"
)

// Share reports the rate of run, which does so many operations, and its share of what a loop of
// nothing but multiply-adds on registers, fma, reaches in turn with it.
func Share(b *testing.B, threads int, operations float64, fma func(turns int) int, run func(pool *par.Pool)) {
	pool := par.NewPool(threads)
	defer pool.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	body := func(lo, hi int) { fma(hi - lo) }
	var work, peak time.Duration
	loops := 0
	for b.Loop() {
		start := time.Now()
		run(pool)
		work += time.Since(start)
		for peak < work { // as long, so that both meet the same neighbours
			start := time.Now()
			pool.For(32, 8, body)
			peak += time.Since(start)
			loops++
		}
	}
	rate := operations * float64(b.N) / work.Seconds()
	limit := float64(32*fma(1)*loops) / peak.Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/limit, "%peak")
	b.ReportMetric(0, "ns/op")
}
