package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/vm"
)

// benchLayers prints the time of each instruction of a model's inference and training.
func benchLayers(ctx context.Context, out io.Writer, e engine.Engine, m model, batch int, l limits, opts ...vm.Option) error {
	for _, mode := range []struct {
		name string
		make func(engine.Engine, model, int, ...vm.Option) (*workload, error)
		opts []vm.Option
	}{{"inference", inferCase, opts}, {"training step", trainCase, nil}} {
		w, err := mode.make(e, m, batch, mode.opts...)
		if err != nil {
			return err
		}
		if err := benchInstructions(ctx, out, w, mode.name, batch, l); err != nil {
			return err
		}
	}
	return nil
}

// benchInstructions prints the time of each instruction of w.
func benchInstructions(ctx context.Context, out io.Writer, w *workload, mode string, batch int, l limits) error {
	rows, err := profile(ctx, w)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s, batch %d, times of single instructions run one after the other:\n\n", mode, batch)
	return writeProfile(out, rows, batch, l)
}

// profileRow is the times of one instruction.
type profileRow struct {
	vm.Instruction
	times []float64 // ms
}

// ms is the median.
func (r profileRow) ms() float64 {
	slices.Sort(r.times)
	return r.times[len(r.times)/2]
}

// profile times the instructions of some runs.
func profile(ctx context.Context, w *workload) (rows []profileRow, err error) {
	const rounds = 15
	for round := range rounds + 1 {
		at := 0
		_, err := w.machine.Profile(ctx, func(in vm.Instruction) {
			switch {
			case round == 0: // warms up
				rows = append(rows, profileRow{Instruction: in})
			default:
				rows[at].times = append(rows[at].times, in.Took.Seconds()*1e3)
			}
			at++
		}, w.inputs...)
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func writeProfile(out io.Writer, rows []profileRow, batch int, l limits) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "#\tinstruction\tresult\tkernel\tlayer\tms\tof all\tGFLOP/s\tof peak\t\t")
	all, slowest := 0.0, 0.0
	for _, r := range rows {
		all += r.ms()
		slowest = max(slowest, r.ms())
	}
	for _, r := range rows {
		ms, work := r.ms(), 0.0
		for _, n := range r.Nodes {
			work += 2 * float64(nn.MACs(n)) * float64(batch)
		}
		rate, share := "", ""
		if work > 0 {
			rate, share = fmt.Sprintf("%.1f", work/ms/1e6), fmt.Sprintf("%.0f%%", 100*work/ms/1e6/l.gflops)
		}
		result := ""
		if len(r.Out) > 0 {
			result = r.Out[0].Operand().String()
		}
		mark := ""
		if ms == slowest {
			mark = "<- slowest"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%.4f\t%.1f%%\t%s\t%s\t%s\t\n", r.Index, r.Name, result, kernel(r.Instruction), r.Layer, ms, 100*ms/all, rate, share, mark)
	}
	fmt.Fprintf(w, "\t\t\t\tall\t%.4f\t\t\t\t\t\n", all)
	return w.Flush()
}
