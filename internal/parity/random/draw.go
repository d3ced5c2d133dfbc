package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

// sketch is a configuration as it is drawn. Its values are counted as they are made.
type sketch struct {
	*choices
	config
	values []value
	g      *graph.Graph // tells the shapes that functions give
	err    error
}

type value struct {
	node        *graph.Node // in float32, without N
	input, step int         // its number among these, or -1
}

// draw returns the configuration that choices make of a row of the table.
func draw(name string, c *choices) (config, error) {
	s := &sketch{choices: c, g: graph.New()}
	s.Seed = c.of(1 << 16)
	s.Order = pick(c, 0, 1, 1, 1, 2, 2)
	drawers[name](s, name)
	s.count()
	if s.has("extreme") || s.has("special") || s.has("tiny") || s.Apart && s.has("logits") || endsAtOne(name) && (s.has("kinks") || s.has("ties")) { // where curvature says nothing
		s.Order = min(s.Order, 1)
	}
	if s.err == nil {
		s.err = s.g.Err()
	}
	if s.err != nil {
		return s.config, fmt.Errorf("the configuration is wrong: %w\n%v", s.err, s.config)
	}
	return s.config, nil
}

// endsAtOne reports whether a slope of the function is infinite at 0 or 1.
func endsAtOne(name string) bool {
	return slices.Contains([]string{"Pow", "Asin", "Acos", "Acosh", "Atanh"}, name)
}

// count has the steps take values as a configuration counts them.
func (s *sketch) count() {
	for _, step := range s.Steps {
		for i, v := range step.In {
			if v := s.values[v]; v.step < 0 {
				step.In[i] = v.input
			} else {
				step.In[i] = len(s.Inputs) + v.step
			}
		}
	}
}

// input is that behind a value.
func (s *sketch) input(v int) *input { return &s.Inputs[s.values[v].input] }

// add makes an input.
func (s *sketch) add(in input) int {
	s.Inputs = append(s.Inputs, in)
	concrete := in
	concrete.Batch = false
	n := s.g.State(name(len(s.values)), concrete.in(shape.Float32), nil)
	s.values = append(s.values, value{n, len(s.Inputs) - 1, -1})
	return len(s.values) - 1
}

// floats makes a floating-point input, now and then a parameter.
func (s *sketch) floats(kind string, extents ...int) int {
	return s.add(input{Kind: kind, DType: shape.Float32, Shape: extents, Leaf: pick(s.choices, fed, fed, param)})
}

// scaled is floats with numbers that are now and then much smaller or larger.
func (s *sketch) scaled(kind string, most int, extents ...int) int {
	v := s.floats(kind, extents...)
	if s.once(6) {
		s.input(v).Scale = s.from(0, 2*most) - most
	}
	return v
}

// batched makes a floating-point input of which axis 0 may be N.
func (s *sketch) batched(kind string, extents ...int) int {
	return s.add(input{Kind: kind, DType: shape.Float32, Shape: extents, Batch: s.of(2) == 1})
}

func (s *sketch) state(kind string, extents ...int) int {
	return s.add(input{Kind: kind, DType: shape.Float32, Shape: extents, Leaf: state})
}

func (s *sketch) integers(kind string, d shape.DType, extents ...int) int {
	return s.add(input{Kind: kind, DType: d, Shape: extents})
}

// together gives inputs one batch: all of them have N as axis 0, or none.
func (s *sketch) together(values ...int) {
	for _, v := range values {
		s.input(v).Batch = s.input(values[0]).Batch
	}
}

type attrs map[string]any

// step applies a function. It is the last word on the shapes that are drawn: what package ops
// refuses is a mistake here, or there.
func (s *sketch) step(op string, a attrs, in ...int) int {
	if a == nil {
		a = attrs{}
	}
	text, err := json.Marshal(a)
	if err != nil {
		s.err = err
	}
	s.Steps = append(s.Steps, step{op, text, in})
	var xs []*graph.Node
	for _, v := range in {
		xs = append(xs, s.values[v].node)
	}
	y, err := parity.Apply(op, xs, scratchAttrs(op, a, text))
	if err != nil {
		s.err = err
		y = xs[0]
	}
	s.values = append(s.values, value{y, -1, len(s.Steps) - 1})
	return len(s.values) - 1
}

// scratchAttrs keeps the graph of the sketch in one piece.
func scratchAttrs(op string, a attrs, text []byte) []byte {
	if op == "BatchNorm" && a["Part"] == "inference" {
		return []byte(`{"Part":"training"}`)
	}
	return text
}

// shape returns the extents of a value.
func (s *sketch) shape(v int) []int {
	n := s.values[v].node
	if !n.Valid() {
		return []int{1, 1, 1, 1} // of no matter: the sketch has failed
	}
	return n.Type().Ints()
}

// flat is an attribute of several axes as package ops has it: no array for one.
func flat[T any](v []T) any {
	if len(v) == 1 {
		return v[0]
	}
	return v
}
