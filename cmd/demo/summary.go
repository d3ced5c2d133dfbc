package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

func summary(_ context.Context, c *call) error {
	name := c.String("model", "lenet", "one of "+list(models()))
	batch := c.Int("batch", 64, "batch size that memory is given for")
	engineName := c.String("engine", "cpu", "engine that memory is given for: cpu, std or ref")
	if err := c.parse(false); err != nil {
		return err
	}
	m, err := findModel(*name)
	if err != nil {
		return err
	}
	e, err := findEngine(*engineName)
	if err != nil {
		return err
	}
	if *batch < 1 {
		return usagef("-batch %d: at least 1", *batch)
	}
	b := m.infer()
	if err := b.logits.Graph().Err(); err != nil {
		return err
	}
	if err := writeLayers(c.stdout, *name, b.logits); err != nil {
		return err
	}
	return writeMemory(c.stdout, m, e, *batch)
}

// layerRow is one line of the table.
type layerRow struct {
	path   string
	main   *graph.Node // what most of its work is, or its last node
	last   *graph.Node // its last node, whose type is the layer's output
	params int
	macs   int
}

// layerRows collects the nodes of each layer, in the order the layers end.
func layerRows(out *graph.Node) (rows []*layerRow) {
	byPath := map[string]*layerRow{}
	for _, n := range graph.Reachable(out) {
		r := byPath[n.Layer()]
		if r == nil {
			r = &layerRow{path: n.Layer()}
			byPath[n.Layer()] = r
			rows = append(rows, r)
		}
		switch n.Kind() {
		case graph.Computed, graph.Input:
			r.last = n
			if m := nn.MACs(n); m > 0 || r.macs == 0 {
				r.main, r.macs = n, r.macs+m
			}
		case graph.Param:
			r.params += n.Type().Len()
		}
	}
	return rows
}

func writeLayers(out io.Writer, name string, logits *graph.Node) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\t op\t output\t parameters\t MACs an image\t\n", name)
	params, macs := 0, 0
	for _, r := range layerRows(logits) {
		if r.last == nil {
			continue
		}
		fmt.Fprintf(w, "%s\t %s\t %v\t %s\t %s\t\n", r.path, r.main.Op().Name(), r.last.Type().Shape, thousands(r.params), thousands(r.macs))
		params, macs = params+r.params, macs+r.macs
	}
	fmt.Fprintf(w, "total\t\t\t %s\t %s\t\n", thousands(params), thousands(macs))
	return w.Flush()
}

func writeMemory(out io.Writer, m model, e engine.Engine, batch int) error {
	fmt.Fprintf(out, "\nmemory at batch %d on engine %s, in bytes:\n", batch, e.Name())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "program\t arena\t (unshared)\t parameters and state\t constants\t total\t\n")
	for _, row := range []struct {
		name string
		b    built
		opts []vm.Option
	}{
		{"infer", m.infer(), nil},
		{"train", m.train(optim.SGD{LR: m.lr, Momentum: .9}), []vm.Option{vm.Train}},
	} {
		p, err := vm.Compile(e, row.b.outs, row.opts...)
		if err != nil {
			return err
		}
		mem, err := p.Memory(batch)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t %s\t %s\t %s\t %s\t %s\t\n", row.name, thousands(mem.Arena), thousands(mem.Unshared), thousands(mem.Leaves), thousands(mem.Consts), thousands(mem.Arena+mem.Leaves+mem.Consts))
	}
	return w.Flush()
}

// thousands prints n with a comma every three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
