package onnx

import (
	"context"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
)

// controlOperators is a function because they evaluate graphs, and so refer to all families.
func controlOperators() family {
	return family{
		"Identity":    direct(1, 1, func(c *call) []*value { return []*value{c.value(0)} }),
		"If":          direct(1, 1, ifElse),
		"Loop":        direct(2, -1, loop),
		"Scan":        direct(1, -1, scanned),
		"SequenceMap": direct(1, -1, sequenceMap),
	}
}

// ifElse evaluates one of two graphs. The condition must be known.
func ifElse(c *call) []*value {
	t := c.known(0)
	cond, ok := t.ints()
	if !ok || t.Type != ir.Bool || len(cond) != 1 {
		refuse("the condition is %v; want one bool", t)
	}
	name := "else_branch"
	if cond[0] != 0 {
		name = "then_branch"
	}
	return c.ev.graph(c.graphAttr(name), c.e.inner())
}

const (
	// maxUnrolled is how many times the body of a loop is evaluated as a part of the model in a session,
	// and maxUnrolledNodes how many nodes that may be. Other loops run on the host, body by body.
	maxUnrolled      = 64
	maxUnrolledNodes = 1 << 12
	// maxCarried is how many elements the state and the results of a loop may have that runs on the host.
	maxCarried = 1 << 28
)

// unrollable is the panic of an evaluation that needs the elements of a value in the body of a loop. The
// loop runs on the host then.
type unrollable struct{}

// A body is the graph that a loop evaluates again and again.
type body struct {
	c      *call
	graph  *ir.Graph
	states int // how many values are handed from one evaluation to the next
}

// evaluate evaluates the graph with the given inputs, as a part of the model.
func (b *body) evaluate(iteration int, in []*value) []*value {
	e := b.c.e.inner()
	for i, v := range in {
		e.values[b.graph.Inputs[i].Name] = v
	}
	var outs []*value
	b.c.ev.within(iteration, func() { outs = b.c.ev.graph(b.graph, e) })
	for _, v := range outs {
		switch {
		case v.bad:
			refuse("its graph could not be built")
		case v.waits:
			panic(later{})
		}
	}
	return outs
}

// unroll runs f, unless values are needed that are not known while it runs; then it reports false. Where
// there is no session, that is an error.
func (b *body) unroll(f func()) (done bool) {
	ev := b.c.ev
	ev.unrolling++
	defer func() {
		ev.unrolling--
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(unrollable); !ok || ev.unrolling > 0 {
			panic(r)
		}
		done = false
	}()
	f()
	return true
}

// limit is how many times the graph may be evaluated as a part of the model.
func (b *body) limit() int {
	if b.c.ev.session == nil {
		return maxSteps
	}
	return min(maxUnrolled, maxUnrolledNodes/max(1, len(b.graph.Nodes)))
}

// A bodyRunner runs the graph of a body as a model of its own.
type bodyRunner struct {
	s      *Session
	names  []string // of the inputs, and then of the values of the graph around it
	around []*value
}

// runner returns a bodyRunner, and counts as values of the graph around it those that are no constants.
func (b *body) runner() *bodyRunner {
	ev := b.c.ev
	if ev.session == nil {
		refuse("the loop runs on the host: run the model by a Session")
	}
	m := &Model{ir: &ir.Model{Graph: b.graph}, name: ev.m.name, opsets: b.c.e.opsets, functions: ev.m.functions, operators: ev.m.operators, memory: ev.m.memory,
		tensors: ev.m.tensors, params: ev.m.params, outer: map[string]*value{}, attrs: b.c.e.attrs,
		prefix: b.c.e.prefix + nodeName(b.c.n, b.c.index) + "/", depth: ev.depth + 1}
	if m.depth > maxDepth {
		refuse("functions and graphs call each other more than %d deep", maxDepth)
	}
	r := &bodyRunner{s: newSession(m, ev.session.eng, ev.session.store, ev.session.opts)}
	r.s.inner = true
	own := map[string]bool{}
	for _, in := range b.graph.Inputs {
		own[in.Name] = true
		r.names = append(r.names, in.Name)
	}
	used := map[string]bool{}
	uses(b.graph.Nodes, used)
	for _, o := range b.graph.Outputs {
		used[o.Name] = true
	}
	for _, n := range b.graph.Nodes {
		for _, o := range n.Outputs {
			own[o] = true
		}
	}
	for _, t := range b.graph.Initializers {
		own[t.Name] = true
	}
	graph := *b.graph
	graph.Inputs = append([]ir.ValueInfo(nil), b.graph.Inputs...)
	for _, name := range sortedNames(used) {
		v := b.c.e.find(name)
		switch {
		case v == nil || own[name] || v.bad:
		case v.waits:
			panic(later{})
		case !v.unknown():
			m.outer[name] = v
		default:
			graph.Inputs = append(graph.Inputs, ir.ValueInfo{Name: name})
			r.names, r.around = append(r.names, name), append(r.around, v)
		}
	}
	m.ir.Graph = &graph
	return r
}

// run evaluates the graph once. It gives back all outputs.
func (r *bodyRunner) run(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
	inputs, types := map[string]*Tensor{}, map[string]spec{}
	for i, t := range in {
		if t == nil {
			return nil, fmt.Errorf("input %d of the graph has no value", i)
		}
		inputs[r.names[i]], types[r.names[i]] = t, specOf(t)
	}
	r.s.mu.Lock()
	root := r.s.root(types)
	r.s.mu.Unlock()
	return r.s.runFrom(ctx, root, types, inputs)
}

// trips returns how many times a loop runs at most, and its first condition, if these are known.
func (c *call) trips() (most int64, cond, ok bool) {
	most, cond = math.MaxInt64, true
	for k := range 2 {
		if !c.has(k) {
			continue
		}
		t := c.in[k].host
		if t == nil {
			return 0, false, false
		}
		v, isInt := t.ints()
		if !isInt || len(v) != 1 {
			refuse("input %d is %v; want one number", k, t)
		}
		if k == 0 {
			most = v[0]
		} else {
			cond = v[0] != 0
		}
	}
	return most, cond, true
}

// loop evaluates its body with the number of the iteration, a condition and the state, which gives the
// condition to go on, the next state and further results, which are stacked. A loop of a known number
// of iterations becomes nodes if these are not too many.
func loop(c *call) []*value {
	b := &body{c: c, graph: c.graphAttr("body"), states: max(len(c.in)-2, 0)}
	if len(b.graph.Inputs) != 2+b.states || len(b.graph.Outputs) < 1+b.states {
		refuse("the body has %d inputs and %d outputs for %d values", len(b.graph.Inputs), len(b.graph.Outputs), b.states)
	}
	for k := range b.states {
		if c.in[2+k] == nil {
			refuse("input %d is missing", 2+k)
		}
	}
	if most, cond, ok := c.trips(); ok && (!cond || most <= int64(b.limit()) || most == math.MaxInt64 || c.ev.session == nil) {
		var outs []*value
		if b.unroll(func() { outs = b.unrolledLoop(most, cond) }) && outs != nil {
			return outs
		}
	}
	return b.hostLoop()
}

// unrolledLoop returns nil if the condition is not known or the loop is too long.
func (b *body) unrolledLoop(most int64, cond bool) []*value {
	state := append([]*value(nil), b.c.in[2:]...)
	stacks := make([][]*value, len(b.graph.Outputs)-1-b.states)
	for i := int64(0); cond && i < most; i++ {
		if i >= int64(b.limit()) {
			if b.c.ev.session == nil {
				refuse("a loop of more than %d iterations: run the model by a Session", i)
			}
			return nil
		}
		outs := b.evaluate(int(i), append([]*value{known(intsTensor([]int64{i})), known(boolTensor(true))}, state...))
		copy(state, outs[1:])
		for k := range stacks {
			stacks[k] = append(stacks[k], outs[1+b.states+k])
		}
		t := outs[0].host
		if t == nil {
			if b.c.ev.session == nil {
				refuse("the condition of the loop depends on an input: run the model by a Session")
			}
			return nil
		}
		on, ok := t.ints()
		if !ok || len(on) != 1 {
			refuse("the condition is %v; want one bool", t)
		}
		cond = on[0] != 0
	}
	for k, list := range stacks {
		state = append(state, b.stacked(list, 1+b.states+k, 0))
	}
	return state
}

func boolTensor(v bool) *Tensor { return &Tensor{Type: ir.Bool, Data: []bool{v}} }

// stacked stacks values along a new axis; of none it has the extents that the output states.
func (b *body) stacked(list []*value, output, a int) *value {
	if len(list) == 0 {
		return known(b.noResults(output, a))
	}
	inner := *b.c
	inner.in = list
	return inner.folded(&operator{eval: func(c *call) []*value {
		xs := c.nodes()
		a := axis(a, c.shape(0).Rank()+1)
		for i, x := range xs {
			xs[i] = ops.Unsqueeze(x, a)
		}
		return moved(ops.Concat(a, xs...), c.elem(0))
	}})[0]
}

// noResults is the stack of an output that was never computed.
func (b *body) noResults(output, a int) *Tensor {
	in, err := inputOf(b.graph.Outputs[output])
	if err != nil {
		panic(refusal{err})
	}
	e := in.Type
	if _, ok := elements[e]; !ok {
		e = ir.Float
	}
	dims := []int{}
	for _, d := range in.Dims {
		dims = append(dims, max(d.Size, 0))
	}
	a = axis(a, len(dims)+1)
	return empty(e, append(dims[:a:a], append([]int{0}, dims[a:]...)...))
}

// hostLoop runs the body on the host until the loop, or the context, ends.
func (b *body) hostLoop() []*value {
	r := b.runner()
	in := make([]*value, 2+b.states)
	copy(in, b.c.in)
	for k := range 2 {
		if in[k] != nil && in[k].none {
			in[k] = nil
		}
	}
	return b.c.onHost(append(in, r.around...), func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		around := in[2+b.states:]
		trips, err := only(in[0], math.MaxInt64)
		if err != nil {
			return nil, err
		}
		on, err := only(in[1], 1)
		if err != nil {
			return nil, err
		}
		state := append([]*Tensor(nil), in[2:2+b.states]...)
		stacks := &stacks{lists: make([][]*Tensor, len(b.graph.Outputs)-1-b.states)}
		for i := int64(0); on != 0 && float64(i) < trips; i++ {
			args := append([]*Tensor{intsTensor([]int64{i}), boolTensor(true)}, state...)
			outs, err := r.run(ctx, append(args, around...))
			if err != nil {
				return nil, fmt.Errorf("iteration %d: %w", i, err)
			}
			if on, err = only(outs[0], 0); err != nil {
				return nil, fmt.Errorf("the condition: %w", err)
			}
			state = outs[1 : 1+b.states]
			if err := stacks.add(outs[1+b.states:], state); err != nil {
				return nil, err
			}
		}
		for k := range stacks.lists {
			t, err := stacks.stack(b, k, 1+b.states+k, 0)
			if err != nil {
				return nil, err
			}
			state = append(state[:b.states+k:b.states+k], t)
		}
		return state, nil
	})
}

// stacks collect the results of the iterations of a loop on the host.
type stacks struct {
	lists [][]*Tensor
	size  int // of all, in elements
}

// add adds the results of an iteration, unless they and the state become too large.
func (s *stacks) add(results, state []*Tensor) error {
	total := 0
	for _, t := range state {
		total += t.total()
	}
	for k, t := range results {
		if t.kind() != ir.TensorKind {
			return fmt.Errorf("%v cannot be stacked", t)
		}
		s.size += t.total()
		s.lists[k] = append(s.lists[k], t)
	}
	if s.size+total > maxCarried {
		return fmt.Errorf("the state and the results of the loop have more than %d elements", maxCarried)
	}
	return nil
}

// total is the number of elements of t with all its items, each of which counts as some more for itself.
func (t *Tensor) total() int {
	n := 16
	if t.kind() == ir.TensorKind {
		return n + t.Len()
	}
	for _, e := range t.Items {
		n += e.total()
	}
	return n
}

// stack returns list k, which output has, stacked along an axis.
func (s *stacks) stack(b *body, k, output, a int) (t *Tensor, err error) {
	list := s.lists[k]
	if len(list) == 0 {
		err = guarded(func() { t = b.noResults(output, a) })
		return t, err
	}
	for _, t := range list[1:] {
		if t.String() != list[0].String() {
			return nil, fmt.Errorf("output %d is %v in one iteration and %v in another", output, list[0], t)
		}
	}
	err = guarded(func() { a = axis(a, len(list[0].Dims)+1) })
	if err != nil {
		return nil, err
	}
	return stack(list, a), nil
}

// sequenceMap evaluates its body for the items of a sequence, and for those at the same place of
// others; what is no sequence is the same for all.
func sequenceMap(c *call) []*value {
	b := &body{c: c, graph: c.graphAttr("body")}
	n := len(c.list(0).items)
	if len(b.graph.Inputs) != len(c.in) {
		refuse("the body has %d inputs; want %d", len(b.graph.Inputs), len(c.in))
	}
	outs := make([]*value, len(b.graph.Outputs))
	for k, o := range b.graph.Outputs {
		in, err := inputOf(o)
		if err != nil {
			panic(refusal{err})
		}
		outs[k] = listOf(in.Type, nil)
	}
	for i := range n {
		in := make([]*value, len(c.in))
		for k := range c.in {
			in[k] = c.value(k)
			if !in[k].isList {
				continue
			}
			if len(in[k].items) != n {
				refuse("sequences of %d and %d", n, len(in[k].items))
			}
			in[k] = in[k].items[i]
		}
		for k, v := range b.evaluate(i, in) {
			outs[k].items, outs[k].elem = append(outs[k].items, v), v.elem
		}
	}
	return outs
}
