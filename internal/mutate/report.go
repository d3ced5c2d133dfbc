package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// tryAll tries faults, o.jobs at a time, and prints a line for each, a table, and what is to
// be mended.
func tryAll(ctx context.Context, m *module, faults []fault, o options, out io.Writer) (err error) {
	l, err := newLab(ctx, m, o)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, l.close()) }()
	start := time.Now()
	verdicts := l.work(ctx, faults, o.jobs, out)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted")
	}
	if err := table(out, faults, verdicts); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d faults in %v\n", len(faults), time.Since(start).Round(time.Second))
	return toMend(out, faults, verdicts)
}

// work tries the faults in the order of the list and prints each when it is done.
func (l *lab) work(ctx context.Context, faults []fault, jobs int, out io.Writer) []verdict {
	verdicts, next := make([]verdict, len(faults)), make(chan int)
	var done sync.WaitGroup
	var printing sync.Mutex
	count := 0
	for range jobs {
		done.Go(func() {
			for i := range next {
				v := l.try(ctx, faults[i])
				verdicts[i] = v
				if ctx.Err() != nil {
					continue
				}
				printing.Lock()
				count++
				fmt.Fprintf(out, "%*d/%d  %-9s %6.1fs  %s  %s\n", len(fmt.Sprint(len(faults))), count, len(faults), v.fate, v.took.Seconds(), faults[i].name(), v.by)
				printing.Unlock()
			}
		})
	}
	for i := range faults {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	done.Wait()
	return verdicts
}

var fates = [...]string{noticed: "noticed", timedOut: "timed out", explained: "explained", survived: "SURVIVED", broken: "BROKEN"}

func (f fate) String() string { return fates[f] }

// table prints how many faults of each package had which fate.
func table(out io.Writer, faults []fault, verdicts []verdict) error {
	count := map[string]*[len(fates)]int{}
	var pkgs []string
	for i, f := range faults {
		if count[f.pkg] == nil {
			count[f.pkg] = new([len(fates)]int)
			pkgs = append(pkgs, f.pkg)
		}
		count[f.pkg][verdicts[i].fate]++
	}
	slices.Sort(pkgs)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\npackage\tfaults")
	for _, name := range fates {
		fmt.Fprintf(w, "\t%s", name)
	}
	fmt.Fprintln(w, "\t")
	var total [len(fates)]int
	row := func(name string, n [len(fates)]int) {
		sum, cells := 0, ""
		for k, c := range n {
			sum += c
			total[k] += c
			cells += fmt.Sprintf("%d\t", c)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", name, sum, cells)
	}
	for _, p := range pkgs {
		row(p, *count[p])
	}
	row("all", total)
	return w.Flush()
}

// toMend prints the faults that no test notices, and those that are broken.
func toMend(out io.Writer, faults []fault, verdicts []verdict) error {
	ok := true
	for i, v := range verdicts {
		switch v.fate {
		case survived:
			fmt.Fprintf(out, "\nsurvived, %s:\n", faults[i].place)
			if err := writeFaults(out, faults[i:i+1]); err != nil {
				return err
			}
		case broken:
			fmt.Fprintf(out, "\n%v\n", v.err)
		default:
			continue
		}
		ok = false
	}
	if !ok {
		return errFound
	}
	return nil
}
