// Command random draws configurations of the functions of package ops, and graphs of several, and
// compares results, gradients and gradients of gradients with PyTorch's, in both precisions, on all
// engines:
//
//	go run ./internal/parity/random -seed 7 -n 10000
//
// What differs is shrunk to the simplest configuration that still does. Configuration k of a seed
// is always the same. The exit status is 1 where one differs.
//
// docs/PARITY.md says what counts as equal. Needs Python with PyTorch, see package internal/python.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/python"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("random", flag.ContinueOnError)
	h := hunt{Engines: engines(), Rows: rowsInTurn(), Tell: func(f found) { fmt.Println(f) }}
	flags.Uint64Var(&h.Seed, "seed", 1, "of the configurations")
	flags.IntVar(&h.First, "first", 0, "number of the first configuration")
	flags.IntVar(&h.N, "n", 1000, "how many configurations")
	flags.IntVar(&h.Workers, "workers", runtime.GOMAXPROCS(0), "how many are compared at once, each with a process of Python")
	only := flags.String("op", "", "only these rows of the table, comma-separated: Conv2D,Network")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := h.choose(*only); err != nil {
		fmt.Fprintln(os.Stderr, "random:", err)
		return 2
	}
	r, err := h.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "random:", err)
		return 1
	}
	fmt.Print(r)
	return min(1, len(r.Found))
}

// choose keeps some rows only.
func (h *hunt) choose(only string) error {
	if only == "" {
		return nil
	}
	h.Rows = strings.Split(only, ",")
	for _, n := range h.Rows {
		if drawers[n] == nil {
			return fmt.Errorf("no row %q; there are %s", n, strings.Join(names, ", "))
		}
	}
	return nil
}

// rowsInTurn are the rows of the table, those several times that have the most to draw.
func rowsInTurn() []string {
	all := slices.Clone(names)
	for n, times := range map[string]int{"Network": 16, "Chain": 8, "Conv2D": 4, "MaxPool2D": 4, "MatMul": 3, "AvgPool2D": 2, "ConvTranspose2D": 2} {
		all = append(all, slices.Repeat([]string{n}, times-1)...)
	}
	slices.Sort(all)
	return all
}

// script is the path of serve.py in the module's source, which the working folder lies in.
func script() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, "internal", "parity", "pytorch", "serve.py")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("internal/parity/pytorch/serve.py is in no folder above: run this in the module's source")
		}
		dir = parent
	}
}

// interpreter finds Python with PyTorch.
func interpreter() (string, error) { return python.Find("torch", "numpy") }
