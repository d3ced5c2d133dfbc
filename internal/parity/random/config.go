package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

// config is a graph of functions of package ops, and what is computed of it.
type config struct {
	Seed      int // of the numbers
	Inputs    []input
	Steps     []step
	Order     int  // 0 asks for the result, 1 for gradients too, 2 for those of the gradients too
	Inference bool // the graph is that of inference
	Batches   bool // another batch size is run before
	Apart     bool // the functions are elementwise: each element has an error of its own
}

// input is a leaf of the graph.
type input struct {
	Kind  string      // of its numbers
	Scale int         // floating point is multiplied by two to the power of it
	DType shape.DType // Float32 stands for floating point
	Shape []int
	Batch bool // axis 0 is N
	Leaf  leaf
}

type leaf uint8

const (
	fed   leaf = iota // an Input
	param             // a Param
	state             // a State, which has no gradient
)

// step applies a function to values: the inputs are counted first, then what the steps before have
// made.
type step struct {
	Op    string
	Attrs json.RawMessage
	In    []int
}

// String is the configuration as a few lines that say all of it.
func (c config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, order %d", c.Seed, c.Order)
	if c.Inference {
		b.WriteString(", inference")
	}
	if c.Batches {
		b.WriteString(", after a batch of another size")
	}
	for i, in := range c.Inputs {
		fmt.Fprintf(&b, "\n  %d: %s %s %v", i, []string{"input", "param", "state"}[in.Leaf], in.Kind, in.Shape)
		if in.DType != shape.Float32 {
			fmt.Fprintf(&b, " %v", in.DType)
		}
		if in.Scale != 0 {
			fmt.Fprintf(&b, " times 2^%d", in.Scale)
		}
		if in.Batch {
			b.WriteString(", N first")
		}
	}
	for i, s := range c.Steps {
		fmt.Fprintf(&b, "\n  %d: %s %s of %v", len(c.Inputs)+i, s.Op, s.Attrs, s.In)
	}
	return b.String()
}

// in is the input's type where floating point is d and the batch is given, which may be N.
func (in input) in(d shape.DType) shape.Type {
	t := shape.Type{DType: in.DType, Shape: shape.OfInts(in.Shape...)}
	if in.DType == shape.Float32 {
		t.DType = d
	}
	if in.Batch {
		t.Shape = t.With(0, shape.N)
	}
	return t
}

// name is that of input i.
func name(i int) string { return fmt.Sprint("x", i) }

// build makes the graph: the result, of which the inputs are x0, x1 and so on.
func (c config) build(d shape.DType) (*graph.Node, error) {
	g := graph.New()
	var values []*graph.Node
	for i, in := range c.Inputs {
		t := in.in(d)
		switch in.Leaf {
		case fed:
			values = append(values, g.Input(name(i), t))
		case param:
			values = append(values, g.Param(name(i), t, nil))
		case state:
			values = append(values, g.State(name(i), t, nil))
		}
	}
	for _, s := range c.Steps {
		y, err := c.apply(s, values)
		if err != nil {
			return nil, err
		}
		values = append(values, y)
	}
	y := values[len(values)-1]
	if err := g.Err(); err != nil {
		return nil, err
	}
	if c.Inference {
		y = graph.Inference(y)[0]
	}
	return y, y.Graph().Err()
}

func (c config) apply(s step, values []*graph.Node) (*graph.Node, error) {
	var in []*graph.Node
	for _, i := range s.In {
		in = append(in, values[i])
	}
	attrs := s.Attrs
	if c.Inference && s.Op == "BatchNorm" { // the whole graph becomes that of inference at its end
		attrs = []byte(strings.Replace(string(attrs), `"inference"`, `"training"`, 1))
	}
	y, err := parity.Apply(s.Op, in, attrs)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.Op, s.Attrs, err)
	}
	return y, nil
}

// numbers returns the elements of input p, of that shape.
func (in input) numbers(seed, p int, s shape.Shape) []float64 {
	v := make([]float64, s.Len())
	f := kinds[in.Kind]
	for i := range v {
		v[i] = f.of(hash(seed, p, i))
		if in.Scale != 0 {
			v[i] = math.Ldexp(v[i], in.Scale)
		}
		if in.DType == shape.Float32 {
			v[i] = float64(float32(v[i]))
		}
	}
	return v
}

// hash spreads a seed, the number of a tensor and that of an element over 64 bits.
func hash(seed, p, i int) uint64 {
	h := uint64(seed)<<40 ^ uint64(p)<<32 ^ uint64(i)
	for range 2 { // Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
