package opbench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Case is a function of package ops with attributes and inputs.
type Case struct {
	Row   string          `json:"row"` // what it is an example of: "depthwise 3x3"
	Op    string          `json:"op"`  // the function, "Conv2D"
	Attrs json.RawMessage `json:"attrs"`
	DType string          `json:"dtype"` // of floating point: "float32" or "float64"
	In    []Input         `json:"in"`
	Grad  bool            `json:"grad"` // the result and the gradients of sum(dy*y); else the result
}

// Input is an argument. Its numbers are those of [counter], by its place among the inputs.
type Input struct {
	Kind  Kind  `json:"kind"`
	Shape []int `json:"shape"`
}

// Kind says what an input is.
type Kind string

// The kinds of inputs. There are gradients by data and parameters.
const (
	ofData     Kind = "data"     // varies from run to run
	ofImages   Kind = "images"   // likewise, but nobody asks for the gradient
	ofParams   Kind = "param"    // stays, and may be packed
	ofStates   Kind = "state"    // likewise, without a gradient
	ofPositive Kind = "positive" // data from .25 to 1.25
	ofWide     Kind = "wide"     // data from -20 to 20
	ofIDs      Kind = "ids"      // int32 below the extent that is gathered from
	ofMask     Kind = "mask"     // bool, two of three true
)

// Name is the row, the extents of the inputs, and fwd or grad: no two cases have the same.
func (c Case) Name() string {
	name := strings.ReplaceAll(c.Row, " ", "-")
	for i, in := range c.In {
		if i < 2 || in.Kind == ofData || in.Kind == ofImages {
			name += "/" + strings.Trim(strings.ReplaceAll(fmt.Sprint(in.Shape), " ", "x"), "[]")
		}
	}
	if c.Grad {
		return name + "/grad"
	}
	return name + "/fwd"
}

// Run is a case that can be run.
type Run struct {
	machine *vm.Machine
	inputs  []*tensor.Dense
}

// Build makes the case run on e.
func (c Case) Build(e engine.Engine) (*Run, error) {
	r, err := c.build(e)
	if err != nil {
		return nil, fmt.Errorf("opbench: %s: %w", c.Name(), err)
	}
	return r, nil
}

func (c Case) build(e engine.Engine) (*Run, error) {
	d, ok := shape.ParseDType(c.DType)
	if !ok || d != shape.Float32 && d != shape.Float64 {
		return nil, fmt.Errorf("element type %q: want float32 or float64", c.DType)
	}
	g, store := graph.New(), vm.NewStore(1)
	values := map[string]*tensor.Dense{}
	var xs, by []*graph.Node
	for i, in := range c.In {
		x, v := in.leaf(g, i, d), in.values(i, d, c.In[0].Shape)
		if x.Kind() == graph.Input {
			values[x.Name()] = v
		} else if err := store.Set(x.Name(), v); err != nil {
			return nil, err
		}
		if in.differentiable() {
			by = append(by, x)
		}
		xs = append(xs, x)
	}
	y, err := parity.Apply(c.Op, xs, c.Attrs)
	if err != nil {
		return nil, err
	}
	outs := []*graph.Node{y}
	if c.Grad {
		dy := g.Input("dy", y.Type())
		values["dy"] = parity.Dense(y.Type(), counter(7, y.Type().Len(), 1))
		outs = append(outs, autodiff.VJP(y, dy, by...)...)
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	return newRun(e, outs, store, values)
}

func newRun(e engine.Engine, outs []*graph.Node, s *vm.Store, values map[string]*tensor.Dense) (*Run, error) {
	p, err := vm.Compile(e, outs)
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	r := &Run{machine: m}
	for _, x := range p.Inputs() { // those that the outputs depend on
		r.inputs = append(r.inputs, values[x.Name()])
	}
	return r, nil
}

func (in Input) leaf(g *graph.Graph, i int, d shape.DType) *graph.Node {
	t, name := shape.Type{DType: d, Shape: shape.OfInts(in.Shape...)}, fmt.Sprint("x", i)
	switch in.Kind {
	case ofParams:
		return g.Param(name, t, nil)
	case ofStates:
		return g.State(name, t, nil)
	case ofIDs:
		return g.Input(name, t.As(shape.Int32))
	case ofMask:
		return g.Input(name, t.As(shape.Bool))
	}
	return g.Input(name, t)
}

func (in Input) differentiable() bool {
	return in.Kind != ofImages && in.Kind != ofStates && in.Kind != ofIDs && in.Kind != ofMask
}

// values are the numbers of input i. Parameters of several axes are scaled by the root of what is
// added up for a result, others are around 1; ids are below each extent of first.
func (in Input) values(i int, d shape.DType, first []int) *tensor.Dense {
	t := shape.Type{DType: d, Shape: shape.OfInts(in.Shape...)}
	scale, shift := 1.0, 0.0
	switch {
	case in.Kind == ofParams && len(in.Shape) > 1:
		scale = 1 / math.Sqrt(float64(t.Len()/in.Shape[0]))
	case in.Kind == ofParams || in.Kind == ofStates:
		scale, shift = .1, 1
	case in.Kind == ofPositive:
		scale, shift = .5, .75
	case in.Kind == ofWide:
		scale = 20
	case in.Kind == ofIDs:
		least := first[0]
		for _, n := range first {
			least = min(least, n)
		}
		v := make([]float64, t.Len())
		for k := range v {
			v[k] = float64((7919*k + 131*i) % 1009 % least)
		}
		return parity.Dense(t.As(shape.Int32), v)
	case in.Kind == ofMask:
		v := make([]float64, t.Len())
		for k := range v {
			v[k] = float64(min((7919*k+131*i)%1009%3, 1))
		}
		return parity.Dense(t.As(shape.Bool), v)
	}
	v := counter(i, t.Len(), scale)
	for k := range v {
		v[k] = float64(float32(v[k] + shift))
	}
	return parity.Dense(t, v)
}

// counter returns numbers that any program can make: n of tensor p, which float32 represents.
func counter(p, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(float32((float64((7919*i+131*p)%1009)/504.5 - 1) * scale))
	}
	return v
}

// Once computes the case.
func (r *Run) Once(ctx context.Context) error {
	_, err := r.machine.Run(ctx, r.inputs...)
	return err
}

// Check is a number that shows that another program did the same work: the sum over the outputs of
// the mean magnitude of an element, in which the elements have weights from 1 to 2 that differ from
// place to place.
func (r *Run) Check(ctx context.Context) (sum float64, err error) {
	outs, err := r.machine.Run(ctx, r.inputs...)
	if err != nil {
		return 0, err
	}
	for _, out := range outs {
		v, s := parity.Floats(out), 0.0
		for i, x := range v {
			s += math.Abs(x) * (1 + float64(i%13)/13)
		}
		sum += s / float64(len(v))
	}
	return sum, nil
}
