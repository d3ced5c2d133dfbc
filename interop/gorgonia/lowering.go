package gorgonia

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A lowering builds one ExprGraph.
type lowering struct {
	g     *G.ExprGraph
	batch int
	float shape.DType // the element type of every value, and gorgonia's for it
	dtype tensor.Dtype

	values  map[*graph.Node]*G.Node
	feeds   map[*graph.Node]*feed
	origins []*graph.Node // by ID of the ExprGraph's nodes
	refused graph.ErrorList

	scalars map[uint64]*G.Node // fixed numbers by their bits
	results map[*graph.Node]*G.Node
	reads   map[*G.Node]*G.Value
	randoms []draw

	adjoints map[*graph.Node]*adjoint // of the nodes that bound has lowered

	consts, customs int // how many have been made, to name the next
}

func newLowering(outs []*graph.Node, n int) *lowering {
	l := &lowering{
		g: G.NewGraph(), batch: n, float: shape.Float64, dtype: tensor.Float64,
		values: map[*graph.Node]*G.Node{}, feeds: map[*graph.Node]*feed{},
		results: map[*graph.Node]*G.Node{}, scalars: map[uint64]*G.Node{}, reads: map[*G.Node]*G.Value{},
		adjoints: map[*graph.Node]*adjoint{},
	}
	for _, x := range graph.Reachable(outs...) {
		if x.Type().IsFloat() {
			l.float = x.Type().DType
			break
		}
	}
	if l.float == shape.Float32 {
		l.dtype = tensor.Float32
	}
	return l
}

// lowest is the number that gorgonia's maxima start from.
func (l *lowering) lowest() float64 {
	if l.float == shape.Float32 {
		return -math.MaxFloat32
	}
	return -math.MaxFloat64
}

// typeOf is n's type for the batch size.
func (l *lowering) typeOf(n *graph.Node) shape.Type { return n.Type().At(l.batch) }

func (l *lowering) dims(n *graph.Node) []int { return l.typeOf(n).Ints() }

// lower builds what outs need and is not there, inputs first. A node that is refused silences those
// built on it.
func (l *lowering) lower(outs []*graph.Node) error {
	nodes := graph.Reachable(outs...)
	needed := map[*graph.Node]bool{}
	for _, o := range outs {
		needed[o] = true
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if !needed[nodes[i]] {
			continue
		}
		for _, x := range used(nodes[i]) {
			needed[x] = true
		}
	}
	for _, n := range nodes {
		if needed[n] && l.values[n] == nil {
			l.add(n)
		}
	}
	if len(l.refused) > 0 {
		return l.refused
	}
	return nil
}

// add lowers n, whose inputs have been.
func (l *lowering) add(n *graph.Node) {
	c := &call{lowering: l, node: n, in: make([]*G.Node, n.NIn())}
	for i, x := range used(n) {
		if c.in[i] = l.values[x]; c.in[i] == nil {
			return
		}
	}
	v, err := c.lower()
	l.claim(n)
	if err != nil {
		l.refused = append(l.refused, graph.ErrorAt(n, err))
		return
	}
	l.values[n] = v
}

// claim says that what has been added to the ExprGraph since the last call is n's.
func (l *lowering) claim(n *graph.Node) {
	for len(l.origins) < len(l.g.AllNodes()) {
		l.origins = append(l.origins, n)
	}
}

// reached returns the nodes that the loss depends on through ops that pass gradients.
func (l *lowering) reached(loss *graph.Node) map[*graph.Node]bool {
	reached := map[*graph.Node]bool{loss: true}
	nodes := graph.Reachable(loss)
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !reached[n] || n.Kind() != graph.Computed {
			continue
		}
		for _, x := range l.derivedBy(n) {
			if x.Type().IsFloat() {
				reached[x] = true
			}
		}
	}
	return reached
}

// derivedBy returns the inputs to which n passes a gradient.
func (l *lowering) derivedBy(n *graph.Node) (ins []*graph.Node) {
	if len(used(n)) == 0 {
		return nil
	}
	r := l.ruleOf(n)
	for i, x := range used(n) {
		if r.passes == nil || r.passes[i] {
			ins = append(ins, x)
		}
	}
	return ins
}

// inTypes are the types of n's inputs for the batch size.
func (l *lowering) inTypes(n *graph.Node) []shape.Type {
	in := make([]shape.Type, n.NIn())
	for i, x := range n.Ins() {
		in[i] = l.typeOf(x)
	}
	return in
}

// result returns a copy of what n was lowered to, for n may be a leaf.
func (l *lowering) result(n *graph.Node) (*G.Node, error) {
	if l.results[n] == nil {
		c := &call{lowering: l, node: n}
		v := c.private(l.values[n], l.dims(n))
		if c.err != nil {
			return nil, graph.ErrorAt(n, c.err)
		}
		l.results[n] = v
	}
	return l.results[n], nil
}

// read has the machine put the value of v where the result points to.
func (l *lowering) read(v *G.Node) *G.Value {
	if l.reads[v] == nil {
		l.reads[v] = new(G.Value)
		G.Read(v, l.reads[v])
	}
	return l.reads[v]
}

// border turns a panic, which is how gorgonia reports many errors, into an error at n.
func (l *lowering) border(n *graph.Node, err *error) {
	if r := recover(); r != nil {
		*err = graph.ErrorAt(n, fmt.Errorf("gorgonia panicked: %v", r))
	}
}

// opsPath is the import path of package ops; only its ops have rows in the table.
var opsPath = reflect.TypeFor[ops.ReshapeOp]().PkgPath()

// used returns the inputs whose values n depends on; it may share n's own slice.
func used(n *graph.Node) []*graph.Node {
	if _, ok := n.Op().(engine.UniformOp); ok || n.Kind() != graph.Computed {
		return nil
	}
	r, _ := row(n.Op())
	if first := r.first; first > 0 && first < n.NIn() {
		return n.Ins()[:first]
	}
	if r.fed {
		return nil
	}
	return n.Ins()
}

// A call is one op being lowered. Its methods add to the ExprGraph; after an error, which
// stays, they return nil.
type call struct {
	*lowering
	node *graph.Node
	in   []*G.Node // nil where the value is not used
	err  error
}

func (c *call) lower() (v *G.Node, err error) {
	defer c.border(c.node, &err)
	t := c.typeOf(c.node)
	if err := c.carries(t); err != nil {
		return nil, err
	}
	switch op := c.node.Op().(type) {
	case engine.UniformOp:
		v = c.fill(t.Ints(), c.exact(t, op.Uniform(c.inTypes(c.node), t))[0])
	default:
		v = c.leafOrRule(t)
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.as(v, t.Ints()), c.err
}

// carries refuses types that gorgonia cannot hold, or not beside the others.
func (c *call) carries(t shape.Type) error {
	switch {
	case t.Len() == 0:
		return fmt.Errorf("the value is %v, without elements, which gorgonia cannot hold", t)
	case t.IsStorage():
		return fmt.Errorf("the value is %v, which gorgonia cannot hold as numbers; want float32 or float64, so leave out the Cast", t)
	case t.IsFloat() && t.DType != c.float:
		return fmt.Errorf("the value is %v, others are %v; gorgonia confuses their constants, so a program has one floating-point type", t, c.float)
	}
	return nil
}

// exact refuses integers among fixed numbers of type t that would be rounded.
func (c *call) exact(t shape.Type, values ...float64) []float64 {
	for _, v := range values {
		if t.IsInt() && c.float == shape.Float32 && float64(float32(v)) != v {
			c.fail("%v of %v is carried as float32 and would be rounded", v, t)
		}
	}
	return values
}

func (c *call) leafOrRule(t shape.Type) *G.Node {
	n := c.node
	switch n.Kind() {
	case graph.Computed:
		return c.ruleOf(n).lower(c)
	case graph.Const:
		return c.constant(t.Ints(), c.exact(t, n.Values()...))
	}
	leaf := c.leaf(fmt.Sprintf("%v %s", n.Kind(), n.Name()), t.Ints())
	c.feeds[n] = newFeed(leaf)
	return leaf
}

// ruleOf returns how n is lowered: by its row of the table or by its map onto gorgonia's ops, where
// these take its attributes and the types of its inputs, and otherwise by engine/ref's kernel.
func (l *lowering) ruleOf(n *graph.Node) rule {
	r, ok := row(n.Op())
	if ok && (r.any || floats(used(n))) && (r.fits == nil || r.fits(l, n)) {
		return r
	}
	if op, isMap := n.Op().(engine.ElementwiseOp); isMap && !ok {
		in, out := l.inTypes(n), l.typeOf(n)
		if m := op.Map(in, out); m.Check(in, []shape.Type{out}) == nil && fits(m, in) {
			return rule{lower: func(c *call) *G.Node { return c.elementwise(m) }, passes: passes(m, len(in))}
		}
	}
	return rule{lower: bound, passes: l.adjointOf(n).by}
}

func floats(ns []*graph.Node) bool {
	return !slices.ContainsFunc(ns, func(n *graph.Node) bool { return !n.Type().IsFloat() })
}

// row is the row of the table for an op of the catalogue.
func row(op graph.Op) (rule, bool) {
	r, ok := rules[op.Name()]
	return r, ok && reflect.TypeOf(op).PkgPath() == opsPath
}

// fail records why the op cannot be lowered.
func (c *call) fail(format string, args ...any) *G.Node {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	return nil
}

// got passes on what a function of gorgonia returned.
func (c *call) got(n *G.Node, err error) *G.Node {
	if err != nil {
		return c.fail("gorgonia: %w", innermost(err))
	}
	return n
}

// one, two and custom apply a function or op of gorgonia.
func (c *call) one(f func(*G.Node) (*G.Node, error), x *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.got(f(x))
}

func (c *call) two(f func(a, b *G.Node) (*G.Node, error), a, b *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.got(f(a, b))
}

func (c *call) custom(op G.Op, in ...*G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.got(G.ApplyOp(op, in...))
}

// view gives x, copied, another shape. gorgonia's own Reshape shares memory with its input,
// which later ops then overwrite.
func (c *call) view(x *G.Node, dims []int) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(c.viewOp(x, dims), x)
}

// as is view where x has another shape, and x where it has not.
func (c *call) as(x *G.Node, dims []int) *G.Node {
	if c.err != nil || sameDims(x.Shape(), dims) {
		return x
	}
	return c.view(x, dims)
}

// private is view for an x that gorgonia is going to reshape or repeat, or whose adjoint it
// will. No other op reads the copy, so that none can overwrite it, or give it an adjoint of
// another shape.
func (c *call) private(x *G.Node, dims []int) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(c.privateOp(x, dims), x)
}

// scalar returns a leaf with a fixed number. It is no constant of gorgonia's: those set off
// rewrites that delete nodes still in use.
func (c *call) scalar(v float64) *G.Node {
	bits := math.Float64bits(v)
	if c.scalars[bits] == nil {
		c.scalars[bits] = c.constant(nil, []float64{v})
	}
	return c.scalars[bits]
}

// fill returns a leaf with the same number everywhere.
func (c *call) fill(dims []int, v float64) *G.Node {
	if len(dims) == 0 {
		return c.scalar(v)
	}
	values := make([]float64, size(dims))
	for i := range values {
		values[i] = v
	}
	return c.constant(dims, values)
}

// constant returns a leaf with fixed values.
func (c *call) constant(dims []int, values []float64) *G.Node {
	if c.err != nil {
		return nil
	}
	c.consts++
	n := c.leaf(fmt.Sprint("const ", c.consts), dims)
	if err := newFeed(n).set(vector(values)); err != nil {
		return c.fail("%w", err)
	}
	return n
}

// leaf adds an input of the ExprGraph. Two of one name would be one to gorgonia.
func (c *call) leaf(name string, dims []int) *G.Node {
	return G.NewTensor(c.g, c.dtype, len(dims), G.WithShape(dims...), G.WithName(name))
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// sameDims compares extents. gorgonia's Eq takes (3) and (3,1) for equal.
func sameDims(a tensor.Shape, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
