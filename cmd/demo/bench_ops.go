package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/opbench"
)

// opsRun is bench -ops: it times single ops, or does what the script of opbench asks for.
type opsRun struct {
	engine engine.Engine
	out    io.Writer
	json   bool
}

// opResult is what a case prints.
type opResult struct {
	Case  string  `json:"case"`
	Ms    float64 `json:"ms"` // median
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Check float64 `json:"check"` // proves that another program did the same work
}

// opCases are those whose names match, in order; all if pattern is empty.
func opCases(pattern string) ([]opbench.Case, error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, usagef("-case %s: %v", pattern, err)
	}
	cases := opbench.Cases()
	cases = slices.DeleteFunc(cases, func(c opbench.Case) bool { return !match.MatchString(c.Name()) })
	if len(cases) == 0 {
		return nil, usagef("-case %s: no case has such a name; bench -ops without -case prints them all", pattern)
	}
	return cases, nil
}

// table times the cases.
func (r opsRun) table(ctx context.Context, cases []opbench.Case) error {
	if !r.json {
		fmt.Fprintf(r.out, "%-60s %10s %10s %10s  %s\n", "case", "ms", "min", "max", "check")
	}
	for _, c := range cases {
		run, err := c.Build(r.engine)
		if err != nil {
			return err
		}
		res, err := r.measure(ctx, c, run)
		if err != nil {
			return err
		}
		if err := r.print(res); err != nil {
			return err
		}
	}
	return nil
}

func (r opsRun) print(res opResult) error {
	if r.json {
		return json.NewEncoder(r.out).Encode(res)
	}
	_, err := fmt.Fprintf(r.out, "%-60s %10.4g %10.4g %10.4g  %.6g\n", res.Case, res.Ms, res.Min, res.Max, res.Check)
	return err
}

func (r opsRun) measure(ctx context.Context, c opbench.Case, run *opbench.Run) (opResult, error) {
	check, err := run.Check(ctx)
	if err != nil {
		return opResult{}, err
	}
	const blocks = 9
	var times []float64
	for range blocks {
		ms, err := block(ctx, run)
		if err != nil {
			return opResult{}, err
		}
		times = append(times, ms)
	}
	slices.Sort(times)
	return opResult{c.Name(), times[blocks/2], times[0], times[blocks-1], check}, nil
}

// block returns the mean time of a run in ms, over at least 10 ms.
func block(ctx context.Context, run *opbench.Run) (float64, error) {
	const least = 10 * time.Millisecond
	start := time.Now()
	for n := 1; ; n++ {
		if err := run.Once(ctx); err != nil {
			return 0, err
		}
		if d := time.Since(start); d >= least {
			return d.Seconds() * 1e3 / float64(n), nil
		}
	}
}

// turns answers the names of cases, each a line of in: with a block's time, of a case that is not
// the one before after its check value and some runs to warm up.
func (r opsRun) turns(ctx context.Context, in io.Reader, cases []opbench.Case) error {
	var run *opbench.Run
	var res opResult
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		i := slices.IndexFunc(cases, func(c opbench.Case) bool { return c.Name() == lines.Text() })
		if i < 0 {
			return usagef("no case %q", lines.Text())
		}
		var err error
		if res.Case != lines.Text() {
			res.Case = lines.Text()
			if run, err = cases[i].Build(r.engine); err != nil {
				return err
			}
			if res.Check, err = run.Check(ctx); err != nil {
				return err
			}
			if _, err := block(ctx, run); err != nil {
				return err
			}
		}
		if res.Ms, err = block(ctx, run); err != nil {
			return err
		}
		res.Min, res.Max = res.Ms, res.Ms
		if err := r.print(res); err != nil {
			return err
		}
	}
	return lines.Err()
}

// list prints the table itself, one JSON object a case, with its name.
func (r opsRun) list(cases []opbench.Case) error {
	w := json.NewEncoder(r.out)
	for _, c := range cases {
		if err := w.Encode(struct {
			Name string `json:"name"`
			opbench.Case
		}{c.Name(), c}); err != nil {
			return err
		}
	}
	return nil
}

// benchOps runs what the flags ask for.
func benchOps(ctx context.Context, r opsRun, pattern, mode string) error {
	cases, err := opCases(pattern)
	if err != nil {
		return err
	}
	switch mode {
	case "list":
		return r.list(cases)
	case "turns":
		r.json = true
		return r.turns(ctx, os.Stdin, cases)
	case "":
		return r.table(ctx, cases)
	}
	return usagef("-ops-mode %s: want list or turns", mode)
}
