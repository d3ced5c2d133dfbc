package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// A call is one use of an operator: a node of the file and the values of its inputs. Its methods
// refuse, by a panic that the evaluator turns into an error about the node, what they cannot give.
type call struct {
	ev      *evaluator
	n       *ir.Node
	e       *env
	b       builder
	in      []*value // nil where an input is left out
	index   int      // of the node
	version int64    // of the node's domain
}

// A builder makes nodes of values: the evaluator in the model's graph, a fold in its own.
type builder interface {
	nodeOf(*value) *graph.Node
}

// evaluate returns the outputs. If an operator's inputs are all known, and none is a parameter, it
// computes them.
func (c *call) evaluate() []*value {
	if f := c.ev.m.function(c.n); f != nil {
		return c.ev.function(f, c)
	}
	op := c.ev.m.operators.find(c.n.Domain, c.n.Op, c.version)
	switch {
	case op == nil && c.version == 0:
		refuse("the file imports no operators of domain %q", plain.Name(c.n.Domain))
	case op == nil:
		refuse("the operator is not supported%s", c.ev.m.inDomain(c.n.Domain))
	case len(c.in) < op.min || op.max >= 0 && len(c.in) > op.max:
		refuse("%d inputs; want %s", len(c.in), op.arity())
	}
	if !op.direct && op.extents != nil {
		if outs := c.onExtents(op); outs != nil {
			return outs
		}
	}
	if op.direct || !c.foldable() {
		return c.mark(op.eval(c))
	}
	return c.fold(op)
}

// onExtents evaluates the operator on integers that may depend on N, if there are such.
func (c *call) onExtents(op *operator) []*value {
	if !slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.symbolic() }) {
		return nil
	}
	for _, v := range c.in {
		if v != nil && !v.symbolic() && v.host == nil {
			return nil
		}
	}
	return op.extents(c)
}

// foldable reports whether all inputs are known and none is trained. Without inputs nothing is to be
// folded.
func (c *call) foldable() bool {
	some := false
	for _, v := range c.in {
		if v == nil {
			continue
		}
		if v.host == nil || v.trained || v.host.Type == ir.String {
			return false
		}
		some = true
	}
	return some
}

// mark marks what depends on a parameter.
func (c *call) mark(outs []*value) []*value {
	trained := slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.trained })
	for _, v := range outs {
		if v != nil && v.node != nil {
			v.trained = v.trained || trained
		}
	}
	return outs
}

// describe adds the types of the inputs to an error.
func (c *call) describe(err error) error {
	in := make([]string, len(c.in))
	for i, v := range c.in {
		if in[i] = "-"; v != nil {
			in[i] = v.String()
		}
	}
	return fmt.Errorf("%w (inputs: %s)", err, plain.List(in, 12))
}

// has reports whether input k is given.
func (c *call) has(k int) bool { return k < len(c.in) && c.in[k] != nil && !c.in[k].none }

// value returns input k, which must be given.
func (c *call) value(k int) *value {
	if !c.has(k) {
		refuse("input %d is missing", k)
	}
	return c.in[k]
}

// node returns input k as a node.
func (c *call) node(k int) *graph.Node { return c.b.nodeOf(c.value(k)) }

// optional returns input k as a node, or nil if it is left out.
func (c *call) optional(k int) *graph.Node {
	if !c.has(k) {
		return nil
	}
	return c.node(k)
}

// nodes returns all inputs as nodes.
func (c *call) nodes() []*graph.Node {
	ns := make([]*graph.Node, len(c.in))
	for k := range ns {
		ns[k] = c.node(k)
	}
	return ns
}

// elem returns the element type of input k.
func (c *call) elem(k int) ir.DataType { return c.value(k).elem }

// shape returns the shape of input k.
func (c *call) shape(k int) shape.Shape {
	v := c.value(k)
	if v.isList {
		refuse("input %d is a sequence; want a tensor", k)
	}
	return v.typ().Shape
}

// numbers returns the shape of input k, whose extents must not depend on N from axis from on.
func (c *call) numbers(k, from int) []int {
	dims := c.shape(k).Dims()
	if len(dims) < from {
		refuse("input %d has %d axes; want at least %d", k, len(dims), from)
	}
	v := make([]int, len(dims)-from)
	for i := range v {
		n, ok := dims[from+i].Int()
		if !ok {
			refuse("extent %v of axis %d of input %d must be a number", dims[from+i], from+i, k)
		}
		v[i] = n
	}
	return v
}

// known returns the elements of input k, which must be known when the program is made.
func (c *call) known(k int) *Tensor {
	v := c.value(k)
	if v.host != nil {
		return v.host
	}
	if v.node == nil {
		refuse("input %d of %s, %v, must be known when the program is made", k, c.n.Op, v)
	}
	return c.ev.know(v, fmt.Sprintf("input %d of %s", k, c.n.Op))
}

// know returns the elements of a node, by running what it depends on.
func (ev *evaluator) know(v *value, what string) *Tensor {
	if t := ev.sized[v.node]; t != nil {
		return t
	}
	if !v.node.Valid() {
		panic(refusal{fmt.Errorf("%s could not be built", what)})
	}
	var inputs []string
	for _, n := range graph.Reachable(v.node) {
		if n.Kind() == graph.Input {
			inputs = append(inputs, n.Name())
		}
	}
	var t *Tensor
	switch {
	case len(inputs) == 0:
		t = compute([]*graph.Node{v.node}, []ir.DataType{v.elem}, nil)[0]
	case ev.force == nil:
		refuse("%s must be known when the program is made; it depends on the input %s: bind that, or run the model by a Session",
			what, plain.Names(inputs, 3))
	default:
		t = ev.force([]*graph.Node{v.node}, []ir.DataType{v.elem})[0]
	}
	ev.sized[v.node] = t
	return t
}

// ints returns the elements of input k, known integers.
func (c *call) ints(k int) []int {
	t := c.known(k)
	v, ok := t.ints()
	if !ok {
		refuse("input %d is %v; want integers", k, t)
	}
	return c.asInts(v, fmt.Sprintf("input %d", k))
}

// scalarInt returns the only element of input k.
func (c *call) scalarInt(k int) int {
	v := c.ints(k)
	if len(v) != 1 {
		refuse("input %d has %d elements; want one", k, len(v))
	}
	return v[0]
}

// floats returns the elements of input k, known numbers.
func (c *call) floats(k int) []float64 {
	t := c.known(k)
	if _, ok := elements[t.Type]; !ok {
		refuse("input %d is %v; want numbers", k, t)
	}
	return t.floats()
}

// scalar returns the only element of input k, a known number.
func (c *call) scalar(k int) float64 {
	v := c.floats(k)
	if len(v) != 1 {
		refuse("input %d has %d elements; want one", k, len(v))
	}
	return v[0]
}

// dims returns the elements of input k, extents of which some may depend on N. They may be negative.
func (c *call) dims(k int) []shape.Dim {
	if v := c.value(k); v.symbolic() {
		return v.extents
	}
	ints := c.ints(k)
	d := make([]shape.Dim, len(ints))
	for i, v := range ints {
		d[i] = shape.Dim(v)
	}
	return d
}

// asInts returns v as Go's ints. Bounds beyond 2^31, which mean the end of an axis, are limited.
func (c *call) asInts(v []int64, _ string) []int {
	d := make([]int, len(v))
	for i, x := range v {
		d[i] = int(min(max(x, math.MinInt32), math.MaxInt32))
	}
	return d
}

// attribute returns the named attribute, or nil if it is left out. In a function it may be one of
// the call.
func (c *call) attribute(name string) *ir.Attribute {
	for i := range c.n.Attributes {
		a := &c.n.Attributes[i]
		if a.Name != name {
			continue
		}
		if a.Ref == "" {
			return a
		}
		ref := c.e.attrs[a.Ref]
		if ref == nil {
			return nil
		}
		resolved := *ref
		resolved.Name = name
		return &resolved
	}
	return nil
}

// typed returns the named attribute if it is given, and refuses one of another type.
func (c *call) typed(name string, t ir.AttributeType) *ir.Attribute {
	a := c.attribute(name)
	if a != nil && a.Type != t {
		refuse("attribute %s is %v; want %v", name, a.Type, t)
	}
	return a
}

// attr reports whether the attribute is given.
func (c *call) attr(name string) bool { return c.attribute(name) != nil }

// intAttr returns an attribute, or def if it is left out.
func (c *call) intAttr(name string, def int) int {
	if a := c.typed(name, ir.AttributeInt); a != nil {
		return c.asInts([]int64{a.Int}, name)[0]
	}
	return def
}

// flag returns an attribute that is 0 or 1.
func (c *call) flag(name string, def bool) bool {
	d := 0
	if def {
		d = 1
	}
	return c.intAttr(name, d) != 0
}

// intsAttr returns an attribute, or def if it is left out.
func (c *call) intsAttr(name string, def []int) []int {
	if a := c.typed(name, ir.AttributeInts); a != nil {
		return c.asInts(a.Ints, name)
	}
	return def
}

// floatsAttr returns an attribute, nil if it is left out.
func (c *call) floatsAttr(name string) []float64 {
	a := c.typed(name, ir.AttributeFloats)
	if a == nil {
		return nil
	}
	return mapped(a.Floats, func(v float32) float64 { return float64(v) })
}

// floatAttr returns an attribute, or def if it is left out.
func (c *call) floatAttr(name string, def float64) float64 {
	if a := c.typed(name, ir.AttributeFloat); a != nil {
		return float64(a.Float)
	}
	return def
}

// stringAttr returns an attribute, or def if it is left out. If it is none of those allowed, it
// is refused.
func (c *call) stringAttr(name, def string, allowed ...string) string {
	a := c.typed(name, ir.AttributeString)
	if a == nil {
		return def
	}
	if len(allowed) > 0 && !slices.Contains(allowed, a.String) {
		refuse("attribute %s is %q; want one of %s", name, plain.Name(a.String), strings.Join(allowed, ", "))
	}
	return a.String
}

// graphAttr returns an attribute that is a graph.
func (c *call) graphAttr(name string) *ir.Graph {
	a := c.typed(name, ir.AttributeGraph)
	if a == nil || a.Graph == nil {
		refuse("attribute %s is missing", name)
	}
	return a.Graph
}

// axis returns an axis of a tensor of the given rank, which counts from the end if it is negative.
func axis(a, rank int) int {
	if a < -rank || a >= rank {
		refuse("axis %d of a tensor with %d axes", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a
}

// axes returns axes in ascending order, each once.
func axes(list []int, rank int) []int {
	v := make([]int, len(list))
	for i, a := range list {
		v[i] = axis(a, rank)
	}
	slices.Sort(v)
	if len(slices.Compact(slices.Clone(v))) != len(v) {
		refuse("axes %v are not distinct", list)
	}
	return v
}

// result returns n as a value of element type e, wrapped or rounded to it.
func result(n *graph.Node, e ir.DataType) []*value { return []*value{computed(wrapped(n, e), e)} }

// moved returns n, whose elements are those of an input, as a value of type e.
func moved(n *graph.Node, e ir.DataType) []*value { return []*value{computed(n, e)} }

// mask returns n, a Bool.
func mask(n *graph.Node) []*value { return moved(n, ir.Bool) }
