package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// engines are all engines, cpu at each level that the processor has.
func engines() []under {
	all := []under{{name: "ref", Engine: ref.Engine{}}, {name: "std", Engine: std.New(tensor.StdEng{}), few: true}}
	for _, l := range isa.Levels() {
		all = append(all, under{name: "cpu " + l.String(), Engine: cpu.New(cpu.AtLevel(l)), flushes: true})
	}
	return all
}

// hunt looks for configurations that differ.
type hunt struct {
	Seed     uint64
	First, N int      // which configurations of the seed
	Rows     []string // of the table, in turn
	Workers  int
	Engines  []under
	Tell     func(found) // is told what is found at once, from one goroutine at a time
}

// report is what was found.
type report struct {
	hunt
	Rows    map[string]int    // how many configurations of each
	Refused map[string]int    // how many PyTorch refuses, by function and reason
	Missing map[string]string // derivatives that PyTorch lacks, by function
	Found   []found
}

// found is a configuration that differs, shrunk.
type found struct {
	number int
	row    string
	config config
	what   string
}

func (f found) String() string {
	return fmt.Sprintf("configuration %d, %s, in its simplest form:\n%v\n%s\n", f.number, f.row, f.config, f.what)
}

func (h hunt) run(ctx context.Context) (report, error) {
	r := report{hunt: h, Rows: map[string]int{}, Refused: map[string]int{}, Missing: map[string]string{}}
	path, err := interpreter()
	if err != nil {
		return r, err
	}
	file, err := script()
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	errs := make([]error, max(1, h.Workers))
	for w := range errs {
		group.Go(func() {
			if errs[w] = h.work(ctx, path, file, w, len(errs), &mu, &r); errs[w] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	return r, errors.Join(errs...)
}

// work compares every workers-th configuration from the w-th on.
func (h hunt) work(ctx context.Context, path, file string, w, workers int, mu *sync.Mutex, r *report) error {
	p, err := newPeer(ctx, path, file)
	if err != nil {
		return err
	}
	k := &checker{peer: p, engines: h.Engines, missing: map[string]string{}}
	for number := h.First + w; number < h.First+h.N; number += workers {
		row := h.Rows[number%len(h.Rows)]
		f, err := h.one(ctx, k, number, row)
		if err != nil && !errors.Is(err, errUnsupported) {
			return fmt.Errorf("configuration %d of seed %d, %s: %w", number, h.Seed, row, err)
		}
		mu.Lock()
		r.Rows[row]++
		if err != nil {
			r.Refused[fmt.Sprintf("%s: %v", row, err)]++
		}
		if f != nil {
			r.Found = append(r.Found, *f)
			h.Tell(*f)
		}
		mu.Unlock()
	}
	mu.Lock()
	maps.Copy(r.Missing, k.missing)
	mu.Unlock()
	return p.close()
}

// tries bounds how many configurations are tried to find a simpler one.
const tries = 300

// one draws a configuration and compares it, nil where nothing differs.
func (h hunt) one(ctx context.Context, k *checker, number int, row string) (*found, error) {
	c := &choices{random: rand.New(rand.NewPCG(h.Seed, uint64(number)))}
	what, err := k.verdict(ctx, row, c, true)
	if err != nil || what == "" {
		return nil, err
	}
	least := shrink(c.made, tries, func(made []int) bool {
		simpler, err := k.verdict(ctx, row, &choices{given: made}, true)
		return err == nil && simpler != ""
	})
	if what, err = k.verdict(ctx, row, &choices{given: least}, false); err != nil {
		return nil, err
	}
	simplest, _ := draw(row, &choices{given: least})
	return &found{number, row, simplest, what}, nil
}

// verdict says what differs in the configuration that choices make, or fails; the first difference
// is enough where it is only asked whether there is one.
func (k *checker) verdict(ctx context.Context, row string, c *choices, first bool) (string, error) {
	conf, err := draw(row, c)
	if err != nil {
		return err.Error(), nil
	}
	all, err := k.check(ctx, conf, first)
	switch {
	case errors.Is(err, errUnsupported) || ctx.Err() != nil:
		return "", err
	case errors.Is(err, errPeer):
		return "", err
	case err != nil:
		return err.Error(), nil
	}
	const most = 8
	var lines []string
	for _, d := range all[:min(most, len(all))] {
		lines = append(lines, d.String())
	}
	if len(all) > most {
		lines = append(lines, fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(lines, "\n"), nil
}

// String is the report as it is printed.
func (r report) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Refused)) {
		fmt.Fprintf(&b, "%d times %s\n", r.Refused[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Missing)) {
		fmt.Fprintf(&b, "fewer gradients of %s: %s\n", name, r.Missing[name])
	}
	n := 0
	for _, times := range r.Rows {
		n += times
	}
	fmt.Fprintf(&b, "seed %d, configurations %d to %d: %d of %d rows compared on %d engines in both precisions, %d differ\n",
		r.Seed, r.First, r.First+r.N-1, n, len(r.Rows), len(r.Engines), len(r.Found))
	return b.String()
}
