package onnx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

const (
	// maxDepth is how deep functions and graphs in attributes may call each other.
	maxDepth = 64
	// maxCalls is how many nodes an evaluation may visit, with those of functions for each use.
	maxCalls = 1 << 20
)

// An evaluator walks over the nodes of a model in order and makes a value of each output.
type evaluator struct {
	m      *Model
	scope  nn.Scope
	g      *graph.Graph
	names  map[string]bool // of the parameters made
	calls  int
	depth  int
	folded int // elements
	ctx    context.Context
	// force returns the elements of a node that depends on inputs, and host the results of a step. Where
	// they are not at hand yet, the operator waits. They are nil where there are no data.
	force func(ask) *Tensor
	host  func(ask) []*value
	// session runs the bodies of loops; nil where no data are at hand.
	session   *Session
	sized     map[*graph.Node]*Tensor // values of nodes
	dependent map[*graph.Node]bool    // whether a node depends on an input
	initials  map[*ir.Tensor]*value
	path      string          // of the node that is evaluated, as a part of ids
	last      int             // order of a value
	saved     map[string]bool // the ids of values that are inputs
	kept      []*value        // that operators which wait take
	wave      *wave
	unrolling int       // loops in which a value cannot be had
	ranges    vm.Ranges // of the inputs of layers that may compute in 8-bit integers
	layers    int       // how many there have been
}

func newEvaluator(m *Model, s nn.Scope) *evaluator {
	return &evaluator{m: m, scope: s, g: s.Graph(), names: map[string]bool{}, sized: map[*graph.Node]*Tensor{}, ctx: context.Background(),
		dependent: map[*graph.Node]bool{}, initials: map[*ir.Tensor]*value{}, saved: map[string]bool{}, ranges: vm.Ranges{},
		wave: &wave{index: map[wanted]int{}, saved: map[string]int{}}, depth: m.depth}
}

// env has the values of a graph by name. What a graph in an attribute does not define itself is
// found in the graph around it.
type env struct {
	outer  *env
	values map[string]*value
	attrs  map[string]*ir.Attribute // of the call of a function, for attributes that refer to them
	opsets map[string]int64
	prefix string // of the names of nodes in errors
}

func (e *env) find(name string) *value {
	for ; e != nil; e = e.outer {
		if v, ok := e.values[name]; ok {
			return v
		}
	}
	return nil
}

// inner returns an empty env inside e.
func (e *env) inner() *env {
	return &env{outer: e, values: map[string]*value{}, attrs: e.attrs, opsets: e.opsets, prefix: e.prefix}
}

// A refusal is an error of an operator, which panics with it.
type refusal struct{ error }

func refuse(format string, args ...any) { panic(refusal{fmt.Errorf(format, args...)}) }

// model evaluates the graph of the file with the given values of its inputs.
func (ev *evaluator) model(inputs map[string]*value) []*value {
	e := &env{values: map[string]*value{}, attrs: ev.m.attrs, opsets: ev.m.opsets, prefix: ev.m.prefix}
	for name, v := range ev.m.outer {
		copied := *v // without the node that it has in another graph
		copied.node, copied.state = nil, nil
		e.values[name] = &copied
	}
	for name, v := range inputs {
		e.values[name] = v
	}
	return ev.graph(ev.m.ir.Graph, e)
}

// graph evaluates a graph whose inputs are in e, and returns its outputs.
func (ev *evaluator) graph(g *ir.Graph, e *env) []*value {
	if ev.depth++; ev.depth > maxDepth {
		refuse("functions and graphs call each other more than %d deep", maxDepth)
	}
	defer func() { ev.depth-- }()
	for _, t := range g.Initializers {
		if _, given := e.values[t.Name]; !given {
			e.values[t.Name] = ev.initializer(t)
		}
	}
	for _, s := range g.Sparse {
		if s.Values != nil {
			ev.reportValue("initialiser", s.Values.Name, errors.New("sparse initialisers are not supported"))
			e.values[s.Values.Name] = &value{bad: true}
		}
	}
	ev.nodes(g.Nodes, e)
	outs := make([]*value, len(g.Outputs))
	for i, o := range g.Outputs {
		if outs[i] = e.find(o.Name); outs[i] == nil {
			ev.reportValue("output", o.Name, errors.New("no node computes it"))
			outs[i] = &value{bad: true}
		}
	}
	return outs
}

// initializer returns the value of an initialiser: a parameter, if it is floating point and has an
// axis, else a constant.
func (ev *evaluator) initializer(t *ir.Tensor) *value {
	if v := ev.initials[t]; v != nil {
		return v
	}
	v := ev.newInitializer(t)
	ev.initials[t] = v
	return v
}

func (ev *evaluator) newInitializer(t *ir.Tensor) *value {
	h, err := ev.m.tensor(t)
	if err != nil {
		ev.reportValue("initialiser", t.Name, err)
		return &value{bad: true}
	}
	v := known(h)
	if t.Name != "" && len(h.Dims) > 0 && elements[h.Type].compute.IsFloat() {
		v.param, v.trained = ev.m.params[t], true
	}
	return v
}

func (ev *evaluator) nodes(nodes []*ir.Node, e *env) {
	path := ev.path
	defer func() { ev.path = path }()
	for i, n := range nodes {
		ev.path = path + strconv.Itoa(i) + "."
		if err := ev.ctx.Err(); err != nil {
			panic(stop{err})
		}
		if ev.calls++; ev.calls > maxCalls {
			refuse("with its functions expanded the model has more than %d nodes", maxCalls)
		}
		outs := ev.node(i, n, e)
		for k, name := range n.Outputs {
			if name == "" {
				continue
			}
			if _, twice := e.values[name]; twice {
				ev.report(e, n, i, fmt.Errorf("output %q has the name of another value", plain.Name(name)))
			}
			v := &value{bad: true}
			if k < len(outs) && outs[k] != nil {
				v = outs[k]
			} else if outs != nil {
				ev.report(e, n, i, fmt.Errorf("output %d, %q, does not exist", k, plain.Name(name)))
			}
			ev.number(v, ev.path+strconv.Itoa(k))
			e.values[name] = v
		}
	}
}

// node evaluates one node. It returns nil if it, or an input, has an error.
func (ev *evaluator) node(i int, n *ir.Node, e *env) (outs []*value) {
	c := &call{ev: ev, n: n, e: e, b: ev, index: i, version: e.opsets[domain(n.Domain)]}
	waits := false
	for k, name := range n.Inputs {
		v := e.find(name)
		if v == nil && name != "" {
			ev.report(e, n, i, fmt.Errorf("input %d, %q, is computed by no node before it", k, plain.Name(name)))
			v = &value{bad: true}
		}
		if v != nil && v.bad {
			return nil
		}
		waits = waits || v != nil && v.waits
		c.in = append(c.in, v)
	}
	if waits {
		return c.waiting()
	}
	path := ev.path
	defer func() {
		switch r := recover().(type) {
		case nil:
		case later:
			ev.path = path
			outs = c.waiting()
		case stop, unrollable:
			panic(r)
		case refusal:
			ev.report(e, n, i, c.describe(r.error))
			outs = nil
		default:
			ev.report(e, n, i, c.describe(rescue.Of(r)))
			outs = nil
		}
	}()
	ev.g.At(ev.pos(e, n, i), func() { outs = c.evaluate() })
	return outs
}

// pos is the position of the nodes that n of the file becomes.
func (ev *evaluator) pos(e *env, n *ir.Node, i int) graph.Pos {
	return graph.Pos{File: ev.m.name + ": node " + e.prefix + nodeName(n, i)}
}

// nodeName is the name of a node or, if it has none, its number and first output.
func nodeName(n *ir.Node, i int) string {
	if n.Name != "" {
		return plain.Name(n.Name)
	}
	out := ""
	for _, o := range n.Outputs {
		if o != "" {
			out = " (" + plain.Name(o) + ")"
			break
		}
	}
	return fmt.Sprintf("#%d%s", i, out)
}

// report records an error about a node of the file.
func (ev *evaluator) report(e *env, n *ir.Node, i int, err error) {
	ev.g.At(ev.pos(e, n, i), func() { ev.g.Reject(plain.Name(n.Op), err) })
}

// reportValue records an error about an initialiser or output.
func (ev *evaluator) reportValue(what, name string, err error) {
	ev.g.At(graph.Pos{File: ev.m.name}, func() { ev.g.Reject(fmt.Sprintf("%s %q", what, plain.Name(name)), err) })
}

// function evaluates the body of a function for a call.
func (ev *evaluator) function(f *ir.Function, c *call) []*value {
	if ev.depth++; ev.depth > maxDepth {
		refuse("functions call each other more than %d deep", maxDepth)
	}
	defer func() { ev.depth-- }()
	e := &env{values: map[string]*value{}, attrs: map[string]*ir.Attribute{}, opsets: c.e.opsets,
		prefix: c.e.prefix + nodeName(c.n, c.index) + "/"}
	if len(f.Opsets) > 0 {
		e.opsets = opsetsOf(f.Opsets)
	}
	if len(c.in) > len(f.Inputs) {
		refuse("%d inputs; the function has %d", len(c.in), len(f.Inputs))
	}
	for i, name := range f.Inputs {
		e.values[name] = nil
		if i < len(c.in) {
			e.values[name] = c.in[i]
		}
	}
	for i := range f.Defaults {
		e.attrs[f.Defaults[i].Name] = &f.Defaults[i]
	}
	for i := range c.n.Attributes {
		if a := c.attribute(c.n.Attributes[i].Name); a != nil {
			e.attrs[a.Name] = a
		}
	}
	ev.nodes(f.Nodes, e)
	outs := make([]*value, len(f.Outputs))
	for i, name := range f.Outputs {
		if outs[i] = e.find(name); outs[i] == nil {
			refuse("output %q of the function is not computed", plain.Name(name))
		}
	}
	return outs
}

// nodeOf returns the node of v, which it makes if there is none.
func (ev *evaluator) nodeOf(v *value) *graph.Node {
	switch {
	case v.node != nil:
	case v.host != nil && v.host.Type == ir.String:
		refuse("strings are not computed with")
	case v.param != "":
		v.node = ev.scope.Param(ev.unique(v.param), v.host.compute(), weights{v.host})
	case v.host != nil:
		v.node = constant(ev.g, v.host)
	case v.symbolic():
		refuse("the extents %v are needed as elements, and depend on the batch size: bind it", shape.Of(v.extents...))
	default:
		refuse("%v is no tensor", v)
	}
	return v.node
}

// stateOf is nodeOf for a value that training changes without a gradient.
func (ev *evaluator) stateOf(v *value) *graph.Node {
	if v.state == nil {
		v.state = ev.scope.State(ev.unique(v.param), v.host.compute(), weights{v.host})
	}
	return v.state
}

// unique returns the name of a parameter, with a number if another graph of the file has it too.
func (ev *evaluator) unique(name string) string {
	for k := 2; ev.names[name]; k++ {
		base, _, _ := strings.Cut(name, "#")
		name = fmt.Sprintf("%s#%d", base, k)
	}
	ev.names[name] = true
	return name
}

// A stop ends an evaluation.
type stop struct{ error }

// guarded runs f, and returns what it refuses outside of any node.
func guarded(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case unrollable, later:
			panic(r)
		case stop:
			err = r.error
		case refusal:
			err = r.error
		default:
			err = rescue.Of(r)
		}
	}()
	f()
	return nil
}
