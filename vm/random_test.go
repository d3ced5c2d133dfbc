package vm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// choices turns bytes into decisions, so that the fuzzer can explore graphs.
type choices []byte

func (c *choices) next(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

// A random is a graph in the making: choices decide what is built on what.
type random struct {
	*choices
	g    *graph.Graph
	pool []*graph.Node
}

// pick returns one of the newer nodes.
func (r *random) pick() *graph.Node { return r.pool[len(r.pool)-1-r.next(min(len(r.pool), 6))] }

// of returns a node of type d: a newer one where there is one, else x.
func (r *random) of(d shape.DType) *graph.Node {
	for range 4 {
		if n := r.pick(); n.Type().DType == d {
			return n
		}
	}
	return r.pool[0]
}

// param makes a Param of new values.
func (r *random) param(dims ...shape.Dim) *graph.Node {
	n := len(r.g.Nodes())
	return r.g.Param(fmt.Sprintf("w%d", n), shape.F64(dims...), spread(n))
}

// number returns one of several small numbers.
func (r *random) number() float64 {
	return []float64{-2, -1, -.5, 0, math.Copysign(0, -1), .1, 1, 2}[r.next(8)]
}

// randomModel builds a graph, mostly of float64, its loss, and a momentum update of each
// Param.
func randomModel(c *choices) (*graph.Graph, []*graph.Node) {
	g := graph.New()
	r := &random{choices: c, g: g}
	r.pool = []*graph.Node{
		g.Input("x", shape.F64(shape.N, 2, 5, 4)),
		g.Input("z", shape.F64(shape.N, 2, 1, 4)),
		g.Param("p", shape.F64(2, 5, 4), spread(1)),
		g.Param("q", shape.F64(4), spread(2)),
	}
	labels := g.Input("labels", shape.I32(shape.N))
	for range 3 + r.next(30) {
		if n := randomOps[r.next(len(randomOps))](r); n != nil {
			r.pool = append(r.pool, n)
		}
	}
	loss := ops.Scalar(r.pool[0], .5)
	for range 3 {
		loss = ops.Add(loss, ops.Mean(ops.Tanh(r.of(shape.Float64))))
	}
	if y := r.pick(); y.Type().IsFloat() && y.Type().Rank() > 1 && y.Type().Dim(0) == shape.N {
		logits := ops.MatMul(ops.Flatten(y), r.param(ops.Flatten(y).Type().Dim(1), 3))
		loss = ops.Add(loss, ops.CrossEntropy(logits, labels, ops.CrossEntropyOptions{LabelSmoothing: .1 * float64(r.next(2))}))
	}
	outs := []*graph.Node{loss}
	for range 1 + r.next(4) {
		outs = append(outs, r.output(outs))
	}
	r.updates(loss)
	return g, outs
}

// output returns some node, or one that is other memory under another name.
func (r *random) output(others []*graph.Node) *graph.Node {
	n := r.pick()
	switch r.next(6) {
	case 0:
		return others[r.next(len(others))]
	case 1:
		n = others[r.next(len(others))]
	case 2:
		n = r.g.Nodes()[0]
	case 3:
		n = r.g.Leaf("p")
	}
	return []func(*graph.Node) *graph.Node{
		func(n *graph.Node) *graph.Node { return n },
		ops.StopGradient,
		func(n *graph.Node) *graph.Node { return ops.Unsqueeze(n, 0) },
	}[r.next(3)](n)
}

// updates trains the Params, and keeps some values of this step for the next one.
func (r *random) updates(loss *graph.Node) {
	params := r.g.Params()
	for i, d := range autodiff.Grad(loss, params...) {
		w := params[i]
		v := r.g.State(w.Name()+".v", w.Type(), nil)
		next := ops.Add(ops.MulScalar(v, .9), d)
		r.g.Update(v, next)
		r.g.Update(w, ops.Sub(w, ops.MulScalar(next, .1)))
	}
	for i := range r.next(4) {
		if n := r.pick(); n.Type().Shape.Concrete() {
			r.g.Update(r.g.State(fmt.Sprintf("kept%d", i), n.Type(), graph.Fill(1)), n)
		}
	}
}

// randomOps each apply one op to nodes that suit it, or return nil.
var randomOps = []func(*random) *graph.Node{
	unaryOf, unaryOf, unaryOf, binaryOf, binaryOf, binaryOf, binaryOf,
	func(r *random) *graph.Node { return ops.MulScalar(r.of(shape.Float64), r.number()) },
	func(r *random) *graph.Node { return ops.AddScalar(r.of(shape.Float64), r.number()) },
	func(r *random) *graph.Node { return ops.Sub(r.of(shape.Float64), ops.Scalar(r.pool[0], r.number())) },
	func(r *random) *graph.Node {
		return ops.Where(compare(r, r.of(shape.Float64), ops.Scalar(r.pool[0], r.number())), ops.Scalar(r.pool[0], r.number()), ops.Scalar(r.pool[0], r.number()))
	},
	func(r *random) *graph.Node {
		c := r.g.Const(shape.F64(4), []float64{r.number(), r.number(), .25, -3})
		return []func(a *graph.Node) *graph.Node{ops.Neg, ops.Sigmoid, ops.ReLU, ops.Square}[r.next(4)](c)
	},
	func(r *random) *graph.Node { return ops.FullLike(r.of(shape.Float64), r.number()) },
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		return ops.Div(ops.Sum(x), ops.Count(x))
	},
	reduction, reduction,
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		return []func(*graph.Node, ...int) *graph.Node{ops.Sum, ops.Mean, ops.Max, ops.Min}[r.next(4)](x)
	},
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		if x.Type().Rank() < 2 {
			return nil
		}
		return []func(*graph.Node, int) *graph.Node{ops.Softmax, ops.LogSoftmax}[r.next(2)](x, x.Type().Rank()-1)
	},
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		if t := x.Type(); t.Rank() == 4 && t.Dim(3) == 4 {
			return ops.Reshape(x, t.Dim(0), t.Dim(1), t.Dim(2), 2, 2)
		}
		return nil
	},
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		rank := x.Type().Rank()
		if rank < 2 || rank == 2 && x.Type().Dim(0).Symbolic() {
			return nil
		}
		perm := []int{0, 1, 2, 3, 4}[:rank]
		perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
		y := ops.Transpose(x, perm...)
		if t := y.Type(); rank == 5 && t.Dim(3) == 2 && t.Dim(4) == 2 {
			return ops.Reshape(y, t.Dim(0), t.Dim(1), t.Dim(2), 4)
		}
		return y
	},
	convolution2D, convolution2D,
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		if t := x.Type(); t.Rank() >= 2 && !t.Dim(-1).Symbolic() {
			return ops.MatMul(x, r.param(t.Dim(-1), 4))
		}
		return nil
	},
	func(r *random) *graph.Node {
		x := r.image()
		pool := ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{1 + r.next(2), 1}, Pad: [2][2]int{{1, 0}, {0, 1}}}
		if r.next(2) == 0 {
			return ops.MaxPool2D(x, pool)
		}
		return ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: pool.Kernel, Stride: pool.Stride, Pad: pool.Pad, CountPad: r.next(2) == 0})
	},
	func(r *random) *graph.Node {
		x := r.image()
		c, n := x.Type().Dim(1), len(r.g.Nodes())
		mean := r.g.State(fmt.Sprintf("mean%d", n), shape.F64(c), nil)
		variance := r.g.State(fmt.Sprintf("var%d", n), shape.F64(c), graph.Fill(1))
		return ops.BatchNorm(x, r.param(c), r.param(c), mean, variance, ops.BatchNormOptions{Eps: .1})
	},
	func(r *random) *graph.Node { return ops.Dropout(r.of(shape.Float64), .3) },
	func(r *random) *graph.Node {
		x, y := r.of(shape.Float64), r.of(shape.Float64)
		axis := x.Type().Rank() - 1
		if axis < 0 || y.Type().Rank() != axis+1 || x.Type().Dim(axis).Symbolic() || x.Type().With(axis, 1) != y.Type().With(axis, 1) {
			y = x
		}
		if axis < 0 || x.Type().Dim(axis).Symbolic() {
			return nil
		}
		return ops.Concat(axis, x, y, x)
	},
	func(r *random) *graph.Node { // a part of the last axis
		x := r.of(shape.Float64)
		n, ok := lastExtent(x)
		if !ok || n < 2 {
			return nil
		}
		ranges := make([]ops.Range, x.Type().Rank())
		for i := range ranges {
			ranges[i] = ops.Whole()
		}
		ranges[len(ranges)-1] = []ops.Range{{Start: 1, Stop: n}, {Start: 0, Stop: n, Step: 2}, {Start: n - 1, Stop: 0, Step: -1}}[r.next(3)]
		return ops.Slice(x, ranges...)
	},
	func(r *random) *graph.Node {
		x := r.of(shape.Float64)
		if n, ok := lastExtent(x); !ok || n < 2 {
			return nil
		}
		pad := ops.PadOp{Mode: engine.PadMode(r.next(4))}
		pad.Before[x.Type().Rank()-1], pad.After[x.Type().Rank()-1] = r.next(2), 1
		if pad.Mode == engine.PadConstant {
			pad.Value = graph.Float(r.number())
		}
		return ops.Pad(x, pad)
	},
	func(r *random) *graph.Node { return ops.Cast(r.of(shape.Float64), shape.Int32) },
	func(r *random) *graph.Node {
		return ops.Cast(ops.Cast(r.of(shape.Float64), shape.Float32), shape.Float64)
	},
	func(r *random) *graph.Node { return ops.Cast(r.of(shape.Int32), shape.Float64) },
	func(r *random) *graph.Node { // moved as a type that is only stored
		d := []shape.DType{shape.BFloat16, shape.Float16, shape.Int8}[r.next(3)]
		x := ops.Cast(r.of(shape.Float64), d)
		switch r.next(3) {
		case 1:
			x = ops.Transpose(x)
		case 2:
			x = ops.Where(ops.FullLike(ops.Cast(x, shape.Bool), float64(r.next(2))), x, ops.Scalar(x, 1))
		}
		return ops.Cast(x, shape.Float64)
	},
	func(r *random) *graph.Node { return ops.Cast(r.of(shape.Bool), shape.Float64) },
	func(r *random) *graph.Node {
		a, b := r.of(shape.Int32), r.of(shape.Int32)
		if a.Type().DType != shape.Int32 || !spreads(a, b) {
			return nil
		}
		return []func(a, b *graph.Node) *graph.Node{ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Maximum}[r.next(5)](a, b)
	},
	func(r *random) *graph.Node {
		a, b := r.of(shape.Float64), r.of(shape.Float64)
		if !spreads(a, b) {
			return nil
		}
		return compare(r, a, b)
	},
	func(r *random) *graph.Node {
		a, b := r.of(shape.Bool), r.of(shape.Bool)
		if a.Type().DType != shape.Bool || !spreads(a, b) {
			return nil
		}
		return []func(a, b *graph.Node) *graph.Node{ops.And, ops.Or, func(a, _ *graph.Node) *graph.Node { return ops.Not(a) }}[r.next(3)](a, b)
	},
	func(r *random) *graph.Node {
		c, a, b := r.of(shape.Bool), r.of(shape.Float64), r.of(shape.Float64)
		if c.Type().DType != shape.Bool || !spreads(a, b) || !spreads(ops.Add(a, b), c) {
			return nil
		}
		return ops.Where(c, a, b)
	},
	func(r *random) *graph.Node { // numbers that are no floating-point ones
		switch x := r.pick(); x.Type().DType {
		case shape.Bool:
			return ops.Or(ops.FullLike(x, float64(r.next(2))), x)
		case shape.Int32:
			return ops.Maximum(ops.AddScalar(x, float64(r.next(3))), ops.FullLike(x, -1))
		}
		return nil
	},
	func(r *random) *graph.Node { // a schedule that counts steps
		steps := r.g.Leaf("steps")
		if steps == nil {
			steps = r.g.State("steps", shape.I64(), nil)
			r.g.Update(steps, ops.Add(steps, ops.Scalar(steps, 1)))
		}
		return ops.Mul(r.of(shape.Float64), ops.Div(ops.Scalar(r.pool[0], 1), ops.Cast(ops.Add(steps, ops.Scalar(steps, 2)), shape.Float64)))
	},
	func(r *random) *graph.Node { // another form in inference, which nobody asks for here
		x := r.of(shape.Float64)
		return ops.ByMode(ops.Tanh(x), ops.Neg(x))
	},
}

func unaryOf(r *random) *graph.Node {
	of := []func(*graph.Node) *graph.Node{ops.Tanh, ops.Sigmoid, ops.Neg, ops.Abs, ops.ReLU, ops.Sin, ops.StopGradient, ops.Square, ops.Softplus}
	return of[r.next(len(of))](r.of(shape.Float64))
}

func binaryOf(r *random) *graph.Node {
	x, y := r.of(shape.Float64), r.of(shape.Float64)
	if !spreads(x, y) {
		return nil
	}
	return []func(a, b *graph.Node) *graph.Node{ops.Add, ops.Sub, ops.Mul, ops.Maximum, ops.Minimum, func(a, b *graph.Node) *graph.Node {
		return ops.Where(ops.Less(a, b), a, b)
	}}[r.next(6)](x, y)
}

func compare(r *random, a, b *graph.Node) *graph.Node {
	return []func(a, b *graph.Node) *graph.Node{ops.Less, ops.Equal, ops.GreaterEqual}[r.next(3)](a, b)
}

func reduction(r *random) *graph.Node {
	x := r.of(shape.Float64)
	if x.Type().Rank() == 0 {
		return nil
	}
	of := []func(*graph.Node, ...int) *graph.Node{ops.SumKeep, ops.MeanKeep, ops.MaxKeep, ops.Sum, ops.Variance}
	return of[r.next(len(of))](x, r.next(x.Type().Rank()))
}

func convolution2D(r *random) *graph.Node {
	x := r.image()
	channels, _ := x.Type().Dim(1).Int()
	op := ops.Conv2DOp{Stride: [2]int{1 + r.next(2), 1}, Dilation: [2]int{1, 1 + r.next(2)}, Pad: [2][2]int{{1, 1}, {2, 1 + r.next(2)}}}
	if channels%2 == 0 {
		op.Groups = 1 + r.next(2)
	}
	w := r.param(2, shape.Dim(channels/max(op.Groups, 1)), 3, 3)
	y := ops.Conv2D(x, w, op)
	if r.next(2) == 0 {
		y = ops.AddBias(y, r.param(2))
	}
	if r.next(2) == 0 {
		y = ops.ReLU(y)
	}
	if t := y.Type(); r.next(2) == 0 && t.Dim(2) >= 2 && t.Dim(3) >= 2 {
		y = ops.MaxPool2D(y, ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1 + r.next(2)}, Pad: [2][2]int{{1, 0}, {0, 1}}})
	}
	return y
}

// image returns a node that can be convolved: a newer one where there is one, else x.
func (r *random) image() *graph.Node {
	for range 4 {
		x := r.of(shape.Float64)
		if t := x.Type(); t.Rank() == 4 && t.Dim(0) == shape.N && t.Dim(2) >= 2 && t.Dim(3) >= 3 && t.Dim(3) < 16 {
			return x
		}
	}
	return r.pool[0]
}

// lastExtent is the extent of x's last axis, where it is a small number.
func lastExtent(x *graph.Node) (int, bool) {
	if x.Type().Rank() == 0 {
		return 0, false
	}
	n, ok := x.Type().Dim(-1).Int()
	return n, ok && n < 40
}

// spreads reports whether a and b broadcast, and not to every example with every other.
func spreads(a, b *graph.Node) bool {
	s, err := shape.Broadcast(a.Type().Shape, b.Type().Shape)
	if err != nil || batches(s) > max(batches(a.Type().Shape), batches(b.Type().Shape)) {
		return false
	}
	return a.Type().DType == b.Type().DType || b.Type().DType == shape.Bool
}

// batches is how many axes of s depend on N.
func batches(s shape.Shape) (n int) {
	for axis := range s.Rank() {
		if s.Dim(axis).Symbolic() {
			n++
		}
	}
	return n
}

// spread fills with distinct values, so that nothing is equal by chance.
type spread int

func (s spread) Fill(v []float64, _ shape.Type, _ *rand.Rand) {
	for i := range v {
		v[i] = float64((7919*i+131*int(s))%1009)/1009 - .5
	}
}

// steps trains for some steps and returns every output and leaf on the way. A step that is
// refused counts as NaN.
func steps(t *testing.T, outs []*graph.Node, opts ...vm.Option) (all []float64) {
	return stepsOf(t, []int{3, 1, 3}, outs, opts...)
}

// stepsOf is steps of batches of the given sizes.
func stepsOf(t *testing.T, sizes []int, outs []*graph.Node, opts ...vm.Option) (all []float64) {
	p, err := vm.Compile(newSharingEngine(), outs, append(opts, vm.Train, vm.Checked)...) // batches of 3 interleaved, of 1 not; small instructions side by side
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	naive, err := vm.NaiveOrder(p, sizes[0])
	require.NoError(t, err)
	require.True(t, naive, "the schedule is not the one without a queue")
	for _, n := range sizes {
		var in []*tensor.Dense
		var fed [][]float64
		for k, node := range p.Inputs() {
			in = append(in, feedOf(node.Type().At(n), k))
			fed = append(fed, numbers(in[k]))
		}
		out, err := m.Run(ctx, in...)
		if err != nil {
			require.ErrorIs(t, err, vm.ErrNotFinite)
			all = append(all, math.NaN())
		}
		for _, d := range out {
			all = append(all, numbers(d)...)
		}
		for k, d := range in {
			require.Equal(t, fed[k], numbers(d), "what is fed is not written")
		}
	}
	for _, name := range s.Names() {
		v, err := s.Value(name)
		require.NoError(t, err)
		all = append(all, numbers(v)...)
	}
	return all
}

// feedOf returns a tensor for input k: numbers about 0, or labels of three classes.
func feedOf(t shape.Type, k int) *tensor.Dense {
	if t.DType == shape.Int32 {
		v := make([]int32, t.Len())
		for i := range v {
			v[i] = int32(i+k) % 3
		}
		return tensor.New(tensor.WithShape(t.Ints()...), tensor.WithBacking(v))
	}
	v := make([]float64, t.Len())
	spread(10+k).Fill(v, t, nil)
	return tensor.New(tensor.WithShape(t.Ints()...), tensor.WithBacking(v))
}

// numbers returns a copy of d's elements.
func numbers(d *tensor.Dense) []float64 {
	switch d.Dtype() {
	case tensor.Bool:
		v := make([]float64, len(d.Bools()))
		for i, b := range d.Bools() {
			if b {
				v[i] = 1
			}
		}
		return v
	case tensor.Int32:
		return float64s(d.Int32s())
	case tensor.Int64:
		return float64s(d.Int64s())
	}
	return float64s(d.Float64s())
}

func float64s[T int32 | int64 | float64](s []T) []float64 {
	v := make([]float64, len(s))
	for i, x := range s {
		v[i] = float64(x)
	}
	return v
}

// sameUnderPasses holds a graph to give the same with all optional passes, with none, and
// with one off.
func sameUnderPasses(t *testing.T, data []byte) {
	c := choices(data)
	g, outs := randomModel(&c)
	require.NoError(t, g.Err())
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
	plain := steps(t, outs, vm.Without(optional...))
	near(t, plain, steps(t, outs), "with all passes")
	off := optional[int(crc(data))%len(optional)]
	near(t, plain, steps(t, outs, vm.Without(off)), "without "+off)
}

// near compares with what no pass gives. A NaN is near a NaN alone.
func near(t *testing.T, plain, all []float64, how string) {
	require.Len(t, all, len(plain))
	for i, want := range plain {
		same := all[i] == want || math.IsNaN(all[i]) && math.IsNaN(want)
		if !same && !(math.Abs(all[i]-want) <= 1e-9*(1+math.Abs(want))) {
			t.Fatalf("value %d: %v %s, %v without any", i, all[i], how, want)
		}
	}
}

func crc(data []byte) (sum uint32) {
	for _, b := range data {
		sum = sum*31 + uint32(b)
	}
	return sum & 0x7fffffff
}

func TestRandomGraphsAreTheSameUnderPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		data := make([]byte, 20+r.IntN(150))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		sameUnderPasses(t, data)
		if t.Failed() {
			t.Fatalf("data %v", data)
		}
	}
}

func FuzzPasses(f *testing.F) {
	f.Add([]byte{20, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})
	f.Add([]byte("a random graph of ops, passes on and passes off"))
	f.Fuzz(sameUnderPasses)
}
