package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/vm"
)

// clientsTime is for how long clients run a case, after one run each that does not count.
const clientsTime = 4 * time.Second

// clientsResult is what a case prints with -clients.
type clientsResult struct {
	Case    string  `json:"case"`
	Clients int     `json:"clients"`
	Threads int     `json:"threads"`     // that work on the run of a client, at most
	Rate    float64 `json:"runs_second"` // of all clients
	Median  float64 `json:"ms"`          // of a run
	P99     float64 `json:"p99_ms"`
}

func (r clientsResult) print(c *call, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(r)
	}
	_, err := fmt.Fprintf(c.stdout, "%-20s %7d %7d %10.4g %10.4g %10.4g\n", r.Case, r.Clients, r.Threads, r.Rate, r.Median, r.P99)
	return err
}

// benchClients runs inference cases on behalf of several clients at a time, each with a machine of its
// own, of one program and one store.
func benchClients(ctx context.Context, c *call, e engine.Engine, cases []benchCase, clients, threads int, asJSON bool, opts ...vm.Option) error {
	if !asJSON {
		fmt.Fprintf(c.stdout, "%-20s %7s %7s %10s %10s %10s\n", "case", "clients", "threads", "runs/s", "ms", "p99 ms")
	}
	opts = append(slices.Clone(opts), vm.WithThreads(threads))
	for _, b := range cases {
		if !strings.Contains(b.name, "/infer/") {
			continue
		}
		r, err := clientsOf(ctx, e, b, clients, opts...)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.Threads = threads
		if err := r.print(c, asJSON); err != nil {
			return err
		}
	}
	return nil
}

func clientsOf(ctx context.Context, e engine.Engine, b benchCase, clients int, opts ...vm.Option) (r clientsResult, err error) {
	w, err := b.make(e, opts...)
	if err != nil {
		return r, err
	}
	machines := make([]*vm.Machine, clients)
	for i := range machines {
		if machines[i], err = w.program.NewMachine(w.store); err != nil {
			return r, err
		}
		if _, err := machines[i].Run(ctx, w.inputs...); err != nil {
			return r, err
		}
	}
	times, err := timeClients(ctx, machines, w, clientsTime)
	if err != nil {
		return r, err
	}
	slices.Sort(times)
	ms := func(part int) float64 { return times[(len(times)-1)*part/100].Seconds() * 1e3 }
	return clientsResult{Case: b.name, Clients: clients, Rate: float64(len(times)) / clientsTime.Seconds(), Median: ms(50), P99: ms(99)}, nil
}

// timeClients has all machines run for so long, and returns how long each run took that ended in it.
func timeClients(ctx context.Context, machines []*vm.Machine, w *workload, length time.Duration) (all []time.Duration, err error) {
	runs, errs := make([][]time.Duration, len(machines)), make([]error, len(machines))
	end := time.Now().Add(length)
	var waiting sync.WaitGroup
	for i, m := range machines {
		waiting.Go(func() {
			for {
				start := time.Now()
				_, err := m.Run(ctx, w.inputs...)
				stop := time.Now()
				if err != nil || stop.After(end) {
					errs[i] = err
					return
				}
				runs[i] = append(runs[i], stop.Sub(start))
			}
		})
	}
	waiting.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all = slices.Concat(runs...)
	if len(all) == 0 {
		return nil, fmt.Errorf("no run ended in %v", length)
	}
	return all, nil
}
