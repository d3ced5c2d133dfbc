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

// ErrWrong is wrapped where a gradient is not what finite differences give.
var ErrWrong = errors.New("wrong gradient")

// A Func builds what is to be differentiated from its arguments, in their graph or in a clone
// of it such as [graph.Inference] gives. Its result may have any floating-point type.
type Func func(x ...*graph.Node) *graph.Node

// Input describes an argument of a [Func]. Floating-point arguments are float64, whatever the
// Type says, and are what gradients are checked by. The shape may depend on the batch size N.
type Input struct {
	Type   shape.Type
	Values Values // nil means Normal, and for other than floating point, zeros and ones
}

// Options say how thorough a check is.
type Options struct {
	Order     int           // how often to differentiate; 0 means 2
	Tolerance float64       // greatest error, see [Difference]; 0 means 1e-6
	Batch     int           // what N is; 0 means 3
	Seed      uint64        // of the values
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

// Result is what a check has found.
type Result struct {
	Worst  Difference
	Orders []float64 // the worst error of each order
	Ops    []string  // names of the ops whose gradient rules were checked, in alphabetical order
}

// Difference is one derivative, as the gradient and as finite differences have it.
type Difference struct {
	Order      int
	By         string // the argument, "x0", or a cotangent of a lower order, "c0"
	Index      []int
	Have, Want float64
	// Error is |Have-Want|, relative to the greatest derivative by the same argument, or to
	// 0.001 where all are smaller.
	Error float64
}

// String says where the derivative is, and what it is.
func (d Difference) String() string {
	return fmt.Sprintf("order %d, derivative by %s%v: gradient %.9g, finite differences %.9g (error %.2g)",
		d.Order, d.By, d.Index, d.Have, d.Want, d.Error)
}

// TB is the part of a testing.TB that [Check] needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails t where the gradient of f, a function of arguments of the given types, or the
// gradient of that gradient is wrong. Arguments are drawn from [Normal]; use [Run] for others.
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

// Run compares the gradient of f with finite differences. f's result is weighed by random
// cotangents and summed, so that all of it counts; of the second order on, it is the gradient
// that is weighed, summed and differentiated, by the cotangents of lower orders as well.
//
// Of an argument with more than 200 elements a random 200 are checked. The error wraps
// [ErrWrong] where the worst difference is beyond the tolerance; any other means that the
// check could not be made.
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

// checker is one check in progress.
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
		return errors.New("gradcheck: the function gives nil")
	}
	c.graph = y.Graph()
	switch err := c.graph.Err(); {
	case err != nil:
		return err
	case steps(y.Type()) != nil:
		return fmt.Errorf("gradcheck: the function gives %w", steps(y.Type()))
	case !y.Type().IsFloat():
		return fmt.Errorf("gradcheck: the function gives %v; only floating point has gradients", y.Type())
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

// floats returns the floating-point arguments that there are in the graph to be checked.
func (c *checker) floats(xs []*graph.Node) (fs []*graph.Node) {
	for _, x := range xs {
		if x = c.graph.Leaf(x.Name()); x != nil && x.Type().IsFloat() {
			fs = append(fs, x)
		}
	}
	return fs
}

// contract returns the sum of ys weighed by new cotangents, and these.
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

// between names the ops that the gradient of y by xs goes through.
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

// compare holds dx against the finite differences of y.
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

// probes chooses which of n elements to check.
func (c *checker) probes(n int) []int {
	p := c.rand.Perm(n)
	return p[:min(n, maxProbes)]
}

// judge computes the errors of the derivatives by one argument.
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
