package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
)

// gradients is the table of gradients that is checked.
type gradients struct {
	lines func() []cases.Line // a line for each op, all rows run
	rows  func() []cases.Case
}

// catalogue is the table of the ops there are.
func catalogue() gradients { return gradients{cases.Summary, cases.All} }

func (g gradients) gradCheck(ctx context.Context, c *call) error {
	op := c.String("op", "", "only the rows of this `op`, such as Conv2D")
	if err := c.parse(false); err != nil {
		return err
	}
	if *op != "" {
		return g.checkRows(ctx, c, *op)
	}
	return g.checkOps(c.stdout)
}

// checkOps prints a line for each op of the catalogue.
func (g gradients) checkOps(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "op\trows\torder 1\torder 2\tthe worst is that of")
	failed := 0
	for _, l := range g.lines() {
		switch {
		case l.Err != nil:
			failed++
			fmt.Fprintf(w, "%s\t%d\t%s\tFAILED: %s\n", l.Op, l.Rows, errorsOf(l.Orders), oneLine(l.Err))
		case l.Reason != "":
			fmt.Fprintf(w, "%s\t\t\t\tnot differentiable: %s\n", l.Op, l.Reason)
		default:
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", l.Op, l.Rows, errorsOf(l.Orders), l.Label)
		}
	}
	return conclude(out, w, failed)
}

// errorsOf is the worst relative errors of the first order and of those above it, in two columns.
func errorsOf(orders []float64) string {
	text := [2]string{}
	if len(orders) > 0 {
		text[0] = fmt.Sprintf("%.1e", orders[0])
	}
	if len(orders) > 1 {
		text[1] = fmt.Sprintf("%.1e", slices.Max(orders[1:]))
	}
	return strings.Join(text[:], "\t")
}

// checkRows prints each row of one op.
func (g gradients) checkRows(ctx context.Context, c *call, op string) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "op\tattributes\torder 1\torder 2\t")
	rows, failed := 0, 0
	for _, row := range g.rows() {
		if !strings.EqualFold(row.Op, op) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows++
		r, err := row.Run()
		if err != nil {
			failed++
			fmt.Fprintf(w, "%s\t%s\t%s\tFAILED: %s\n", row.Op, row.Label, errorsOf(r.Orders), oneLine(err))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t\n", row.Op, row.Label, errorsOf(r.Orders))
	}
	if rows == 0 {
		return usagef("no op %q in the table; %s lists them", op, c.line("gradcheck"))
	}
	return conclude(c.stdout, w, failed)
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
