package main

import (
	"context"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

// tolerance of verify, relative to the largest element of a value: passes may reorder
// float32 sums.
const tolerance = 1e-4

func verify(ctx context.Context, c *call) error {
	pick := c.pick(16)
	against := c.String("vm", "plexaura", "compare with: plexaura, the program with no passes; gorgonia, the loss and gradients of its TapeMachine")
	if err := c.parse(false); err != nil {
		return err
	}
	s, err := pick.subject()
	if err != nil {
		return err
	}
	other, err := findVM(*against)
	if err != nil {
		return err
	}
	if other != nil {
		return verifyGorgonia(ctx, c, s)
	}
	for _, part := range []verifyPart{{"infer", s.model.infer(), nil}, {"train", s.model.train(optim.SGD{LR: s.model.lr, Momentum: .9}), []vm.Option{vm.Train}}} {
		worst, err := part.verify(ctx, s.engine, s.model, s.batch)
		if err != nil {
			return fmt.Errorf("%s %s: %w", s.name, part.name, err)
		}
		fmt.Fprintf(c.stdout, "%s %s: all passes and none agree on every value that both compute, worst relative difference %.1e\n", s.name, part.name, worst)
	}
	return nil
}

type verifyPart struct {
	name string
	b    built
	opts []vm.Option
}

// values are what a run gave: by node, in the order they were computed, and by leaf.
type values struct {
	instr []vm.Instruction
	out   [][][]float32
	leaf  map[string][]float32
}

// verify compares the program with all passes and that with none, and on a difference
// looks for the pass that brings it in.
func (v verifyPart) verify(ctx context.Context, e engine.Engine, m model, batch int) (float64, error) {
	optional := optionalPasses()
	plain, err := v.run(ctx, e, m, batch, optional)
	if err != nil {
		return 0, err
	}
	full, err := v.run(ctx, e, m, batch, nil)
	if err != nil {
		return 0, err
	}
	worst, where := differ(plain, full)
	if worst <= tolerance {
		return worst, nil
	}
	// The first pass that, on top of those before it, brings the difference in.
	for i := range optional {
		some, err := v.run(ctx, e, m, batch, optional[i+1:])
		if err != nil {
			return 0, err
		}
		if d, at := differ(plain, some); d > tolerance {
			return d, fmt.Errorf("pass %s changes the result by %.1e at %s", optional[i], d, at)
		}
	}
	return worst, fmt.Errorf("the passes together change the result by %.1e at %s", worst, where)
}

func optionalPasses() (names []string) {
	for _, p := range vm.Passes() {
		if p.Optional {
			names = append(names, p.Name)
		}
	}
	return names
}

func (v verifyPart) run(ctx context.Context, e engine.Engine, m model, batch int, off []string) (values, error) {
	all := values{leaf: map[string][]float32{}}
	p, err := vm.Compile(e, v.b.outs, append([]vm.Option{vm.Without(off...)}, v.opts...)...)
	if err != nil {
		return all, err
	}
	mem, err := p.Memory(batch)
	if err != nil {
		return all, err
	}
	if err := m.afford(batch, mem.Unshared); err != nil { // every value is kept
		return all, err
	}
	s := vm.NewStore(1)
	machine, err := p.NewMachine(s)
	if err != nil {
		return all, err
	}
	in := []*tensor.Dense{m.images(batch)}
	if len(p.Inputs()) > 1 {
		in = append(in, m.labels(batch))
	}
	_, err = machine.Trace(ctx, func(i vm.Instruction, out []*tensor.Dense) {
		var vals [][]float32
		for _, d := range out {
			vals = append(vals, float32s(d))
		}
		all.instr, all.out = append(all.instr, i), append(all.out, vals)
	}, in...)
	if err != nil {
		return all, err
	}
	for _, name := range s.Names() {
		d, err := s.Value(name)
		if err != nil {
			return all, err
		}
		all.leaf[name] = float32s(d)
	}
	return all, nil
}

// float32s copies the elements of a float32 tensor; others give nil.
func float32s(d *tensor.Dense) []float32 {
	if d.Dtype() != tensor.Float32 {
		return nil
	}
	return append([]float32(nil), d.Float32s()...)
}

// differ compares every value that both computed, and every leaf, and returns the worst
// relative difference. Where one is over the tolerance it is the first, with its place.
func differ(a, b values) (worst float64, where string) {
	known := map[*graph.Node][]float32{}
	for i, in := range a.instr {
		for k, r := range in.Out {
			known[r.Node] = a.out[i][k]
		}
	}
	for i, in := range b.instr {
		for k, r := range in.Out {
			d := distance(known[r.Node], b.out[i][k], small)
			if worst = max(worst, d); d > tolerance {
				return d, fmt.Sprintf("instruction %d, %s, layer %q, line %v", in.Index, in.Name, in.Layer, in.Pos)
			}
		}
	}
	for name, v := range a.leaf {
		d := distance(v, b.leaf[name], small)
		if worst = max(worst, d); d > tolerance {
			return d, "the new value of " + name
		}
	}
	return worst, ""
}

// small is what elements of float32 are at least compared with.
const small = 1e-6

// distance is the largest difference relative to the largest element, or to least where that is
// greater; 0 for values that only one side has.
func distance[T float32 | float64](a, b []T, least float64) float64 {
	if len(a) != len(b) {
		return 0
	}
	far, large := 0.0, least
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		if x == y || math.IsNaN(x) && math.IsNaN(y) {
			continue
		}
		far = max(far, math.Abs(x-y))
		large = max(large, math.Abs(x), math.Abs(y))
		if math.IsNaN(x) != math.IsNaN(y) {
			return math.Inf(1)
		}
	}
	for i := range a {
		large = max(large, math.Abs(float64(a[i])))
	}
	return far / large
}
