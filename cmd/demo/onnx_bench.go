package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
)

// onnxBench times a file, in turn with ONNX Runtime.
func onnxBench(ctx context.Context, c *call) error {
	in := c.pickInputs(1)
	threads := c.Int("threads", runtime.GOMAXPROCS(0), "how many threads compute")
	rounds := c.Int("rounds", 9, "how often each is timed, in turn, for 100 ms or a run")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	path, err := c.only("file")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(*threads)
	_, s, inputs, err := onnxSession(path, *engineName, in)
	if err != nil {
		return err
	}
	sides := []*side{{name: "plexaura", time: func(n int) (float64, error) { return timeSession(ctx, s, inputs, n) }}}
	if _, err := sides[0].time(1); err != nil {
		return err
	}
	r, err := startRuntime(ctx, path, inputs, *threads)
	var none errNoRuntime
	switch {
	case errors.As(err, &none):
		if _, err := fmt.Fprintf(c.stdout, "alone: %s\n", plain.Line(none.Error())); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		defer r.close()
		sides = append(sides, &side{name: "ONNX Runtime " + r.version, time: r.time})
	}
	if err := inTurn(ctx, sides, *rounds); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%-24s %10s %10s %10s\n", "ms a run", "median", "least", "greatest")
	for _, d := range sides {
		fmt.Fprintf(c.stdout, "%-24s %10.4g %10.4g %10.4g\n", d.name, 1e3*d.median(), 1e3*d.times[0], 1e3*d.times[len(d.times)-1])
	}
	if len(sides) == 2 {
		_, err = fmt.Fprintf(c.stdout, "%s takes %.2f times as long as %s\n", sides[1].name, sides[1].median()/sides[0].median(), sides[0].name)
	}
	return err
}

// A side is what is timed: time returns the seconds that a run takes, the mean of n.
type side struct {
	name  string
	time  func(n int) (float64, error)
	times []float64 // sorted
}

// median is that of the times, of which there is at least one.
func (d *side) median() float64 { return d.times[len(d.times)/2] }

// inTurn times each side in every round.
func inTurn(ctx context.Context, sides []*side, rounds int) error {
	const block = .1
	runs := make([]int, len(sides))
	for i, d := range sides {
		took, err := d.time(1) // warm
		if err != nil {
			return err
		}
		runs[i] = max(1, min(1e6, int(block/max(took, 1e-7))))
	}
	for range rounds {
		for i, d := range sides {
			if err := ctx.Err(); err != nil {
				return err
			}
			took, err := d.time(runs[i])
			if err != nil {
				return err
			}
			d.times = append(d.times, took)
		}
	}
	for _, d := range sides {
		slices.Sort(d.times)
	}
	return nil
}

// timeSession returns the seconds that a run takes, the mean of n.
func timeSession(ctx context.Context, s *onnx.Session, inputs map[string]*onnx.Tensor, n int) (float64, error) {
	start := time.Now()
	for range n {
		if _, err := s.Run(ctx, inputs); err != nil {
			return 0, err
		}
	}
	return time.Since(start).Seconds() / float64(n), nil
}
