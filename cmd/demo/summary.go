package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

func summary(_ context.Context, c *call) error {
	pick := c.pick(64)
	weights := c.pickWeightsType()
	if err := c.parse(false); err != nil {
		return err
	}
	opts, err := weights.options()
	if err != nil {
		return err
	}
	s, err := pick.subject()
	if err != nil {
		return err
	}
	b := s.model.infer()
	if err := b.logits.Graph().Err(); err != nil {
		return err
	}
	if err := writeLayers(c.stdout, s.name, b.logits); err != nil {
		return err
	}
	return writeMemory(c.stdout, s, opts)
}

// layerRow is one line of the table.
type layerRow struct {
	path   string
	main   *graph.Node // what most of its work is, or its last node
	last   *graph.Node // its last node, whose type is the layer's output
	end    int         // where that stands among all nodes
	ops    map[string]bool
	states int
	params int
	macs   int
}

// kind names what the layer does: its main op, or the layer that has such ops.
func (r *layerRow) kind() string {
	switch {
	case r.ops["WindowSum"]:
		return "LRN"
	case r.states > 0:
		return "BatchNorm"
	}
	return r.main.Op().Name()
}

// layerRows collects the nodes of each layer that computes something, in the order the layers end.
func layerRows(out *graph.Node) []*layerRow {
	byPath := map[string]*layerRow{}
	for i, n := range graph.Reachable(out) {
		r := byPath[n.Layer()]
		if r == nil {
			r = &layerRow{path: n.Layer(), ops: map[string]bool{}}
			byPath[n.Layer()] = r
		}
		r.add(i, n)
	}
	rows := slices.DeleteFunc(slices.Collect(maps.Values(byPath)), func(r *layerRow) bool { return r.last == nil })
	slices.SortFunc(rows, func(a, b *layerRow) int { return cmp.Compare(a.end, b.end) })
	return rows
}

func (r *layerRow) add(i int, n *graph.Node) {
	switch n.Kind() {
	case graph.Computed, graph.Input:
		r.last, r.end, r.ops[n.Op().Name()] = n, i, true
		if m := nn.MACs(n); m > 0 || r.macs == 0 {
			r.main, r.macs = n, r.macs+m
		}
	case graph.Param:
		r.params += n.Type().Len()
	case graph.State:
		r.states++
	}
}

func writeLayers(out io.Writer, name string, logits *graph.Node) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\t op\t output\t parameters\t MACs an image\t\n", name)
	params, macs := 0, 0
	for _, r := range layerRows(logits) {
		fmt.Fprintf(w, "%s\t %s\t %v\t %s\t %s\t\n", r.path, r.kind(), r.last.Type().Shape, thousands(r.params), thousands(r.macs))
		params, macs = params+r.params, macs+r.macs
	}
	fmt.Fprintf(w, "total\t\t\t %s\t %s\t\n", thousands(params), thousands(macs))
	return w.Flush()
}

func writeMemory(out io.Writer, s subject, inference []vm.Option) error {
	fmt.Fprintf(out, "\nmemory at batch %d on engine %s, in bytes:\n", s.batch, s.engine.Name())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "program\t arena\t (unshared)\t parameters and state\t packed\t constants\t total\t\n")
	for _, row := range []struct {
		name string
		b    built
		opts []vm.Option
	}{
		{"infer", s.model.infer(), inference},
		{"train", s.model.train(optim.SGD{LR: s.model.lr, Momentum: .9}), []vm.Option{vm.Train}},
	} {
		p, err := vm.Compile(s.engine, row.b.outs, row.opts...)
		if err != nil {
			return err
		}
		mem, err := p.Memory(s.batch)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t %s\t %s\t %s\t %s\t %s\t %s\t\n", row.name, thousands(mem.Arena), thousands(mem.Unshared), thousands(mem.Leaves), thousands(mem.Packed), thousands(mem.Consts), thousands(mem.Arena+mem.Leaves+mem.Packed+mem.Consts))
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
