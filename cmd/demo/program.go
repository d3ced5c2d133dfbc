package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

func program(_ context.Context, c *call) error {
	pick := c.pick(64)
	training := c.Bool("train", false, "the training step instead of inference")
	parts := c.Int("shards", 0, "with -train: what is computed for one of `K` parts of a batch of -batch images, of which each has its share")
	after := c.String("after", "", "print the program as it is after this `pass`: "+strings.Join(passNames(), ", "))
	dot := c.Bool("dot", false, "write Graphviz")
	costs := c.Bool("costs", false, "what each convolution would cost by each algorithm, and which the engine takes")
	file, dims := c.String("onnx", "", "the network of an ONNX `file` instead of a model"), named{}
	c.Var(dims, "dim", "with -onnx: an extent that the file leaves open, as `NAME=NUMBER`; one that is first is the batch size otherwise")
	weights := c.pickWeightsType()
	if err := c.parse(false); err != nil {
		return err
	}
	s, err := pick.subject()
	if err != nil {
		return err
	}
	if *after != "" && !slices.Contains(passNames(), *after) {
		return usagef("-after %s: the passes are %s", *after, strings.Join(passNames(), ", "))
	}
	opts, err := weights.options()
	if err != nil {
		return err
	}
	if (*file == "" && len(dims) > 0) || (*file != "" && *training) {
		return usagef("-dim is of -onnx, and -train is not")
	}
	if *parts > 0 && !*training {
		return usagef("-shards is of -train")
	}
	b := s.model.infer()
	if *file != "" {
		if b, err = onnxGraph(*file, dims); err != nil {
			return err
		}
	}
	if *parts > 0 {
		n, err := train.BuildShards(s.model.layer(s.model.info()), s.model.info(), s.model.loss, optim.SGD{LR: s.model.lr, Momentum: .9}, train.Parallel{Shards: *parts})
		if err != nil {
			return err
		}
		b.outs, s.batch = n.Shard, (s.batch-1) / *parts + 1
	} else if *training {
		b, opts = s.model.train(optim.SGD{LR: s.model.lr, Momentum: .9}), append(opts, vm.Train)
	}
	if *after != "" {
		opts = append(opts, vm.Dump(*after, c.stdout))
	}
	p, err := vm.Compile(s.engine, b.outs, opts...)
	if err != nil {
		return err
	}
	if *after != "" {
		_, err := p.Memory(s.batch) // lowers, and so dumps
		return err
	}
	if *dot {
		return p.WriteDot(c.stdout, s.batch)
	}
	if *costs {
		return writeCosts(c.stdout, p, s.batch)
	}
	return writeInstructions(c.stdout, p, s.batch)
}

func passNames() (names []string) {
	for _, p := range vm.Passes() {
		names = append(names, p.Name)
	}
	return names
}

// writeInstructions prints an instruction a line: what it computes, where, by which kernel,
// and for which line and layer of the model.
func writeInstructions(out io.Writer, p *vm.Program, batch int) error {
	list, err := p.Describe(batch)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "#\tinstruction\tresult\tplace\targuments\tkernel\tlayer\tline")
	for _, in := range list {
		for i, r := range in.Out {
			if i > 0 { // a further result
				fmt.Fprintf(w, "\t\t%v\t%s\t\t\t\t\n", r.Operand(), r.Where)
				continue
			}
			fmt.Fprintf(w, "%d\t%s\t%v\t%s\t%s\t%s\t%s\t%v\n", in.Index, in.Name, r.Operand(), r.Where, strings.Join(in.Args, " "), kernel(in), in.Layer, in.Pos)
		}
		if len(in.Out) == 0 {
			fmt.Fprintf(w, "%d\t%s\t\t\t%s\t%s\t%s\t%v\n", in.Index, in.Name, strings.Join(in.Args, " "), kernel(in), in.Layer, in.Pos)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	mem, err := p.Memory(batch)
	if err != nil {
		return err
	}
	packed := ""
	if mem.Packed > 0 {
		packed = fmt.Sprintf("; packed %s bytes", thousands(mem.Packed))
	}
	_, err = fmt.Fprintf(out, "\n%d instructions; arena %s bytes%s\n", len(list), thousands(mem.Arena), packed)
	return err
}

// writeCosts prints, of each instruction whose engine had a choice, an algorithm a line.
func writeCosts(out io.Writer, p *vm.Program, batch int) error {
	list, err := p.Describe(batch)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "#\tinstruction\tof\tresult\tlayer\talgorithm\tmultiplications\t")
	for _, in := range list {
		what := fmt.Sprintf("%d\t%s\t%s\t%v\t%s", in.Index, in.Name, arguments(in), in.Out[0].Operand(), in.Layer)
		for _, c := range in.Choice {
			work, note := thousands(c.Work), c.Against
			switch {
			case c.Work == 0:
				work = "-"
			case c.Alg == in.Alg:
				note = "taken"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", what, c.Alg, work, note)
			what = strings.Repeat("\t", strings.Count(what, "\t")) // once an instruction
		}
	}
	return w.Flush()
}

// arguments are the types of what the first node of an instruction is made of.
func arguments(in vm.Instruction) string {
	if len(in.Nodes) == 0 {
		return ""
	}
	var types []string
	for _, n := range in.Nodes[0].Ins() {
		types = append(types, n.Type().Shape.String())
	}
	return strings.Join(types, " ")
}

func kernel(in vm.Instruction) string {
	if in.Alg == "" {
		return in.Engine
	}
	return in.Engine + " " + in.Alg
}
