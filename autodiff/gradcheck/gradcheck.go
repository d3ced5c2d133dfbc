package gradcheck

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// ErrWrong is wrapped by errors about a gradient that differs from finite differences.
var ErrWrong = errors.New("wrong gradient")

// A Func builds the expression to differentiate from its arguments, in their graph or in a clone of
// it such as [graph.Inference] returns. Its result may have any floating-point type.
type Func func(x ...*graph.Node) *graph.Node

// Input describes an argument of a [Func]. Floating-point arguments are always float64, whatever
// Type says; the gradients with respect to them are checked. The shape may depend on the batch size
// N.
type Input struct {
	Type   shape.Type
	Values Values // nil means Normal for floating point, and zeros and ones for other types
}

// Options set how thorough a check is.
type Options struct {
	Order     int           // how often to differentiate; 0 means 2
	Tolerance float64       // largest error accepted, see [Difference]; 0 means 1e-6
	Batch     int           // value of N; 0 means 3
	Seed      uint64        // seed of the random values
	Engine    engine.Engine // nil means engine/ref
}

func (o Options) withDefaults() Options {
	o.Order = cmp.Or(o.Order, 2)
	o.Tolerance = cmp.Or(o.Tolerance, 1e-6)
	o.Batch = cmp.Or(o.Batch, 3)
	if o.Engine == nil {
		o.Engine = ref.Engine{}
	}
	return o
}

// Result holds the findings of a check.
type Result struct {
	Worst  Difference
	Orders []float64 // the largest error of each order
	Ops    []string  // names of the ops whose gradient rules were checked, in alphabetical order
}

// Difference is one derivative, computed by the gradient and by finite differences.
type Difference struct {
	Order      int
	By         string // the argument it is with respect to, "x0", or a cotangent of a lower order, "c0"
	Index      []int
	Have, Want float64
	// Error is |Have-Want|, relative to the largest derivative with respect to the same argument,
	// or to 0.001 if all are smaller.
	Error float64
}

// String formats the place of the derivative and its values.
func (d Difference) String() string {
	return fmt.Sprintf("order %d, derivative by %s%v: gradient %.9g, finite differences %.9g (error %.2g)",
		d.Order, d.By, d.Index, d.Have, d.Want, d.Error)
}

// TB is the part of a testing.TB that [Check] needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails t if the gradient of f, or the gradient of that gradient, is wrong. f gets arguments
// of the given types with values from [Normal]; use [Run] for other values.
func Check(t TB, f Func, types ...shape.Type) {
	t.Helper()
	in := make([]Input, len(types))
	for i, typ := range types {
		in[i].Type = typ
	}
	if _, err := Run(f, in, Options{}); err != nil {
		t.Errorf("%v", err)
	}
}

// Run compares the gradient of f with finite differences. It multiplies the result of f by random
// cotangents and sums it, so that every element counts. From the second order on, the gradient
// itself is multiplied, summed and differentiated, with respect to the arguments and to the
// cotangents of lower orders.
//
// For an argument with more than 200 elements, Run checks 200 of them at random. The error wraps
// [ErrWrong] if the largest difference exceeds the tolerance; any other error means that the check
// could not be made.
func Run(f Func, in []Input, o Options) (Result, error) {
	if f == nil {
		return Result{}, errors.New("gradcheck: there is no function: it is nil")
	}
	o = o.withDefaults()
	c := &checker{
		opts:  o,
		graph: graph.New(),
		feeds: map[string]*feed{},
		rand:  rand.New(rand.NewPCG(o.Seed, 0)),
	}
	xs := make([]*graph.Node, len(in))
	for i, x := range in {
		xs[i] = c.argument(fmt.Sprintf("x%d", i), x)
	}
	err := c.run(f, xs)
	slices.Sort(c.result.Ops)
	c.result.Ops = slices.Compact(c.result.Ops)
	return c.result, err
}

// checker holds the state of a check.
type checker struct {
	opts   Options
	graph  *graph.Graph
	feeds  map[string]*feed // by the name of the leaf
	rand   *rand.Rand
	cts    int // cotangents made so far
	result Result
}

// argument adds an Input leaf with its values.
func (c *checker) argument(name string, in Input) *graph.Node {
	t := in.Type
	if t.IsFloat() {
		t = t.As(shape.Float64)
	}
	if err := steps(t); err != nil {
		return c.graph.Reject("gradcheck", fmt.Errorf("argument %s is %w", name, err))
	}
	n := c.graph.Input(name, t)
	if !n.Valid() {
		return n
	}
	fill := in.Values
	switch {
	case fill == nil && t.IsFloat():
		fill = Normal
	case fill == nil:
		fill = IDs(2)
	}
	t = t.At(c.opts.Batch)
	v := make([]float64, t.Len())
	fill(c.rand, v)
	c.feeds[name] = newFeed(t, v)
	return n
}

// steps refuses a floating-point type in which there are no differences as small as those taken.
func steps(t shape.Type) error {
	if t.HasGradient() && !t.IsFloat() {
		return fmt.Errorf("%v, whose steps are too large for finite differences; check the function of the float32 before it is cast", t)
	}
	return nil
}

func (c *checker) run(f Func, xs []*graph.Node) error {
	y := f(xs...)
	if err := c.graph.Err(); err != nil {
		return err
	}
	if y == nil {
		return errors.New("gradcheck: the function returns nil")
	}
	c.graph = y.Graph()
	switch err := c.graph.Err(); {
	case err != nil:
		return err
	case steps(y.Type()) != nil:
		return fmt.Errorf("gradcheck: the function gives %w", steps(y.Type()))
	case !y.Type().IsFloat():
		return fmt.Errorf("gradcheck: the function returns %v; only floating point has gradients", y.Type())
	}
	by := c.floats(xs)
	sum, cts := c.contract([]*graph.Node{y})
	for order := 1; order <= c.opts.Order; order++ {
		c.result.Orders = append(c.result.Orders, 0)
		dx := autodiff.Grad(sum, by...)
		if err := c.graph.Err(); err != nil {
			return err
		}
		if err := c.compare(order, sum, by, dx); err != nil {
			return fmt.Errorf("gradcheck: order %d: %w", order, err)
		}
		c.result.Ops = append(c.result.Ops, between(by, sum)...)
		by = slices.Concat(by, cts)
		sum, cts = c.contract(dx)
	}
	if w := c.result.Worst; !(w.Error <= c.opts.Tolerance) {
		return fmt.Errorf("gradcheck: %w: %v, tolerance %.2g", ErrWrong, w, c.opts.Tolerance)
	}
	return nil
}

// floats returns the floating-point arguments that are in the graph to be checked.
func (c *checker) floats(xs []*graph.Node) (fs []*graph.Node) {
	for _, x := range xs {
		if x = c.graph.Leaf(x.Name()); x != nil && x.Type().IsFloat() {
			fs = append(fs, x)
		}
	}
	return fs
}

// contract returns the sum of ys multiplied by new cotangents, and the cotangents.
func (c *checker) contract(ys []*graph.Node) (sum *graph.Node, cts []*graph.Node) {
	for _, y := range ys {
		ct := c.argument(fmt.Sprintf("c%d", c.cts), Input{Type: y.Type()})
		c.cts++
		cts = append(cts, ct)
		part := ops.Sum(ops.Mul(y, ct))
		if sum == nil {
			sum = part
			continue
		}
		sum = ops.Add(sum, part)
	}
	return sum, cts
}

// between returns the names of the ops on the paths from xs to y.
func between(xs []*graph.Node, y *graph.Node) (names []string) {
	on := map[*graph.Node]bool{}
	for _, x := range xs {
		on[x] = true
	}
	for _, n := range graph.Reachable(y) {
		if n.Type().IsFloat() && slices.ContainsFunc(n.Ins(), func(x *graph.Node) bool { return on[x] }) {
			on[n] = true
			names = append(names, n.Op().Name())
		}
	}
	return names
}

// compare compares the gradients dx of y with finite differences.
func (c *checker) compare(order int, y *graph.Node, by, dx []*graph.Node) error {
	value, err := c.program(y)
	if err != nil {
		return err
	}
	gradient, err := c.program(dx...)
	if err != nil {
		return err
	}
	have, err := gradient.run()
	if err != nil {
		return err
	}
	for i, x := range by {
		feed := c.feeds[x.Name()]
		var found []Difference
		for _, e := range c.probes(len(feed.v)) {
			want, err := value.slope(&feed.v[e])
			if err != nil {
				return err
			}
			found = append(found, Difference{Order: order, By: x.Name(), Index: feed.index(e), Have: have[i][e], Want: want})
		}
		c.judge(found)
	}
	return nil
}

// maxProbes bounds how many elements of an argument are checked.
const maxProbes = 200

// probes chooses the elements to check among n.
func (c *checker) probes(n int) []int {
	p := c.rand.Perm(n)
	return p[:min(n, maxProbes)]
}

// judge computes the errors of the derivatives with respect to one argument.
func (c *checker) judge(found []Difference) {
	scale := 1e-3
	for _, d := range found {
		scale = max(scale, math.Abs(d.Want))
	}
	for _, d := range found {
		d.Error = math.Abs(d.Have-d.Want) / scale
		if math.IsNaN(d.Error) {
			d.Error = math.Inf(1)
		}
		if d.Error > c.result.Worst.Error || c.result.Worst.By == "" {
			c.result.Worst = d
		}
		c.result.Orders[d.Order-1] = max(c.result.Orders[d.Order-1], d.Error)
	}
}
