package main

import (
	"context"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// vms are what can compute losses and gradients; ours needs no Gradients.
func vms() map[string]train.GradientsFunc {
	return map[string]train.GradientsFunc{
		"plexaura": nil,
		"gorgonia": func(outs []*graph.Node, n int, wrt ...*graph.Node) (train.Gradients, error) {
			return gorgonia.NewMachine(outs, n, wrt...)
		},
	}
}

func findVM(name string) (train.GradientsFunc, error) {
	d, ok := vms()[name]
	if !ok {
		return nil, usagef("no vm %q; there are %s", name, list(vms()))
	}
	return d, nil
}

// exact is the tolerance of two VMs in float64, relative to the largest element of a value.
const exact = 1e-10

// derivatives are the loss, the output and every gradient of a model, in float64.
type derivatives struct {
	outs, params []*graph.Node
	store        *vm.Store
	inputs       []*tensor.Dense
	batch        int
}

// derivatives builds them, with the images and labels of the other checks.
func (s subject) derivatives() (d derivatives, err error) {
	if err := s.model.afford(2*s.batch, 0); err != nil { // in float64
		return d, err
	}
	g := graph.New()
	logits := s.model.layer(s.model.info()).Apply(nn.Root(g), g.Input("x", s.model.input()))
	d.outs = graph.WithDType(shape.Float64, s.model.loss(logits, g.Input("y", shape.I32(shape.N))), logits)
	d.batch, d.store = s.batch, vm.NewStore(1)
	doubled := d.outs[0].Graph()
	if err := doubled.Err(); err != nil {
		return d, err
	}
	d.params = doubled.Params()
	x, err := float64s(s.model.images(s.batch))
	if err != nil {
		return d, err
	}
	d.inputs = []*tensor.Dense{x, s.model.labels(s.batch)}
	return d, d.store.Init(doubled.Leaves()...)
}

// float64s converts a float32 tensor.
func float64s(d *tensor.Dense) (*tensor.Dense, error) {
	v := make([]float64, 0, d.Size())
	for _, x := range float32s(d) {
		v = append(v, float64(x))
	}
	if len(v) != d.Size() {
		return nil, fmt.Errorf("want float32, have %v", d.Dtype())
	}
	return tensor.New(tensor.WithShape(d.Shape()...), tensor.WithBacking(v)), nil
}

// name of result i.
func (d derivatives) name(i int) string {
	if i < len(d.outs) {
		return [...]string{"the loss", "the output"}[i]
	}
	return "the gradient of " + d.params[i-len(d.outs)].Name()
}

// byGorgonia are the results of gorgonia's TapeMachine, and of its own derivation.
func (d derivatives) byGorgonia(ctx context.Context) ([]*tensor.Dense, error) {
	p, err := gorgonia.Lower(d.outs, d.batch, d.params...)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Run(ctx, d.store.Value, d.inputs...)
}

// byOurs are those of our gradients, compiled for an engine.
func (d derivatives) byOurs(ctx context.Context, s subject) ([]*tensor.Dense, error) {
	p, err := vm.Compile(s.engine, append(d.outs[:2:2], autodiff.Grad(d.outs[0], d.params...)...))
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(d.store)
	if err != nil {
		return nil, err
	}
	return m.Run(ctx, d.inputs...)
}

// verifyGorgonia compares our loss, output and gradients with those of gorgonia.
func verifyGorgonia(ctx context.Context, c *call, s subject) error {
	d, err := s.derivatives()
	if err != nil {
		return err
	}
	theirs, err := d.byGorgonia(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	ours, err := d.byOurs(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	worst, at := farthest(ours, theirs)
	if worst > exact {
		return fmt.Errorf("%s: %s by gorgonia differs from ours by %.1e; want %.0e at most", s.name, d.name(at), worst, exact)
	}
	fmt.Fprintf(c.stdout, "%s, batch %d, float64: the loss, the output and %d gradients by gorgonia agree with ours, worst relative difference %.1e, of %s\n",
		s.name, s.batch, len(d.params), worst, d.name(at))
	return nil
}

// farthest is the largest relative difference, and the result that has it. A gradient that is 0
// but for rounding, as one that a normalisation takes out again, is compared with the largest.
func farthest(ours, theirs []*tensor.Dense) (worst float64, at int) {
	const rounding = 1e-4
	largest := 0.0
	for _, d := range ours {
		for _, v := range d.Float64s() {
			largest = max(largest, math.Abs(v))
		}
	}
	for i := range ours {
		if far := distance(ours[i].Float64s(), theirs[i].Float64s(), rounding*largest); far > worst {
			worst, at = far, i
		}
	}
	return worst, at
}
