package main

import (
	"time"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
)

// limits are what the machine can do, measured in the same run as what is compared with them.
type limits struct{ gflops, gbs float64 }

func measureLimits() limits { return limits{fmaPeak(), bandwidth()} }

// best returns the least time of some turns of f, in seconds.
func best(turns int, f func()) float64 {
	least := time.Duration(1<<63 - 1)
	for range turns {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return least.Seconds()
}

// fmaPeak is the rate of float32 multiply-adds on registers, in GFLOP/s.
func fmaPeak() float64 {
	k, pool := simd.Best(), par.Default()
	const chunks, grain = 4096, 64
	body := func(lo, hi int) { k.Vec.FMALoop(hi - lo) }
	seconds := best(10, func() { pool.For(chunks, grain, body) })
	return float64(chunks*k.Vec.FMALoop(1)) / seconds / 1e9
}

// bandwidth is the rate at which memory is read and written by a copy, in GB/s. The buffers
// are 32 MiB each, and given back.
func bandwidth() float64 {
	const bytes, grain = 32 << 20, 1 << 20
	dst, src := make([]byte, bytes), make([]byte, bytes)
	for i := range src {
		src[i] = byte(i)
	}
	pool := par.Default()
	body := func(lo, hi int) { copy(dst[lo:hi], src[lo:hi]) }
	seconds := best(6, func() { pool.For(bytes, grain, body) })
	return 2 * bytes / seconds / 1e9
}
