package onnx

import (
	"context"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
)

// A scanning is a use of Scan: a loop over the parts of inputs along an axis of each.
type scanning struct {
	body
	scans, results  int
	inAxes, outAxes []int
	inBack, outBack []bool
	length          int
}

func scanned(c *call) []*value {
	if c.version < 9 {
		return scanBatch(c)
	}
	return scanOver(c)
}

// scanBatch is the form of opset 8, in which all values have a batch in front.
func scanBatch(c *call) []*value {
	if c.has(0) {
		refuse("lengths of sequences are not supported")
	}
	if len(c.in) < 2 {
		refuse("there is nothing to scan")
	}
	batch := c.numbers(1, 0)[0]
	if batch < 1 || batch > maxUnrolled {
		refuse("a batch of %d; want 1 to %d", batch, maxUnrolled)
	}
	var results [][]*value
	for i := range batch {
		one := *c
		one.in = make([]*value, len(c.in)-1)
		for k := range one.in {
			inner := *c
			inner.in = []*value{c.value(k + 1)}
			one.in[k] = inner.folded(&operator{eval: func(c *call) []*value {
				return moved(ops.Squeeze(part(c.node(0), 0, i, 1), 0), c.elem(0))
			}})[0]
		}
		c.ev.within(i, func() { results = append(results, scanOver(&one)) })
	}
	outs := make([]*value, len(results[0]))
	b := &body{c: c, graph: c.graphAttr("body")}
	for k := range outs {
		list := make([]*value, batch)
		for i := range list {
			list[i] = results[i][k]
		}
		outs[k] = b.stacked(list, k, 0)
	}
	return outs
}

func scanOver(c *call) []*value {
	g := c.graphAttr("body")
	s := &scanning{body: body{c: c, graph: g}, scans: c.intAttr("num_scan_inputs", 0)}
	s.states = len(c.in) - s.scans
	s.results = len(g.Outputs) - s.states
	if s.scans < 1 || s.states < 0 || s.results < 0 || len(g.Inputs) != len(c.in) {
		refuse("the body has %d inputs and %d outputs for %d values, of which %d are scanned", len(g.Inputs), len(g.Outputs), len(c.in), s.scans)
	}
	inBack, outBack := "scan_input_directions", "scan_output_directions"
	if c.version < 9 {
		inBack = "directions"
	}
	s.inBack, s.outBack = s.backwards(inBack, s.scans), s.backwards(outBack, s.results)
	s.inAxes, s.outAxes = s.axes("scan_input_axes", s.scans), s.axes("scan_output_axes", s.results)
	for k := range s.scans {
		s.inAxes[k] = axis(s.inAxes[k], c.shape(s.states+k).Rank())
		n := c.numbers(s.states+k, s.inAxes[k])[0]
		if k > 0 && n != s.length {
			refuse("inputs of %d and %d parts", s.length, n)
		}
		s.length = n
	}
	if y := s.linear(); y != nil {
		return y
	}
	if s.length <= s.limit() || c.ev.session == nil {
		if s.length > s.limit() {
			refuse("%d parts; without a Session at most %d are supported", s.length, s.limit())
		}
		var outs []*value
		if s.unroll(func() { outs = s.unrolled() }) {
			return outs
		}
	}
	return s.onHost()
}

// linear returns the results of a Scan whose body is a*h + b for the state h, which is also what it gives: the form in which
// networks are exported that have such a scan. It returns nil for any other.
func (s *scanning) linear() []*value {
	g := s.graph
	if s.states != 1 || s.scans != 2 || s.results != 1 || len(g.Nodes) != 3 || s.length == 0 || s.inBack[0] != s.inBack[1] || s.inBack[0] != s.outBack[0] ||
		s.inAxes[0] != s.inAxes[1] || s.inAxes[0] != s.outAxes[0] || !slices.Equal(opsOf(g.Nodes), []string{"Mul", "Add", "Identity"}) {
		return nil
	}
	in := func(k int) string { return g.Inputs[k].Name }
	mul, add, id := g.Nodes[0], g.Nodes[1], g.Nodes[2]
	if !slices.Equal(mul.Inputs, []string{in(1), in(0)}) || !slices.Equal(add.Inputs, []string{mul.Outputs[0], in(2)}) ||
		!slices.Equal(id.Inputs, add.Outputs) || g.Outputs[0].Name != id.Outputs[0] || g.Outputs[1].Name != add.Outputs[0] {
		return nil
	}
	c, axis := s.c, s.inAxes[0]
	h, a, b := c.node(0), c.node(1), c.node(2)
	if t := a.Type(); !t.IsFloat() || t.DType != b.Type().DType || t.Shape != b.Type().Shape || h.Type() != t.Of(t.Drop(axis)) {
		return nil
	}
	if s.inBack[0] {
		a, b = flip(a, axis), flip(b, axis)
	}
	h = ops.Unsqueeze(h, axis)
	a, b = ops.Concat(axis, ops.Full(a, h.Type().Shape, 0), a), ops.Concat(axis, h, b)
	y := part(ops.LinearScan(a, b, axis), axis, 1, s.length)
	last := ops.Squeeze(part(y, axis, s.length-1, 1), axis)
	if s.outBack[0] {
		y = flip(y, axis)
	}
	return []*value{result(last, c.elem(0))[0], result(y, c.elem(0))[0]}
}

func opsOf(nodes []*ir.Node) []string { return mapped(nodes, func(n *ir.Node) string { return n.Op }) }

func (s *scanning) backwards(name string, n int) []bool {
	list := s.c.intsAttr(name, make([]int, n))
	if len(list) != n {
		refuse("%s has %d numbers; want %d", name, len(list), n)
	}
	return mapped(list, func(v int) bool { return v != 0 })
}

func (s *scanning) axes(name string, n int) []int {
	list := s.c.intsAttr(name, make([]int, n))
	if len(list) != n {
		refuse("%s has %d numbers; want %d", name, len(list), n)
	}
	return slices.Clone(list)
}

// part is the number of the part of input k that iteration i takes.
func (s *scanning) part(k, i int) int {
	if s.inBack[k] {
		return s.length - 1 - i
	}
	return i
}

func (s *scanning) unrolled() []*value {
	state := slices.Clone(s.c.in[:s.states])
	lists := make([][]*value, s.results)
	for i := range s.length {
		in := slices.Clone(state)
		for k := range s.scans {
			inner := *s.c
			inner.in = []*value{s.c.value(s.states + k)}
			in = append(in, inner.folded(&operator{eval: func(c *call) []*value {
				a := s.inAxes[k]
				return moved(ops.Squeeze(part(c.node(0), a, s.part(k, i), 1), a), c.elem(0))
			}})[0])
		}
		outs := s.evaluate(i, in)
		copy(state, outs)
		for k := range lists {
			lists[k] = append(lists[k], outs[s.states+k])
		}
	}
	for k, list := range lists {
		if s.outBack[k] {
			slices.Reverse(list)
		}
		state = append(state, s.stacked(list, s.states+k, s.outAxes[k]))
	}
	return state
}

func (s *scanning) onHost() []*value {
	r := s.runner()
	return s.c.onHost(append(slices.Clone(s.c.in), r.around...), func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		n := s.states + s.scans
		state, scanned, around := in[:s.states], in[s.states:n], in[n:]
		results := &stacks{lists: make([][]*Tensor, s.results)}
		for i := range s.length {
			args := slices.Clone(state)
			for k, t := range scanned {
				args = append(args, t.at(s.inAxes[k], s.part(k, i)))
			}
			outs, err := r.run(ctx, append(args, around...))
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", i, err)
			}
			state = outs[:s.states]
			if err := results.add(outs[s.states:], state); err != nil {
				return nil, err
			}
		}
		outs := slices.Clone(state)
		for k, list := range results.lists {
			if s.outBack[k] {
				slices.Reverse(list)
			}
			t, err := results.stack(&s.body, k, s.states+k, s.outAxes[k])
			if err != nil {
				return nil, err
			}
			outs = append(outs, t)
		}
		return outs, nil
	})
}
