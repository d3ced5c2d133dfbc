package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
)

func gradCheck(_ context.Context, c *call) error {
	op := c.String("op", "", "the rows of this `op` alone, such as Conv2D")
	if err := c.parse(false); err != nil {
		return err
	}
	if *op != "" {
		return checkRows(c.stdout, *op)
	}
	return checkOps(c.stdout)
}

// checkOps prints a line for each op of the catalogue.
func checkOps(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "op\trows\tworst relative error\tof")
	failed := 0
	for _, l := range cases.Summary() {
		switch {
		case l.Err != nil:
			failed++
			fmt.Fprintf(w, "%s\t%d\t%.1e FAILED\t%s\n", l.Op, l.Rows, l.Worst.Error, oneLine(l.Err))
		case l.Reason != "":
			fmt.Fprintf(w, "%s\t\tnot differentiable\t%s\n", l.Op, l.Reason)
		default:
			fmt.Fprintf(w, "%s\t%d\t%.1e\t%s\n", l.Op, l.Rows, l.Worst.Error, l.Label)
		}
	}
	return conclude(out, w, failed)
}

// checkRows prints each row of one op.
func checkRows(out io.Writer, op string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "op\tattributes\tworst relative error\t")
	rows, failed := 0, 0
	for _, row := range cases.All() {
		if !strings.EqualFold(row.Op, op) {
			continue
		}
		rows++
		r, err := row.Run()
		if err != nil {
			failed++
			fmt.Fprintf(w, "%s\t%s\t%.1e FAILED\t%s\n", row.Op, row.Label, r.Worst.Error, oneLine(err))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%.1e\t\n", row.Op, row.Label, r.Worst.Error)
	}
	if rows == 0 {
		return usagef("no op %q in the table; demo gradcheck lists them", op)
	}
	return conclude(out, w, failed)
}

func conclude(out io.Writer, w *tabwriter.Writer, failed int) error {
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d gradients are off by more than %.0e", failed, cases.Tolerance)
	}
	_, err := fmt.Fprintf(out, "\nall gradients agree with finite differences to %.0e, first and second order, in float64\n", cases.Tolerance)
	return err
}
