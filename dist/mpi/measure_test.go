//go:build linux && (amd64 || arm64)

package mpi

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/mpi/mpitest"
)

var (
	measuring = flag.Bool("measure", false, "print latencies and rates of operations, for docs/DISTRIBUTED.md")
	ranks     = flag.Int("ranks", 2, "of -measure")
)

// go test ./dist/mpi -run TestMeasure -measure -v
func TestMeasure(t *testing.T) {
	if !*measuring {
		t.Skip("measures only if asked, by -measure")
	}
	each(t, func(t *testing.T, l mpitest.Launcher) {
		out, err := launch(t, l, *ranks, "measure")
		require.NoError(t, err, out)
		t.Logf("\n%s", out)
	})
}

// measure prints, on rank 0, the median time of each operation by the bytes of the vector.
func measure(g dist.Group) error {
	ctx := context.Background()
	if g.Rank() == 0 {
		fmt.Println(g)
		fmt.Printf("%10s %12s %12s %12s %12s %12s %12s\n", "bytes", "Barrier", "Exchange", "Gather", "SumFloat32", "Reducer", "bfloat16")
	}
	for size := 4; size <= 64<<20; size *= 8 {
		steps, err := operations(ctx, g, size)
		if err != nil {
			return err
		}
		var times []any
		for _, step := range steps {
			d, err := median(ctx, g, step)
			if err != nil {
				return err
			}
			times = append(times, d)
		}
		if g.Rank() == 0 {
			fmt.Printf("%10d %12v %12v %12v %12v %12v %12v\n", append([]any{size}, times...)...)
		}
	}
	return nil
}

// operations are what is measured, of a vector of size bytes: each rank sends the others an equal piece of it.
func operations(ctx context.Context, g dist.Group, size int) ([]func() error, error) {
	v, n := make([]float32, size/4), g.Size()
	send, recv := make([][]byte, n), make([][]byte, n)
	for i := range n {
		send[i], recv[i] = make([]byte, size/n), make([]byte, size/n)
	}
	steps := []func() error{
		func() error { return g.Barrier(ctx) },
		func() error { return g.Exchange(ctx, send, recv) },
		func() error { return g.Gather(ctx, send[0], recv) },
		func() error { return g.SumFloat32(ctx, v) },
	}
	for _, wire := range []dist.Wire{dist.Exact, dist.BFloat16} {
		r, err := dist.NewReducer[float32](g, dist.ReducerConfig{Length: len(v), Wire: wire})
		if err != nil {
			return nil, err
		}
		steps = append(steps, func() error {
			if err := r.Add(v); err != nil {
				return err
			}
			return r.Finish(ctx, v)
		})
	}
	return steps, nil
}

// median returns the median time of step, which is repeated for a fifth of a second, as often on all ranks.
func median(ctx context.Context, g dist.Group, step func() error) (time.Duration, error) {
	const least, most, during = 5, 2000, 200 * time.Millisecond
	begun := time.Now()
	for range least {
		if err := step(); err != nil {
			return 0, err
		}
	}
	times := []uint64{min(most, max(least, uint64(during/(time.Since(begun)/least+1))))}
	if err := g.Broadcast(ctx, dist.Bytes(times), 0); err != nil {
		return 0, err
	}
	all := make([]time.Duration, times[0])
	for i := range all {
		begun := time.Now()
		if err := step(); err != nil {
			return 0, err
		}
		all[i] = time.Since(begun)
	}
	slices.Sort(all)
	const digits = 100 * time.Nanosecond
	return all[len(all)/2].Round(digits), nil
}
